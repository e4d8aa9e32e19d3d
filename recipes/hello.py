"""Says hello a few times: shows that a launch works, in a second."""

import time

import fiddle as fdl

from nemorun_cli import recipe, track


def greet(greeting: str, *, steps: int, pause: float) -> None:
    """Print the greeting once a step, `pause` seconds apart."""
    for step in range(1, steps + 1):
        print(f"step {step}/{steps}: {greeting}")
        track.log(step=step, progress=step / steps)
        if step < steps:
            time.sleep(pause)  # noqa: TID251 # A job takes time; that is what is shown here.


@recipe
def hello(*, greeting: str = "hello", steps: int = 5, pause: float = 0.2) -> fdl.Partial[None]:
    """A greeting, five times in a second: needs nothing but Python."""
    return fdl.Partial(greet, greeting=greeting, steps=steps, pause=pause)
