"""`nemorun rerun`."""

from dataclasses import replace
from typing import Annotated

import typer

from nemorun_cli.cli import params, starting


def command(  # noqa: PLR0913
    run: Annotated[str, typer.Argument(metavar="RUN", help=params.RUN_HELP)],
    overrides: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PATH=VALUE]...", help="Changes, on top of the run's config."),
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
    wait: starting.WaitOption = False,
    follow: starting.FollowOption = False,
    timeout: starting.TimeoutOption = None,
    cancel_on_exit: starting.CancelOption = False,
    dry_run: starting.DryRunOption = False,
    trust: starting.TrustOption = False,
    json: params.JsonOption = False,
) -> int:
    """Launch a run again from its stored code, with changes.

    The code is the snapshot that the run was made from, whatever the project looks like now; the
    new run names the old one as its parent. Settings typed at the old launch are used again.
    Secrets are read from the environment again.
    """
    from nemorun_cli.actions import compose, wiring
    from nemorun_cli.actions.requests import surroundings
    from nemorun_cli.actions.select import run_of

    how = starting.How(
        wait=wait,
        follow=follow,
        timeout=params.seconds("--timeout", timeout),
        cancel_on_exit=cancel_on_exit,
        json=json,
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
    ports = wiring.ports()
    earlier = run_of(run, ports=ports)
    request = replace(request, trust=trust)
    prepared = compose.rerun(earlier, request, surroundings(), ports=ports)
    if dry_run:
        return starting.show_plan(prepared, ports=ports, json=json)
    return starting.start(prepared, how, ports=ports)
