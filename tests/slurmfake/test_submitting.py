"""Handing jobs to Slurm: exactly once, whatever breaks on the way and whoever dies."""

import os
import random
import secrets
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from nemorun_cli.core.errors import NemorunError, NotSentError, RefusedError, UnreachableError
from nemorun_cli.core.jobs import JobSpec
from nemorun_cli.core.ports import Tunnel
from nemorun_cli.slurm.asking import SlurmResources
from nemorun_cli.slurm.submitting import Submission, packed
from nemorun_cli.testing import HOSTILE, new_spec
from nemorun_cli.tunnels.local import LocalTunnel
from tests.conftest import Nemorun
from tests.slurmfake.tunnels import SHELLS, Breaking, Shell, Through
from tests.slurmfake.world import REFUSED, SILENT, TIMED_OUT, World

ROUNDS = int(os.environ.get("NEMORUN_CHAOS_ROUNDS", "200"))
SEED = int(os.environ.get("NEMORUN_CHAOS_SEED", "1"))
LOST: dict[str, Any] = {"act": True, "mute": True, "err": TIMED_OUT, "code": 1}
"""A call whose job is taken, but which does not get to know."""
UNHEARD: dict[str, Any] = {"err": TIMED_OUT, "code": 1}


@pytest.fixture(params=SHELLS)
def way(request: pytest.FixtureRequest) -> Shell:
    return Shell(shell=SHELLS[request.param])


@pytest.fixture
def executor(world: World, tmp_path: Path) -> Through:
    world.set(faults={})
    return Through(job_dir=str(tmp_path / "jobs"), queries=str(tmp_path / "queries"), way=Shell())


def old_spec(*argv: str, **fields: Any) -> JobSpec:
    """A job of a run that was launched so long ago that `find` has the last word."""
    spec = new_spec(*argv, **fields)
    run_id = f"20200101-000000-{spec.run_id[-8:]}"
    return replace(spec, run_id=run_id, key=f"{run_id}-1")


def submission(executor: Through, spec: JobSpec) -> Submission:
    return Submission(
        plan=executor.plan(spec),
        secrets=spec.secrets,
        key=spec.key,
        folder=executor.job_dir,
        cluster=None,
        nonce=secrets.token_hex(8),
        pause=0,
    )


def submit(executor: Through, spec: JobSpec, way: Tunnel | None = None) -> str:
    return submission(executor, spec).made(way or executor.way)


def breaking(way: Tunnel, *hows: str) -> Breaking:
    """A way that breaks on its first trips as told, and holds from then on."""
    left = list(hows)
    return Breaking(way=way, breaks=lambda: left.pop(0) if left else "")


def test_all_is_well(executor: Through, world: World, way: Shell) -> None:
    spec = new_spec("true")

    native = submit(executor, spec, way)

    (job,) = world.jobs()
    assert (native, job["comment"]) == (job["id"], f"nemorun:{spec.key}")
    assert len(world.calls("sbatch")) == 1
    assert world.calls("squeue") == []


@pytest.mark.parametrize(
    "fault",
    [
        LOST,
        {**LOST, "err": REFUSED},
        {**LOST, "err": "", "code": 124},
        {**LOST, "err": "", "code": 0},
        {**LOST, "err": "", "code": 0, "out": "have a nice day\n"},
        {"act": True, "die": True},
        {"act": True, "mute": True, "hang": 30},
    ],
    ids=["timed out", "refused", "killed", "silent", "chatty", "host lost", "hanging"],
)
def test_a_job_that_was_taken_is_not_handed_over_again(
    executor: Through, world: World, way: Shell, fault: dict[str, Any]
) -> None:
    world.set_timeout(0.5 if "hang" in fault else 5)
    world.next_calls("sbatch", fault)

    native = submit(executor, new_spec("true"), way)

    assert [job["id"] for job in world.jobs()] == [native]
    assert len(world.calls("sbatch")) == 1


@pytest.mark.parametrize(
    "fault",
    [UNHEARD, {"code": 124}, {"die": True}, {"hang": 30}],
    ids=["timed out", "killed", "host lost", "hanging"],
)
def test_a_job_that_was_not_taken_is_handed_over_again(
    executor: Through, world: World, way: Shell, fault: dict[str, Any]
) -> None:
    world.set_timeout(0.5 if "hang" in fault else 5)
    world.next_calls("sbatch", fault, fault)

    native = submit(executor, new_spec("true"), way)

    assert [job["id"] for job in world.jobs()] == [native]
    assert len(world.calls("sbatch")) == 3


def test_while_nobody_can_say_whether_it_was_taken_nothing_is_handed_over(
    executor: Through, world: World
) -> None:
    world.next_calls("sbatch", LOST)
    world.next_calls("squeue", *[{"err": SILENT, "code": 1}] * 3)

    native = submit(executor, new_spec("true"))

    assert [job["id"] for job in world.jobs()] == [native]
    assert len(world.calls("sbatch")) == 1


def test_a_controller_that_stays_silent_is_told_of_and_the_run_stays_open(
    executor: Through, world: World
) -> None:
    world.set(controller=SILENT)

    with pytest.raises(UnreachableError, match="does not say whether") as found:
        submit(executor, new_spec("true"))

    assert "never started twice" in found.value.hint
    assert world.jobs() == []


@pytest.mark.parametrize("how", ["before", "after"])
def test_a_connection_that_breaks_costs_a_trip_and_no_job(
    executor: Through, world: World, way: Shell, how: str
) -> None:
    native = submit(executor, new_spec("true"), breaking(way, how, how))

    assert [job["id"] for job in world.jobs()] == [native]
    assert len(world.calls("sbatch")) == 1


def test_an_answer_that_was_lost_is_found_below_the_site_s_banner(
    executor: Through, world: World, way: Shell
) -> None:
    world.set(banners=("Welcome!\n99 bottles\n", "Balance: 12 hours\n"), names_cluster=True)

    native = submit(executor, new_spec("true"), breaking(way, "after"))

    assert native == f"{world.jobs()[0]['id']};fake"


def test_a_login_node_without_a_home_gives_the_job_none(
    executor: Through, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HOME")

    submit(executor, new_spec("true"), Shell())

    (job,) = world.jobs()
    assert "HOME" not in job["env"]


def test_a_host_that_was_never_reached_has_no_job(executor: Through, world: World) -> None:
    with pytest.raises(NotSentError):
        submit(executor, new_spec("true"), breaking(executor.way, "unsent"))

    assert world.calls("sbatch") == []


def test_a_host_that_is_not_reached_later_may_have_it(executor: Through, world: World) -> None:
    native = submit(executor, new_spec("true"), breaking(executor.way, "after", "unsent"))

    assert [job["id"] for job in world.jobs()] == [native]


@pytest.mark.parametrize("secret", [{}, {"TOKEN": "canary"}], ids=["plain", "with a secret"])
def test_a_refusal_leaves_no_job_and_no_secret(
    executor: Through, world: World, way: Shell, secret: dict[str, str]
) -> None:
    spec = new_spec("true", secrets=secret)
    world.next_calls("sbatch", {"err": REFUSED, "code": 1})

    with pytest.raises(RefusedError, match="Invalid account") as found:
        submit(executor, spec, way)

    assert "-x account=" in found.value.hint
    assert world.jobs() == []
    assert "canary" not in texts_below(Path(executor.job_dir))


def test_a_folder_that_cannot_be_written_is_a_refusal(executor: Through, world: World) -> None:
    nowhere = replace(executor, job_dir="/dev/null/jobs")

    with pytest.raises(RefusedError, match="cannot write the job's folder") as found:
        submit(nowhere, new_spec("true"))

    assert "job_dir" in found.value.hint
    assert world.calls("sbatch") == []


def test_a_package_that_was_cut_short_is_no_job(executor: Through, world: World) -> None:
    spec = new_spec("true", secrets={"TOKEN": "canary"})
    whole = len(packed(executor.plan(spec), spec.secrets))
    lengths = [*range(0, whole, 512), *range(1, whole, 4099)]
    cut = Cutting(executor.way, lengths)

    for _ in lengths:
        with pytest.raises(NemorunError):
            submission(executor, spec)._trip(cut)
    native = submit(executor, spec)

    assert [job["id"] for job in world.jobs()] == [native]
    assert (Path(executor.job_dir) / spec.key / "secrets").read_text() == "export TOKEN=canary\n"


def test_two_who_submit_the_same_are_given_the_same(
    executor: Through, world: World, way: Shell
) -> None:
    spec = new_spec("true")

    with ThreadPoolExecutor(4) as pool:
        natives = set(pool.map(lambda _: submit(executor, spec, way), range(4)))

    assert natives == {job["id"] for job in world.jobs()}
    assert len(world.calls("sbatch")) == 1


def test_trips_that_learn_at_once_that_there_is_no_job_hand_over_one(
    executor: Through, world: World, way: Shell
) -> None:
    world.next_calls("sbatch", {"die": True})
    world.next_calls("squeue", *[{"act": True, "hang": 0.4}] * 6)
    same = submission(executor, new_spec("true"))
    with pytest.raises(UnreachableError):
        same._trip(way)

    with ThreadPoolExecutor(6) as pool:
        natives = set(pool.map(lambda _: same.made(way), range(6)))

    assert natives == {job["id"] for job in world.jobs()}
    assert len(world.jobs()) == 1


def test_a_job_whose_submitter_died_is_adopted(executor: Through, world: World, way: Shell) -> None:
    spec = old_spec("true")
    world.next_calls("sbatch", {"act": True, "die": True})
    with pytest.raises(UnreachableError):
        submission(executor, spec)._trip(way)

    handle = replace(executor, way=way).find(spec.key)

    (job,) = world.jobs()
    assert handle is not None
    assert (handle.native_id, handle.key) == (job["id"], spec.key)


@pytest.mark.parametrize("faults", [[], [{"die": True}]], ids=["never begun", "killed"])
def test_a_job_that_was_never_taken_never_will_be(
    executor: Through, world: World, way: Shell, faults: list[dict[str, Any]]
) -> None:
    spec = old_spec("true")
    late = submission(executor, spec)
    world.next_calls("sbatch", *faults)
    for _ in faults:
        with pytest.raises(UnreachableError):
            late._trip(way)

    found = replace(executor, way=way).find(spec.key)

    assert found is None
    with pytest.raises(RefusedError, match="given up"):
        late.made(way)
    with pytest.raises(RefusedError, match="given up"):
        submit(executor, spec, way)
    assert world.jobs() == []
    assert replace(executor, way=way).find(spec.key) is None


def test_a_young_run_that_is_not_found_may_still_be_submitted(
    executor: Through, world: World, way: Shell
) -> None:
    spec = new_spec("true")

    before = replace(executor, way=way).find(spec.key)
    native = submit(executor, spec, way)

    assert before is None
    assert [job["id"] for job in world.jobs()] == [native]


@pytest.mark.parametrize("command", ["sbatch", "scontrol"])
def test_while_a_script_is_at_it_nothing_is_final(
    executor: Through, world: World, until: Callable[[Callable[[], bool]], None], command: str
) -> None:
    spec = old_spec("true")
    world.next_calls(command, {"act": True, "hang": 1.5})
    natives: list[str] = []
    busy = threading.Thread(target=lambda: natives.append(submit(executor, spec)))
    busy.start()
    until(lambda: bool(world.calls(command)))

    try:
        found = executor.find(spec.key)
    except UnreachableError:
        found = None
        final = False
    else:
        final = found is None

    busy.join()
    assert [job["id"] for job in world.jobs()] == natives
    assert not (final and natives)


def test_another_process_of_the_same_number_is_not_at_it(
    executor: Through, world: World, way: Shell
) -> None:
    spec = old_spec("true")
    folder = Path(executor.job_dir, spec.key)
    folder.mkdir(parents=True)
    (folder / "token.1").write_text(f"{os.uname().nodename} {os.getpid()} nonce @token\n")

    found = replace(executor, way=way).find(spec.key)

    assert found is None
    assert world.jobs() == []


def test_an_sbatch_whose_script_was_killed_is_still_at_it(executor: Through, world: World) -> None:
    spec = old_spec("true")
    world.next_calls("sbatch", {"hang": 1.5, "code": 1})
    late = threading.Thread(target=lambda: lost(submission(executor, spec), executor.way))
    late.start()
    wait_for(lambda: bool(world.calls("sbatch")))
    _, pid, _ = (Path(executor.job_dir, spec.key) / "token.1").read_text().split(" ", 2)
    os.kill(int(pid), signal.SIGKILL)

    with pytest.raises(UnreachableError, match="does not say"):
        executor.find(spec.key)

    late.join()
    wait_for(lambda: not lost_by(executor, spec.key))
    assert executor.find(spec.key) is None


def lost(sent: Submission, way: Tunnel) -> None:
    with suppress(UnreachableError):
        sent._trip(way)


def lost_by(executor: Through, key: str) -> bool:
    """Whether it cannot be said what became of the job."""
    try:
        executor.find(key)
    except UnreachableError:
        return True
    return False


def test_nobody_gives_up_what_slurm_is_silent_about(executor: Through, world: World) -> None:
    spec = old_spec("true")
    world.next_calls("sbatch", {"act": True, "die": True})
    with pytest.raises(UnreachableError):
        submission(executor, spec)._trip(executor.way)
    world.set(controller=SILENT)

    with pytest.raises(UnreachableError, match="Unable to contact slurm controller"):
        executor.find(spec.key)

    world.set(controller="")
    assert executor.find(spec.key) is not None


def test_a_job_on_another_cluster_is_found_there(executor: Through, world: World) -> None:
    spec = old_spec("true", resources=SlurmResources(clusters="alpha,beta"))
    lost = replace(submission(executor, spec), cluster="alpha,beta")
    world.next_calls("sbatch", {"act": True, "die": True})
    with pytest.raises(UnreachableError):
        lost._trip(executor.way)

    handle = executor.find(spec.key)

    assert handle is not None
    assert handle.native_id == f"{world.jobs()[0]['id']};beta"
    assert lost.made(executor.way) == handle.native_id


def test_a_job_that_has_left_the_queue_is_found_by_what_it_wrote(
    executor: Through, world: World
) -> None:
    spec = old_spec("true")
    world.set(runs=True, min_job_age=0.0)
    world.next_calls("sbatch", {"act": True, "die": True})
    with pytest.raises(UnreachableError):
        submission(executor, spec)._trip(executor.way)
    (job,) = world.jobs()
    folder = Path(executor.job_dir, spec.key)
    wait_for((folder / "exit.json").exists)

    handle = executor.find(spec.key)

    assert handle is not None
    assert handle.native_id == job["id"]


def test_a_job_with_a_longer_name_is_another_one(executor: Through, world: World) -> None:
    spec = old_spec("true")
    world.next_calls("sbatch", {"die": True})
    with pytest.raises(UnreachableError):
        submission(executor, spec)._trip(executor.way)
    world.add(
        id="7", name="nemorun-x", comment=f"nemorun:{spec.key}7", states=[(0.0, "RUNNING", "")]
    )

    assert executor.find(spec.key) is None


def test_sbatch_is_told_nothing_of_an_outer_job(
    executor: Through, world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    venv = tmp_path / "venv"
    for name in ("SLURM_JOB_ID", "SBATCH_ACCOUNT", "SLURM_CPU_BIND", "PMIX_RANK", "SQUEUE_FORMAT"):
        monkeypatch.setenv(name, "outer")
    monkeypatch.setenv("SLURM_CONF", "/site/slurm.conf")
    monkeypatch.setenv("VIRTUAL_ENV", str(venv))
    monkeypatch.setenv("PATH", f"{venv}/bin:{world.path}")

    submit(executor, new_spec("true"))

    given = world.jobs()[0]["env"]
    assert given["SLURM_CONF"] == "/site/slurm.conf"
    assert str(venv) not in given["PATH"]
    assert "outer" not in given.values()


def test_hostile_text_arrives_at_sbatch_byte_for_byte(
    executor: Through, world: World, way: Shell, tmp_path: Path
) -> None:
    text = "".join(HOSTILE)
    spec = new_spec("true", resources=SlurmResources(account=text, comment=text, nodelist="-x"))
    spread = replace(executor, job_dir=str(tmp_path / "it's a $folder"))

    submit(spread, spec, way)

    (job,) = world.jobs()
    assert tuple(job["argv"]) == spread.plan(spec).commands[0][1:]
    assert Path(job["script"]).read_text() == spread.plan(spec).files["job.sh"]


def test_sbatch_that_only_a_login_shell_finds_is_found(
    executor: Through, world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shell = tmp_path / "login-shell"
    shell.write_text(f'#!/bin/sh\nPATH={world.path}\nshift\nexec sh -c "$@"\n')
    shell.chmod(0o755)
    monkeypatch.setenv("SHELL", str(shell))
    monkeypatch.setenv("PATH", str(without_slurm(tmp_path)))

    submit(executor, new_spec("true"), LocalTunnel(needs=("sbatch",)))

    assert len(world.jobs()) == 1


def test_whatever_breaks_there_is_one_job(executor: Through, world: World) -> None:
    for number in range(ROUNDS):
        chaos = random.Random(SEED * 10_000 + number)  # noqa: S311
        world.set(faults=scripted(chaos), jobs=[])
        spec = old_spec("true")
        sent = submission(executor, spec)
        hows = chaos.choices(["", "before", "after"], [6, 1, 2], k=chaos.randrange(4))
        way = breaking(executor.way, *hows)

        try:
            native: str | None = sent.made(way)
        except (RefusedError, UnreachableError) as error:
            world.set(faults={})
            handle = executor.find(spec.key)
            native = handle.native_id if handle else None
            assert native is None or not isinstance(error, RefusedError), number
            if handle is None:
                with pytest.raises(RefusedError):
                    sent._trip(executor.way)

        assert [job["id"] for job in world.jobs()] == ([native] if native else []), number


def scripted(chaos: random.Random) -> dict[str, Any]:
    """What the next calls of each command shall do."""
    taken: dict[str, Any] = {"act": True, "mute": True}
    mishaps: list[dict[str, Any] | None] = [
        *(None, UNHEARD, LOST, {"code": 124}, {**taken, "code": 124}, {"die": True}),
        *({**taken, "die": True}, {**taken, "code": 0}, {"act": True, "out": "Hello\n"}),
        *({**LOST, "err": REFUSED}, {"err": REFUSED, "code": 1}, {"act": True, "code": 1}),
    ]
    silent: dict[str, Any] = {"err": SILENT, "code": 1}
    return {
        "sbatch": chaos.choices(mishaps, k=chaos.randrange(1, 5)),
        "squeue": chaos.choices([None, silent, {"die": True}], [4, 2, 1], k=chaos.randrange(4)),
        "scontrol": chaos.choices([None, silent, {"die": True}], [8, 2, 1], k=chaos.randrange(3)),
    }


def test_a_refusal_is_told_and_recorded(nemorun: Nemorun, world: World) -> None:
    nemorun.env["PATH"] = world.path
    world.next_calls("sbatch", {"err": REFUSED, "code": 1})

    done = nemorun("launch", "-e", "slurm", "--secret", "KEY", "command", "true", KEY="canary")

    assert done.code == 3
    assert "Invalid account" in done.err
    assert "-x account=" in done.err
    assert nemorun.state("last") == "FAILED"
    assert "canary" not in texts_below(nemorun.store)


def test_where_there_is_no_sbatch_the_launch_says_so(
    nemorun: Nemorun, world: World, tmp_path: Path
) -> None:
    shell = tmp_path / "login-shell"
    shell.write_text('#!/bin/sh\nshift\nexec sh -c "$@"\n')
    shell.chmod(0o755)
    nemorun.env.update(PATH=str(without_slurm(tmp_path)), SHELL=str(shell))

    done = nemorun("launch", "-e", "slurm", "command", "true")

    assert done.code == 3
    assert "nemorun doctor slurm" in done.err
    assert nemorun.state("last") == "FAILED"
    assert world.calls("sbatch") == []


class Cutting:
    """A way on which only the first bytes of what is sent arrive, each time as many as is said."""

    host = "far"

    def __init__(self, way: Tunnel, lengths: list[int]) -> None:
        self.run: Any = partial(self._run, way, iter(lengths))

    @staticmethod
    def _run(way: Tunnel, lengths: Iterator[int], script: str, **words: Any) -> Any:
        return way.run(script, **{**words, "data": words["data"][: next(lengths)]})


def wait_for(true: Callable[[], bool]) -> None:
    from nemorun_cli.watching import nap

    for _ in range(500):
        if true():
            return
        nap(0.02)
    raise AssertionError("it did not come true")


def texts_below(folder: Path) -> str:
    files = (path for path in folder.rglob("*") if path.is_file())
    return "".join(path.read_text(errors="replace") for path in files)


def without_slurm(tmp_path: Path) -> Path:
    """A folder with this machine's programs, but for Slurm's."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for place in ("/usr/bin", "/bin"):
        for program in Path(place).iterdir():
            ours = program.name in ("sbatch", "squeue", "sacct", "scancel", "scontrol", "srun")
            if not ours and not (tools / program.name).exists():
                (tools / program.name).symlink_to(program)
    return tools
