"""Differences can be said as overrides: applied to the one config they give the other."""

import copy
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import fiddle as fdl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nemorun_cli.config.between import Between, overrides_between
from nemorun_cli.config.canonical import config_hash
from nemorun_cli.config.diff import differences
from nemorun_cli.config.document import to_document
from nemorun_cli.config.render import to_yaml
from tests.unit.config import parts
from tests.unit.config.test_document import CONFIGS
from tests.unit.config.test_properties import SETTINGS, applied, document


def changed(made: Any, found: Between) -> Any:
    """The config with these overrides on top, by way of a file."""
    with TemporaryDirectory() as name:
        (Path(name) / "change.yaml").write_text(to_yaml(found.overrides))
        return parts.apply(made, [], ["change.yaml"], Path(name))


def between(*arguments: str) -> Between:
    return overrides_between(
        document(parts.config()), document(parts.apply(parts.config(), arguments))
    )


@settings(deadline=None)
@given(made=CONFIGS)
def test_nothing_is_between_a_config_and_itself(made: Any) -> None:
    written = to_document(made)

    assert overrides_between(written, to_document(copy.deepcopy(made))) == Between(overrides={})
    assert differences(written, to_document(copy.deepcopy(made))) == ()


@settings(deadline=None)
@given(st.lists(SETTINGS, max_size=6), st.lists(SETTINGS, max_size=6))
@example(["callback=adamw()"], ['callback="1e-4"'])
@example(["callback=[adamw()]"], ['callback=["a"]'])
@example(["callback=adamw()"], ["callback={a: 1}"])
def test_what_is_between_two_configs_makes_one_of_the_other(
    before: list[str], after: list[str]
) -> None:
    (one, _), (other, _) = applied(before), applied(after)
    wanted = document(other)

    found = overrides_between(document(one), wanted)

    assert config_hash(document(changed(one, found))) == config_hash(wanted)


def test_one_change_is_one_override() -> None:
    assert between("optim.lr=3e-4", "model.layers[-1]=1", 'table["a.b"]=5').overrides == {
        "model.layers[1]": 1,
        "optim.lr": 0.0003,
        'table["a.b"]': 5,
    }


@pytest.mark.parametrize("text", ["5", "none", "[1", "1e-4", "@x", "'5'", "", "a\nb", "true"])
def test_a_text_stays_a_text_whatever_it_looks_like(text: str) -> None:
    made = parts.config()
    made.model.name = made.callback = made.table["a"] = text

    found = overrides_between(document(parts.config()), document(made))

    again = changed(parts.config(), found)
    assert (again.model.name, again.callback, again.table["a"]) == (text, text, text)


def test_what_is_shared_stays_shared() -> None:
    made = parts.config()
    made.callback = [made.optim, {"again": made.optim}]

    again = changed(parts.config(), overrides_between(document(parts.config()), document(made)))

    assert again.callback[0] is again.optim is again.callback[1]["again"]
    assert again == made


def test_what_no_factory_may_make_is_told() -> None:
    made = parts.config()
    made.optim = fdl.Config(parts.SGD, lr=1.0)

    found = overrides_between(document(parts.config()), document(made))

    assert found.unknown == ("tests.unit.config.parts:SGD",)
    assert list(found.overrides) == ["optim"]
    assert between("steps=3").unknown == ()
