"""`nemorun launch`."""

from dataclasses import replace
from typing import Annotated

import typer

from nemorun_cli.cli import params, starting


def command(  # noqa: PLR0913
    recipe: Annotated[
        str,
        typer.Argument(
            metavar="RECIPE",
            help="A name, a name with arguments ('gpt(size=small)'), file.py:function,"
            " package.module:function, or `command`.",
        ),
    ],
    overrides: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PATH=VALUE]...",
            help="Overrides, from left to right; after `command --`, a command line.",
        ),
    ] = None,
    *,
    file: starting.FileOption = None,
    executor: starting.ExecutorOption = None,
    set_: starting.SettingOption = None,
    name: starting.NameOption = None,
    experiment: starting.ExperimentOption = None,
    tag: starting.TagOption = None,
    env: starting.EnvOption = None,
    secret: starting.SecretOption = None,
    after: starting.AfterOption = None,
    include_repo: starting.IncludeOption = None,
    require_clean: starting.CleanOption = False,
    yes_large: starting.LargeOption = False,
    wait: starting.WaitOption = False,
    follow: starting.FollowOption = False,
    timeout: starting.TimeoutOption = None,
    cancel_on_exit: starting.CancelOption = False,
    reuse: starting.ReuseOption = False,
    dry_run: starting.DryRunOption = False,
    json: params.JsonOption = False,
) -> int:
    """Launch a recipe, or any command line.

    Returns as soon as the back-end has the job, and prints the run's id alone. Everything that is
    wrong with the overrides is told at once, before anything is written or submitted. An earlier
    run of the same config and code is told on standard error; with --reuse it is the answer, if it
    has succeeded or is under way.
    """
    from functools import partial

    from nemorun_cli.actions import compose, wiring
    from nemorun_cli.actions.requests import surroundings
    from nemorun_cli.actions.reuse import twin_of
    from nemorun_cli.cli import reusing

    how = starting.How(
        wait=wait,
        follow=follow,
        timeout=params.seconds("--timeout", timeout),
        cancel_on_exit=cancel_on_exit,
        json=json,
        reuse=reuse,
    )
    request = starting.request(
        overrides,
        file,
        executor,
        set_,
        env,
        secret,
        name=name,
        experiment=experiment,
        tag=tag,
        after=after,
    )
    request = replace(
        request,
        include_repos=tuple(include_repo or ()),
        require_clean=require_clean,
        yes_large=yes_large,
    )
    ports = wiring.ports()
    around = surroundings()
    package = compose.measure(ports) if dry_run else compose.snapshot(ports)
    prepared = compose.launch(recipe, request, around, ports=ports, package=package)
    if dry_run:
        from nemorun_cli.actions.scope import skipped

        left_out = skipped(around) if prepared.spec.code else ()
        twin = twin_of(prepared, ports=ports)
        reusing.tell(twin, ports=ports)
        return starting.show_plan(prepared, ports=ports, json=json, twin=twin, left_out=left_out)
    return starting.start(prepared, how, ports=ports, begin=partial(reusing.begin, reuse=reuse))
