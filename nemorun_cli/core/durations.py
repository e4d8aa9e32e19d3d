"""Lengths of time as text: `30s`, `10m`, `1-12:00:00`; a bare number is minutes, as in Slurm."""

import re
from datetime import datetime

_UNITS = {"w": 604800, "d": 86400, "h": 3600, "m": 60, "s": 1}
_PARTS = re.compile(r"(\d{1,12})(?:\.(\d{1,12}))?([smhdw])", re.ASCII)
_CLOCK = re.compile(r"(?:(\d{1,12})-)?(\d{1,12})(?::(\d{1,12}))?(?::(\d{1,12}))?", re.ASCII)
_SCALE = 10**12


def parse_duration(text: str) -> int:
    """Seconds, rounded up; ValueError for anything that is no length of time.

    Clock forms are Slurm's (sbatch(1), --time): MM, MM:SS, HH:MM:SS, D-HH, D-HH:MM, D-HH:MM:SS.
    """
    compact = text.strip().lower()
    if _PARTS.sub("", compact) == "" and compact:
        return -(-sum(_scaled(*part) for part in _PARTS.findall(compact)) // _SCALE)
    clock = _CLOCK.fullmatch(compact)
    if clock is None:
        raise ValueError(
            f"expects a length of time such as 30s, 10m, 2h or 1-12:00:00, got {text!r}"
        )
    days, *rest = clock.groups()
    numbers = [int(each) for each in rest if each is not None]
    if days is not None:
        hours, minutes, seconds = (*numbers, 0, 0)[:3]
        return int(days) * 86400 + hours * 3600 + minutes * 60 + seconds
    if len(numbers) == 3:  # noqa: PLR2004
        return numbers[0] * 3600 + numbers[1] * 60 + numbers[2]
    return numbers[0] * 60 + (numbers[1] if len(numbers) > 1 else 0)


def format_duration(seconds: int) -> str:
    """The shortest text that means this many seconds: `45s`, `2h`, `1h30m`, `2d`."""
    parts = []
    for unit in "dhms":
        count, seconds = divmod(seconds, _UNITS[unit])
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def moment(text: str, *, now: float) -> float:
    """The time that `2d` (ago) or an ISO date or time stands for; local time unless it says.

    Seconds since 1970; ValueError for anything else.
    """
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        try:
            return now - parse_duration(text)
        except ValueError:
            raise ValueError(f"expects a length of time or a date, got {text!r}") from None
    try:
        return parsed.timestamp() if parsed.tzinfo else parsed.astimezone().timestamp()
    except (OverflowError, OSError):
        raise ValueError(f"expects a date that clocks know, got {text!r}") from None


def _scaled(whole: str, fraction: str, unit: str) -> int:
    """In units of 1e-12 s: a float would make 1.1h a second too long."""
    return (int(whole) * _SCALE + int(fraction.ljust(12, "0") or 0)) * _UNITS[unit]
