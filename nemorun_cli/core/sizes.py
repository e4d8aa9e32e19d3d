"""Amounts of bytes as people read them."""

_STEP = 1024


def size(count: float) -> str:
    """A number of bytes, in the largest unit of which it is one."""
    count, unit = _in_unit(count)
    return f"{count:.1f} {unit}" if unit == "GiB" else f"{count:.0f} {unit}"


def closely(count: float) -> str:
    """The same in four digits, of what is held against a limit, and of that: `1.5 MiB`."""
    count, unit = _in_unit(count)
    return f"{count:,.4g} {unit}"


def _in_unit(count: float) -> tuple[float, str]:
    for unit in ("B", "KiB", "MiB"):
        if count < _STEP:
            return count, unit
        count /= _STEP
    return count, "GiB"
