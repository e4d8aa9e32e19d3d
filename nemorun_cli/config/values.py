"""Values of a config as people would type them."""

from typing import Any

from nemorun_cli.config import nodes


def as_text(value: Any) -> str:
    """A value as it would be typed; a node by what it calls."""
    if nodes.is_node(value):
        return f"{nodes.callee(value)}(...)"
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple, set, frozenset)):
        return f"[{', '.join(map(as_text, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{as_text(key)}: {as_text(each)}' for key, each in value.items())}}}"
    return str(getattr(value, "name", getattr(value, "__name__", value)))
