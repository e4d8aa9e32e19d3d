"""Run ids and keys: made, checked and matched."""

import re
import time
from calendar import timegm
from collections.abc import Iterable

ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
TAIL_LENGTH = 8
MIN_PREFIX = 3
_ID = re.compile(r"\d{8}-\d{6}-[a-z2-7]{8}")


def new_id(stamp: str, random: bytes) -> str:
    """The id of a run created at `stamp` (`YYYYMMDD-HHMMSS`, UTC), from 8 random bytes or more.

    Valid as a folder, container, DNS label, Slurm comment and Ray submission id.
    """
    return f"{stamp}-{''.join(ALPHABET[byte % 32] for byte in random[:TAIL_LENGTH])}"


def is_id(text: str) -> bool:
    """Whether this text has the form of a run id."""
    return _ID.fullmatch(text) is not None


def tail(run_id: str) -> str:
    """The random part of an id, which tables show."""
    return run_id[-TAIL_LENGTH:]


def key_of(run_id: str, submission: int) -> str:
    """The key under which a back-end knows the n-th submission of a run, counted from 1."""
    return f"{run_id}-{submission}"


def created_at(key: str) -> float:
    """When the run of this key was created, in seconds since 1970."""
    return float(timegm(time.strptime(key[:15], "%Y%m%d-%H%M%S")))


def matches(argument: str, run_id: str) -> bool:
    """Whether `argument` is a prefix (3 characters at least) of the id or of its random tail."""
    if len(argument) < MIN_PREFIX:
        return False
    return run_id.startswith(argument) or tail(run_id).startswith(argument)


def matching(argument: str, ids: Iterable[str]) -> list[str]:
    """All ids that `argument` may mean."""
    return [run_id for run_id in ids if matches(argument, run_id)]
