"""Lengths of time as text: `30s`, `10m`, `1-12:00:00`; a bare number is minutes, as in Slurm."""

import re

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_PARTS = re.compile(r"(\d+(?:\.\d+)?)([smhdw])")
_CLOCK = re.compile(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?")


def parse_duration(text: str) -> int:
    """Seconds, rounded up; ValueError for anything that is no length of time.

    Clock forms are Slurm's (sbatch(1), --time): MM, MM:SS, HH:MM:SS, D-HH, D-HH:MM, D-HH:MM:SS.
    """
    compact = text.strip().lower()
    parts = _PARTS.findall(compact)
    if parts and "".join(number + unit for number, unit in parts) == compact:
        return -int(-sum(float(number) * _UNITS[unit] for number, unit in parts) // 1)
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
    """The shortest text that means this many seconds: `90s`, `2h`, `1h30m`."""
    parts = []
    for unit, size in reversed(list(_UNITS.items())[:4]):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"
