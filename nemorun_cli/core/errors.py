"""What can go wrong, one class per reaction."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One of several things wrong with what was typed."""

    message: str
    text: str = ""
    """The user's own text, as typed."""
    start: int = 0
    """Where the wrong part begins in `text`, in characters."""
    end: int = 0
    hint: str = ""


class NewerFormatError(ValueError):
    """What was to be read is in a format that only a newer nemorun knows."""


class NemorunError(Exception):
    """A failure that the user is told about in one message: what, where, what to do."""

    code = "internal"
    exit_code = 1

    def __init__(self, message: str, *, hint: str = "", problems: tuple[Problem, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.problems = problems


class UsageError(NemorunError):
    """What was typed cannot be meant; nothing was written or submitted."""

    code = "usage"
    exit_code = 2


class SpecError(UsageError):
    """The job asked for is knowably wrong on this executor."""

    code = "spec"


class MissingExtraError(UsageError):
    """A package that an optional part of nemorun needs is not installed."""

    code = "missing_extra"


class RefusedError(NemorunError):
    """The back-end, or a check before it, said no; the job does not exist."""

    code = "refused"
    exit_code = 3


class NotFoundError(NemorunError):
    """No run is called that, or more than one is."""

    code = "not_found"
    exit_code = 4


class CorruptError(NemorunError):
    """A record of the store cannot be read; the others can."""

    code = "corrupt"


class NewerError(CorruptError):
    """A record or an archive is whole, and in a format of a newer nemorun."""

    code = "newer"

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what} was written by a newer nemorun",
            hint="upgrade nemorun: this one cannot read it",
        )


class StoreError(NemorunError):
    """The store cannot be read or written at all."""

    code = "store"


class UnreachableError(NemorunError):
    """A back-end or host did not answer; what it holds is unchanged and unknown."""

    code = "unreachable"
    exit_code = 17


class NotSentError(UnreachableError):
    """Nothing of what was asked for has reached the host, or ever will."""
