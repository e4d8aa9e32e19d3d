"""What a job is started again after, and how often."""

from nemorun_cli.core.errors import SpecError
from nemorun_cli.core.jobs import Reason, Resources

ENDLESS = "inf"


def counts(ask: Resources) -> dict[str, str]:
    """How often a job is started again after each of these causes: `2`, `inf`.

    `retries` counts for those that are not there.
    SpecError for a cause that the executor of these resources cannot tell, and for no count.
    """
    found: dict[str, str] = {Reason.TIME_LIMIT: "0"}
    for text in ask.retry:
        cause, _, count = (part.strip() for part in text.partition("="))
        if cause not in ask.causes:
            raise SpecError(
                f"retry: {cause!r} is no cause that is told apart here",
                hint=f"there are: {', '.join(ask.causes)}",
            )
        if count != ENDLESS and not (count.isascii() and count.isdecimal()):
            raise SpecError(
                f"retry: {cause} expects a count or {ENDLESS}, got {count!r}",
                hint=f"-x retry={cause}=3",
            )
        found[cause] = count if count == ENDLESS else str(int(count))
    return found
