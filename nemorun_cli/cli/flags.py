"""What each command takes: `make completions` writes this file from the commands."""

from collections.abc import Mapping
from typing import NamedTuple


class Flag(NamedTuple):
    """One option of a command."""

    short: str
    value: str
    """What stands for its value in the help, or the choices, `a|b|c`; empty if it takes none."""
    text: str


ARGUMENTS: Mapping[str, tuple[str, ...]] = {
    "launch": ("RECIPE", "[PATH=VALUE]..."),
    "rerun": ("RUN", "[PATH=VALUE]..."),
    "list": (),
    "show": ("RUN",),
    "status": ("[RUN]...",),
    "logs": ("RUN",),
    "cancel": ("[RUN]...",),
    "wait": ("[RUN]...",),
    "explain": ("RECIPE|RUN", "[PATH] [PATH=VALUE]..."),
    "tag": ("RUN", "[TAG]..."),
    "rm": ("RUN...",),
    "recipes": ("[RECIPE]",),
    "executors": ("[NAME]",),
    "doctor": ("[EXECUTOR]",),
}
FLAGS: Mapping[str, Mapping[str, Flag]] = {
    "launch": {
        "--file": Flag("-f", "FILE", "Overrides in YAML, TOML or JSON"),
        "--executor": Flag("-e", "NAME", "An executor, or a profile of your settings"),
        "--set": Flag("-x", "NAME=VALUE", "A setting of the executor: `-x time=2h`"),
        "--name": Flag("", "NAME", "A label of your own"),
        "--experiment": Flag("", "NAME", "A name that runs share"),
        "--tag": Flag("-t", "TAG", "May be repeated"),
        "--env": Flag("", "NAME[=VALUE]", "A variable of the job"),
        "--secret": Flag("", "NAME", "A variable whose value is written nowhere"),
        "--after": Flag("", "RUN[:ok|any|notok]", "Start when RUN has ended so"),
        "--wait": Flag("-w", "", "Stay until the run has ended"),
        "--follow": Flag("", "", "Stay, and print the run's output as it comes"),
        "--timeout": Flag("", "TIME", "With --wait: stop waiting after this"),
        "--cancel-on-exit": Flag("", "", "Cancel the run when this command is interrupted"),
        "--dry-run": Flag("", "", "Show the config and the plan"),
        "--json": Flag("", "", "Print one JSON document"),
    },
    "rerun": {
        "--file": Flag("-f", "FILE", "Overrides in YAML, TOML or JSON"),
        "--executor": Flag("-e", "NAME", "An executor, or a profile of your settings"),
        "--set": Flag("-x", "NAME=VALUE", "A setting of the executor: `-x time=2h`"),
        "--name": Flag("", "NAME", "A label of your own"),
        "--experiment": Flag("", "NAME", "A name that runs share"),
        "--tag": Flag("-t", "TAG", "May be repeated"),
        "--env": Flag("", "NAME[=VALUE]", "A variable of the job"),
        "--secret": Flag("", "NAME", "A variable whose value is written nowhere"),
        "--after": Flag("", "RUN[:ok|any|notok]", "Start when RUN has ended so"),
        "--wait": Flag("-w", "", "Stay until the run has ended"),
        "--follow": Flag("", "", "Stay, and print the run's output as it comes"),
        "--timeout": Flag("", "TIME", "With --wait: stop waiting after this"),
        "--cancel-on-exit": Flag("", "", "Cancel the run when this command is interrupted"),
        "--dry-run": Flag("", "", "Show the config and the plan"),
        "--json": Flag("", "", "Print one JSON document"),
    },
    "list": {
        "--state": Flag("-s", "STATE", "In this state"),
        "--recipe": Flag("", "RECIPE", "Of this recipe"),
        "--executor": Flag("-e", "NAME", "On this executor or profile"),
        "--experiment": Flag("", "NAME", "Of this experiment"),
        "--tag": Flag("-t", "TAG", "With this tag"),
        "--since": Flag("", "WHEN", "Launched since: `2d`, `3h`, or an ISO date or time"),
        "--limit": Flag("-n", "VALUE", "At most this many"),
        "--quiet": Flag("-q", "", "Print ids alone"),
        "--refresh": Flag("", "never|auto|now", "How eagerly back-ends are asked how live..."),
        "--strict": Flag("", "", "Exit with 17 when a back-end could not be asked"),
        "--json": Flag("", "", "Print one JSON document"),
    },
    "show": {
        "--config": Flag("", "", "Print the config alone, as YAML"),
        "--script": Flag("", "", "Print the job's script alone, as submitted"),
        "--json": Flag("", "", "Print one JSON document"),
    },
    "status": {
        "--refresh": Flag("", "never|auto|now", "How eagerly back-ends are asked how live..."),
        "--strict": Flag("", "", "Exit with 17 when a back-end could not be asked"),
        "--json": Flag("", "", "Print one JSON document"),
    },
    "logs": {
        "--follow": Flag("-f", "", "Print lines as they come, until the run ends"),
        "--tail": Flag("-n", "VALUE", "The last lines alone"),
        "--rank": Flag("", "VALUE", "Of this rank"),
        "--grep": Flag("", "VALUE", "Lines in which this regular expression is found"),
        "--path": Flag("", "", "Print where the log files are"),
        "--json": Flag("", "", "Print one JSON document"),
    },
    "cancel": {
        "--state": Flag("-s", "STATE", "In this state"),
        "--recipe": Flag("", "RECIPE", "Of this recipe"),
        "--executor": Flag("-e", "NAME", "On this executor or profile"),
        "--experiment": Flag("", "NAME", "Of this experiment"),
        "--tag": Flag("-t", "TAG", "With this tag"),
        "--since": Flag("", "WHEN", "Launched since: `2d`, `3h`, or an ISO date or time"),
        "--all": Flag("", "", "All live runs"),
        "--yes": Flag("-y", "", "Do not ask"),
        "--no-wait": Flag("", "", "Do not wait until they have ended"),
        "--json": Flag("", "", "Print one JSON document"),
    },
    "wait": {
        "--timeout": Flag("", "TIME", "Give up after this time (`90s`, `10m`)"),
        "--experiment": Flag("", "NAME", "Of this experiment"),
        "--tag": Flag("-t", "TAG", "With this tag"),
        "--json": Flag("", "", "Print one JSON document"),
    },
    "explain": {
        "--file": Flag("-f", "FILE", "Overrides in YAML, TOML or JSON"),
        "--json": Flag("", "", "Print one JSON document"),
    },
    "tag": {
        "--remove": Flag("-r", "VALUE", "A tag to remove"),
        "--note": Flag("", "VALUE", "Set the run's note"),
        "--json": Flag("", "", "Print one JSON document"),
    },
    "rm": {
        "--force": Flag("", "", "Delete the records of runs that cannot be asked about, too"),
        "--json": Flag("", "", "Print one JSON document"),
    },
    "recipes": {
        "--json": Flag("", "", "Print one JSON document"),
    },
    "executors": {
        "--set": Flag("-x", "NAME=VALUE", "As for launch"),
        "--bad-nodes": Flag("", "", "Its nodes on which runs have failed in the last day"),
        "--json": Flag("", "", "Print one JSON document"),
    },
    "doctor": {
        "--json": Flag("", "", "Print one JSON document"),
    },
}
