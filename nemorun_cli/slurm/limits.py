"""The limits of accounts and QOS that keep a job from starting, read from their names.

Slurm builds some 150 reasons from few parts, such as QOS + Max + GRES + PerUser: whose limit,
which kind, on what, for whom (Slurm's page "Resource Limits").
"""

import re
from typing import Literal

_NAME = re.compile(
    r"(?P<owner>assoc|qos|)(?P<rule>grp|max|min)"
    r"(?P<of>cpu|mem(?:ory)?|node|gres|license|bb|energy|billing|unknown|wall(?:duration)?"
    r"|submitjobs?|jobs?)"
    r"(?P<minutes>run)?(?P<spent>min(?:ute)?s)?(?P<per>per(?:job|node|user|account))?"
    r"(?:limit|notsatisfied)?"
)
_THINGS = {
    "cpu": ("cores", "cpus_per_task"),
    "mem": ("memory", "mem"),
    "memory": ("memory", "mem"),
    "node": ("nodes", "nodes"),
    "gres": ("GPUs", "gpus_per_node"),
    "license": ("licences", "licenses"),
    "bb": ("burst buffer", ""),
    "energy": ("energy", ""),
    "billing": ("billed resources", ""),
    "unknown": ("resources", ""),
    "wall": ("run time", "time"),
    "wallduration": ("run time", "time"),
    "job": ("jobs", ""),
    "jobs": ("jobs", ""),
    "submitjob": ("queued jobs", ""),
    "submitjobs": ("queued jobs", ""),
}
_OWNERS = {"assoc": "your account", "qos": "its QOS", "": "its QOS"}

Found = list[tuple[Literal["wait", "never", "admin"], str]]


def limit(code: str) -> Found:
    """What the limit of this name, in lower case, means; nothing for what names no limit."""
    found = _NAME.fullmatch(code)
    if not found or not (found["owner"] or found["per"]):
        return []
    thing, setting = _THINGS[found["of"]]
    owner = _OWNERS[found["owner"]]
    if found["rule"] == "min":
        return [("never", f"{owner} is for jobs with more {thing}; {_change('more', setting)}")]
    if found["rule"] == "grp":
        return _together(thing, owner, found)
    if thing.endswith("jobs") or found["per"] in {"peruser", "peraccount"}:
        return _yours(thing, owner, found)
    if found["spent"]:
        text = f"it asks for more time on {thing} than {owner} allows a job"
        return [("never", f"{text}; ask for less time (`-x time=`) or fewer of these")]
    each = " on a node" if found["per"] == "pernode" else ""
    return [
        ("never", f"it asks for more {thing}{each} than {owner} allows; {_change('less', setting)}")
    ]


def _together(thing: str, owner: str, found: re.Match[str]) -> Found:
    """Limits on all the jobs of an account or a QOS."""
    if found["minutes"]:
        text = f"the running jobs of {owner} hold all the time on {thing} that they may"
        return [("wait", f"{text}; wait, or ask for less time (`-x time=`)")]
    if found["spent"] or thing == "run time":
        what = "run time" if thing == "run time" else f"time on {thing}"
        text = f"{owner} has used up its {what}; wait until it is renewed"
        return [("admin", f"{text}, or ask the administrators for more")]
    text = f"the jobs of {owner} use all the {thing} that they may use together"
    return [("wait", f"{text}; wait until some of them end")]


def _yours(thing: str, owner: str, found: re.Match[str]) -> Found:
    """Limits on all the jobs of one user."""
    whose = "jobs of your account" if found["per"] == "peraccount" else "jobs of yours"
    if thing.endswith("jobs"):
        text = f"{owner} allows no more {thing.removesuffix('jobs')}{whose} at once"
        return [("wait", f"{text}; wait until some of them end")]
    text = f"{whose} use all the {thing} that {owner} allows at once"
    return [("wait", f"{text}; wait until some of them end")]


def _change(direction: str, setting: str) -> str:
    how = f" (`-x {setting}=`)" if setting else ""
    return f"ask for {direction}{how}, or use another QOS (`-x qos=`)"
