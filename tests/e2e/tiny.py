"""A project whose one recipe trains nothing."""

from tests.conftest import Nemorun

TRAIN = '''
"""A training of nothing."""

from dataclasses import dataclass

import fiddle as fdl
from helpers import greeting

from nemorun_cli import factory, recipe
from nemorun_cli import track

print("imported")


@dataclass
class AdamW:
    lr: float = 1e-3
    """How far a step goes."""


@dataclass
class SGD:
    lr: float
    momentum: float = 0.0


def train(optim: AdamW | SGD, *, steps: int = 2, note: str = "") -> None:
    for step in range(steps):
        track.log(step=step, loss=1 / (step + 1))
    print(f"{greeting} {type(optim).__name__} {optim.lr} {steps} {note!r}")


@factory
def adamw(lr: float = 1e-3) -> fdl.Config[AdamW]:
    return fdl.Config(AdamW, lr=lr)


@factory
def sgd(lr: float = 0.1) -> fdl.Config[SGD]:
    return fdl.Config(SGD, lr=lr)


@recipe
def tiny(size: int = 1) -> fdl.Partial:
    """Trains nothing."""
    return fdl.Partial(train, optim=fdl.Config(AdamW), steps=2 * size)


@recipe
def hello() -> fdl.Partial:
    """Another greeting."""
    return fdl.Partial(train, optim=fdl.Config(AdamW), note="mine")


def undecorated() -> fdl.Partial:
    return fdl.Partial(train, optim=sgd())


def nothing() -> None:
    """Returns no config."""


def broken() -> fdl.Partial:
    raise ValueError("no such size")
'''


def output(nemorun: Nemorun, *arguments: str) -> str:
    """What the job of a launch printed."""
    run_id = nemorun.ok("launch", "--wait", *arguments)
    assert "\n" not in run_id
    return nemorun.ok("logs", run_id).removeprefix("imported\n")


def refused(nemorun: Nemorun, *arguments: str) -> str:
    """The message of a launch that was refused, and that left nothing."""
    done = nemorun(*arguments)
    assert done.code == 2, done.err
    assert done.out == ""
    assert nemorun.json("list")["runs"] == []
    assert "Traceback" not in done.err
    return done.err
