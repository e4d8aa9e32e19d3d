"""A flag that would change nothing is refused, before anything is looked at."""

import pytest

from tests.conftest import Nemorun

TOGETHER = (
    "cancel --all --tag x",
    "cancel abc --all",
    "cancel abc --state running",
    "compare abc --state failed",
    "compare --tag x --csv --json",
    "compare --tag x --only-changed --json",
    "diff a b --as-overrides --patch",
    "diff a b --as-overrides --only code",
    "diff a b --patch --only config",
    "export a -o - --force",
    "export a --no-logs --log-limit 3",
    "list --json --quiet",
    "list --refresh never --strict",
    "logs --path --follow",
    "logs --path --tail 0",
    "logs --path --grep x",
    "metrics --last --all",
    "metrics --csv --json",
    "show --config --script",
    "show --environment --patch",
    "show --json --config",
    "status --refresh never --strict",
    "wait abc --tag x",
)
WITHOUT = (
    "executors --bad-nodes",
    "executors -x nodes=2",
    "gc --keep-tag x",
    "gc --state failed --yes",
    "launch --cancel-on-exit hello",
    "launch --timeout 5s hello",
    "pull abc --output there",
    "pull abc --yes",
    "rerun abc --cancel-on-exit",
    "show --repository lib",
)


@pytest.mark.parametrize("line", [*TOGETHER, *WITHOUT])
def test_flags_that_mean_nothing_are_refused(nemorun: Nemorun, line: str) -> None:
    done = nemorun(*line.split())

    assert (done.code, done.out) == (2, ""), done.err
    words = ("no meaning with ", "runs are named") if line in TOGETHER else ("no meaning without ",)
    assert any(word in done.err for word in words), done.err
    assert not nemorun.store.exists()
