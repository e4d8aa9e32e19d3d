"""A stored config as text for people: YAML, and one line a value. Nothing is imported or built."""

from collections.abc import Iterator, Mapping
from typing import Any

NODE_KEYS = ("_target_", "_kind_", "_args_", "_tags_", "_id_", "_ref_")


def to_yaml(document: Mapping[str, Any]) -> str:
    """The document as YAML, keys in their order; it is read back to an equal document."""
    import yaml

    return yaml.safe_dump(
        dict(document),
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=False,
        width=100,
    )


def flatten(document: Mapping[str, Any]) -> dict[str, Any]:
    """Each value under its path, as it would be typed in an override; lists and the like whole."""
    return dict(_leaves(document, ""))


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and "_type_" not in value and "_ref_" not in value:
        for name, each in value.items():
            if name not in NODE_KEYS:
                yield from _leaves(each, f"{path}.{name}" if path else name)
    elif path:
        yield path, value
