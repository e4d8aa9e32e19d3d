"""Runs found by what they are, what their configs say and what they have measured."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import NEMORUN, Nemorun

RECIPE = """
import fiddle as fdl
from nemorun_cli import recipe, track

def adam(lr: float = 0.1) -> float:
    return lr

def train(optim: float, layers: list, state: str = "fresh") -> None:
    for step in range(1, 3):
        track.log(step=step, loss=optim / step)
    if optim > 5:
        raise SystemExit(3)
    if optim == 2:
        track.log(**{"val/acc": 0.9, "odd (name)": float("nan")})

@recipe
def fit(lr: float = 0.5) -> fdl.Partial:
    return fdl.Partial(train, optim=fdl.Config(adam, lr=lr), layers=[{"size": 64}])
"""


Four = tuple[Nemorun, list[str]]
MEASURE = 'echo "{\\"metrics\\": {\\"loss\\": $1}}" >> "$NEMORUN_METRICS"; echo said $1'


@pytest.fixture(scope="module")
def four(tmp_path_factory: pytest.TempPathFactory) -> Four:
    """A command line, and runs with a rate of 0.5, 2 and 8, of which the last has failed."""
    home = tmp_path_factory.mktemp("home")
    project = tmp_path_factory.mktemp("project")
    (project / "nemorun.toml").touch()
    (project / "recipes").mkdir()
    (project / "recipes" / "fit.py").write_text(RECIPE)
    nemorun = Nemorun(home=home, cwd=project)
    ids = [nemorun.ok("launch", "command", "--", "true")]
    ids += [
        nemorun.ok("launch", "fit", f"optim.lr={lr}", "--name", f"rate {lr}", "--tag", "sweep")
        for lr in ("0.5", "2.0", "8.0")
    ]
    nemorun("wait", *ids)
    return nemorun, ids


@pytest.fixture
def copied(four: Four, tmp_path: Path) -> Four:
    """The same in a store that may be spoilt."""
    nemorun, ids = four
    shutil.copytree(nemorun.store, tmp_path / "store", symlinks=True)
    return Nemorun(home=tmp_path, cwd=nemorun.cwd), ids


def found(nemorun: Nemorun, *arguments: str) -> list[str]:
    return nemorun.ok("list", "-q", *arguments).split()


def test_a_condition_chooses_and_keys_order(four: Four) -> None:
    nemorun, (line, half, two, eight) = four

    def where(text: str, *more: str) -> list[str]:
        return found(nemorun, "--where", text, *more)

    assert where("state=failed and optim.lr>1e-3") == [eight]
    assert where("optim.lr>1") == [eight, two]
    assert where("not optim.lr>1") == [half]
    assert where("optim.lr=null") == where("command~TRUE") == [line]
    assert where("layers[0].size=64 and name~'rate 2'") == [two]
    assert where("config.state=fresh", "--sort", "optim.lr") == [half, two, eight]
    assert where("metric.loss<=1") == [two, half]
    assert where("metric.loss:max>=8 or metric.val/acc>0.5") == [eight, two]
    assert where('metric["odd (name)"]=nan') == [two]
    assert where("created>1h and exit_code=3", "--tag", "sweep") == [eight]
    assert where("created<1h") == []
    assert where("optim.lr=0.5 or optim.lr=8", "--where", "state=failed or name=x") == [eight]
    assert found(nemorun, "--sort", "-metric.loss") == [eight, two, half, line]
    assert found(nemorun, "--sort", "metric.loss") == [half, two, eight, line]
    assert found(nemorun, "--sort", "-state", "--sort", "-optim.lr") == [two, half, line, eight]


def test_the_limit_comes_after_the_order(four: Four) -> None:
    nemorun, (_, half, *_) = four

    done = nemorun("list", "-q", "--where", "recipe=fit", "--sort", "optim.lr", "-n", "1")

    assert done.out.split() == [half]
    assert "1 of 3 runs" in done.err
    assert nemorun.json("list", "--where", "recipe=fit", "-n", "1")["total"] == 3


def test_what_nobody_has_is_told_with_what_was_meant(four: Four) -> None:
    nemorun, _ = four

    for typed, marked, hint in (
        ("optm.lr>1", "optm.lr", "did you mean 'optim.lr'?"),
        ("state=failed and exitcode=3", "exitcode", "did you mean 'exit_code'?"),
        ("loss<1", "loss", "a metric is written metric.loss"),
    ):
        done = nemorun("list", "--where", typed)
        assert done.code == 2
        line, carets = done.err.splitlines()[1:3]
        assert line == f"  {typed}"
        assert carets == "  " + " " * typed.index(marked) + "^" * len(marked)
        assert hint in done.err
    assert nemorun("list", "--sort", "-optm.lr").code == 2
    done = nemorun("list", "--where", "metric.los<1 and config.optm=1")
    assert (done.code, done.out) == (0, "")
    assert "none of these runs has a path 'optm'" in done.err


def test_metrics_of_what_has_ended_are_read_once(nemorun: Nemorun) -> None:
    script = f"say() {{ {MEASURE}; }}; say 3"
    run_id = nemorun.ok("launch", "--wait", "command", "--", "sh", "-c", script)
    assert found(nemorun, "--where", "metric.loss=3") == [run_id]
    (nemorun.store / "jobs" / f"{run_id}-1" / "metrics.jsonl").unlink()

    assert found(nemorun, "--where", "metric.loss=3") == [run_id]
    shutil.rmtree(nemorun.store / "index")
    assert found(nemorun, "--where", "metric.loss=3") == []


def test_what_a_condition_has_decided_is_not_read(copied: Four) -> None:
    nemorun, (_, half, *_) = copied
    shutil.rmtree(nemorun.store / "index", ignore_errors=True)
    config = next((nemorun.store / "runs").glob(f"*/{half}/config.json"))
    config.write_text("{}")

    done = nemorun("list", "-q", "--where", "state=failed and optim.lr>1", "--strict")
    assert (done.code, done.err) == (0, "")
    done = nemorun("list", "-q", "--where", "optim.lr<1 or optim.lr>1")
    assert done.out
    assert half not in done.out
    assert f"{half}: its config.json is not what was launched" in done.err


def test_a_live_run_is_asked_each_time(
    nemorun: Nemorun, until: Callable[[Callable[[], bool]], None]
) -> None:
    script = (
        f"say() {{ {MEASURE}; }}; say 3; while ! test -e more; do sleep 0.1; done; say 1; sleep 60"
    )
    run_id = nemorun.ok("launch", "command", "--", "sh", "-c", script)
    until(lambda: "said 3" in nemorun("logs", run_id).out)
    assert found(nemorun, "--where", "metric.loss>2") == [run_id]

    (nemorun.store / "jobs" / f"{run_id}-1" / "work" / "more").touch()
    until(lambda: "said 1" in nemorun("logs", run_id).out)

    assert found(nemorun, "--where", "metric.loss>2") == []
    assert found(nemorun, "--where", "metric.loss<2") == [run_id]


def test_without_an_index_the_answer_is_the_same(copied: Four) -> None:
    nemorun, (_, half, two, _) = copied
    shutil.rmtree(nemorun.store / "index", ignore_errors=True)
    (nemorun.store / "index").write_text("in the way")
    condition = "metric.loss<=1 and optim.lr<9"

    assert found(nemorun, "--where", condition, "--sort", "optim.lr") == [half, two]


def test_what_is_found_can_be_handed_on(nemorun: Nemorun) -> None:
    good = nemorun.ok("launch", "--wait", "command", "--", "true")
    nemorun("launch", "--wait", "command", "--", "false")

    line = f"{NEMORUN} list -q --where 'exit_code!=0' | xargs {NEMORUN} rm"
    subprocess.run(["sh", "-c", line], env=nemorun.environment(), cwd=nemorun.cwd, check=True)

    assert found(nemorun) == [good]


def test_names_are_completed_from_the_newest_run(four: Four) -> None:
    nemorun, _ = four

    def offered(*words: str) -> list[str]:
        told = nemorun.ok(*words, _NEMORUN_COMPLETE="1").splitlines()
        return [each.partition("\t")[0] for each in told]

    start = "state=failed and (opt"
    assert offered("list", "--where", start) == [f"{start}im.", f"{start}im"]
    assert offered("list", "--where", "not state=f") == ["not state=failed"]
    assert offered("list", "--sort", "-created") == ["-created_at"]
    assert offered("list", "--sort=-optim.") == ["--sort=-optim.lr"]
    assert offered("compare", "--sort", "-opt") == ["-optim.", "-optim"]
