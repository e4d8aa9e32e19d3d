"""`worker.py -- ARGV...`: a command line as one rank."""
# The class of the fixture `job` is in conftest.py, which nothing can import.

import os
import signal
from typing import Any

RANK = {"RANK": "1", "NEMORUN_RANK_LOGS": "1"}


def test_a_command_runs_as_a_rank_with_its_own_log(job: Any) -> None:
    ended = job.run(
        None, "--", "sh", "-c", 'echo "$1"; echo err >&2', "sh", "$(x) 'y'\n\xe9", **RANK
    )

    assert (ended.returncode, ended.stdout) == (0, "")
    assert job.log("1.log") == "$(x) 'y'\n\xe9\nerr\n"
    assert job.failure() is None


def test_its_exit_code_passes_through_and_is_told_of(job: Any) -> None:
    ended = job.run(None, "--", "sh", "-c", "exit 5", **RANK)

    assert ended.returncode == 5
    failure = job.failure()
    assert (failure["rank"], failure["kind"], failure["exit_code"]) == (1, "exit", 5)
    assert failure["message"] == "exit code 5"


def test_the_signal_that_ended_it_is_told_of(job: Any) -> None:
    ended = job.run(None, "--", "sh", "-c", "kill -SEGV $$", **RANK)

    assert ended.returncode == 128 + signal.SIGSEGV
    assert job.failure()["message"] == "ended by SIGSEGV"


def test_a_command_that_is_not_there_is_named(job: Any) -> None:
    ended = job.run(None, "--", "no such command", **RANK)

    assert ended.returncode == 127
    assert job.failure()["message"].startswith("cannot run 'no such command': No such file")
    assert job.log("1.log").startswith("nemorun: cannot run 'no such command'")


def test_a_command_that_may_not_run_is_named(job: Any) -> None:
    ended = job.run(None, "--", str(job.folder), **RANK)

    assert ended.returncode == 126
    assert "Permission denied" in job.failure()["message"]


def test_without_a_command_it_says_how_it_is_used(job: Any) -> None:
    ended = job.run(None, "--")

    assert (ended.returncode, ended.stderr) == (2, "usage: worker.py [-- COMMAND [ARGUMENT]...]\n")


def signalled(job: Any, script: str, *numbers: int) -> int:
    """The exit code of a command that gets signals once it says that it is ready."""
    ready = job.folder / "ready"
    os.mkfifo(ready)
    with job.start(None, "--", "sh", "-c", script, "sh", str(ready), **RANK) as process:
        ready.read_text()
        for number in numbers:
            process.send_signal(number)
        code: int = process.wait(timeout=30)
    return code


def test_term_reaches_the_command_and_leaves_no_failure(job: Any) -> None:
    code = signalled(job, 'echo >"$1"; exec sleep 60', signal.SIGTERM)

    assert code == 128 + signal.SIGTERM
    assert job.failure() is None


def test_a_command_may_answer_term_in_its_own_way(job: Any) -> None:
    script = 'trap "echo saved; exit 9" TERM; echo >"$1"; while :; do sleep 0.05; done'

    assert signalled(job, script, signal.SIGTERM) == 9

    assert job.log("1.log") == "saved\n"
    assert job.failure() is None


def test_a_warning_signal_reaches_the_command_and_ends_nothing(job: Any) -> None:
    script = 'trap "echo warned; exit 0" USR2; echo >"$1"; while :; do sleep 0.05; done'

    assert signalled(job, script, signal.SIGUSR2) == 0

    assert job.log("1.log") == "warned\n"


def test_a_command_gets_the_signals_that_python_ignores(job: Any) -> None:
    job.run(None, "--", "grep", "SigIgn", "/proc/self/status", **RANK)

    ignored = int(job.log("1.log").split()[1], 16)
    assert not ignored & (1 << (signal.SIGPIPE - 1) | 1 << (signal.SIGXFSZ - 1))
