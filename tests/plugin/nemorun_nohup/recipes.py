"""A recipe that comes with an installed package."""

import fiddle as fdl

from nemorun_cli import recipe


def greet(*, name: str) -> None:
    print(f"greetings, {name}")


@recipe
def greeting(*, name: str = "plug-in") -> fdl.Partial:
    """A greeting from an installed package."""
    return fdl.Partial(greet, name=name)
