"""Where the values of a recipe's config, or of a run's, come from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nemorun_cli.actions.requests import Surroundings
from nemorun_cli.actions.select import run_of
from nemorun_cli.actions.stored import config_of, origins_of
from nemorun_cli.actions.wiring import Ports
from nemorun_cli.config.explain import Explained, explain
from nemorun_cli.core.errors import NotFoundError, UsageError

if TYPE_CHECKING:
    from nemorun_cli.config.recipe import Changes
    from nemorun_cli.core.runs import Run


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """What a config consists of, and what set it."""

    recipe: str
    run: "Run | None"
    """The run whose config it is; None for what a launch would make."""
    values: tuple[Explained, ...]
    notices: tuple[str, ...] = ()


def of(
    subject: str, path: str | None, changes: "Changes", around: Surroundings, *, ports: Ports
) -> Explanation:
    """Of a recipe with these changes, or of a run as it was launched.

    A recipe's name comes before a run's. Of a run nothing is imported or executed. NotFoundError
    if there is neither; UsageError for a path that the config does not have.
    """
    if not is_recipe(subject, around):
        return _of_run(subject, path, changes, ports=ports)
    from nemorun_cli.config.recipe import resolve

    resolved = resolve(subject, changes, root=around.root, outlines=ports.store.home)
    return Explanation(
        recipe=resolved.recipe,
        run=None,
        values=explain(resolved.document, resolved.origins, path),
        notices=resolved.notices,
    )


def _of_run(subject: str, path: str | None, changes: "Changes", *, ports: Ports) -> Explanation:
    try:
        run = run_of(subject, ports=ports)
    except NotFoundError as error:
        raise NotFoundError(
            f"there is no recipe and no run {subject!r}",
            hint=f"`nemorun recipes` lists recipes; {error.hint}",
        ) from None
    if changes.arguments or changes.files:
        raise UsageError(
            f"{run.id} is a run: nothing can be set in it",
            hint="`nemorun rerun RUN PATH=VALUE --dry-run` shows what a change would make",
        )
    document = config_of(run, ports=ports)
    if document is None:
        raise UsageError(f"{run.id} is a command line: it has no config")
    told: Mapping[str, Any] = origins_of(run, ports=ports)
    values = explain(document, told, path)
    return Explanation(recipe=run.record.recipe, run=run, values=values)


def is_recipe(subject: str, around: Surroundings) -> bool:
    """Whether a text names a recipe of the project or of what is installed."""
    if ":" in subject or "(" in subject:
        return True
    from nemorun_cli.config.discover import catalogue

    return any(
        catalogue(around.root, entry_points=points).named(subject) is not None
        for points in (False, True)
    )
