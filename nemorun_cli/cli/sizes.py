"""Amounts of bytes as people read them."""


def size(count: float) -> str:
    """A number of bytes, in the largest unit of which it is one."""
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:  # noqa: PLR2004
            return f"{count:.0f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"
