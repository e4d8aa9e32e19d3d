"""What the worker makes of a config.json, under this Python and the oldest there is."""
# The class of the fixture `job` is in conftest.py, which nothing can import.

import os
import signal
import stat
from typing import Any

PARTIAL = {"_target_": "mine:main", "_kind_": "partial"}


def test_a_partial_is_built_and_called(job: Any) -> None:
    job.code(mine="def main(*given, **named): print(given, sorted(named.items()))")

    ended = job.run({**PARTIAL, "_args_": [1, "two"], "lr": 0.1, "tags": {"a": [None, True]}})

    assert ended.stdout == "(1, 'two') [('lr', 0.1), ('tags', {'a': [None, True]})]\n"
    assert ended.returncode == 0
    assert job.failure() is None


def test_building_a_config_is_the_run(job: Any) -> None:
    job.code(mine="def main(x): print('ran with', x)")

    ended = job.run({"_target_": "mine:main", "_kind_": "config", "x": 3})

    assert ended.stdout == "ran with 3\n"


def test_text_arrives_byte_for_byte(job: Any) -> None:
    job.code(mine="import sys\ndef main(text): sys.stdout.write(ascii(text))")
    hostile = "$(touch x) `y` 'q' \"d\" \n\t\r é漢🙂 \udc80 " + "z" * 100_000

    ended = job.run({**PARTIAL, "text": hostile})

    assert ended.stdout == ascii(hostile)


def test_a_file_of_the_code_is_a_target(job: Any) -> None:
    (job.folder / "code" / "sub dir").mkdir()
    (job.folder / "code" / "sub dir" / "my-train.py").write_text(
        "class Outer:\n    @staticmethod\n    def main(): print('found')\n"
    )

    ended = job.run({"_target_": "sub dir/my-train.py:Outer.main", "_kind_": "partial"})

    assert (ended.stdout, ended.stderr) == ("found\n", "")


def test_a_file_named_like_a_standard_module_is_still_found(job: Any) -> None:
    job.code(json="def main(): print(__name__, 'of the user')")

    ended = job.run({"_target_": "json.py:main", "_kind_": "partial"})

    assert ended.stdout == "nemorun_file_json of the user\n"


def test_a_file_and_an_import_of_it_are_one_module(job: Any) -> None:
    job.code(mine="import sys\nclass A: pass\ndef main(a): print(type(a) is sys.modules['mine'].A)")

    ended = job.run({**PARTIAL, "a": {"_target_": "mine.py:A", "_kind_": "config"}})

    assert ended.stdout == "True\n"


def test_the_users_code_comes_first_and_the_workers_own_folder_not_at_all(job: Any) -> None:
    job.code(
        mine="import sys, builder, worker\n"
        "def main(folder): print(sys.path[0], sys.path[-1], folder in sys.path, sep='\\n')",
        builder="",
        worker="",
    )
    shim = str(job.folder / "shim")

    ended = job.run({**PARTIAL, "folder": str(job.folder)})

    assert ended.stdout == f"{job.folder / 'code'}\n{shim}\nFalse\n"


def test_without_a_code_folder_the_current_one_is_searched(job: Any) -> None:
    (job.folder / "work" / "mine.py").write_text("def main(): print('here')")

    assert job.run(PARTIAL, NEMORUN_CODE_DIR="").stdout == "here\n"


def test_output_can_be_followed_line_by_line(job: Any) -> None:
    job.code(mine="import signal\ndef main():\n    print('one')\n    signal.pause()")

    with job.start(PARTIAL) as process:
        first = process.stdout.readline()
        process.kill()

    assert first == "one\n"


def test_an_exception_shows_the_users_frames_alone(job: Any) -> None:
    job.code(mine="def main():\n    inner()\ndef inner():\n    raise ValueError('no good')")

    ended = job.run(PARTIAL)

    assert ended.returncode == 1
    lines = ended.stderr.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[-1] == "ValueError: no good"
    assert "in main" in lines[1]
    assert "worker.py" not in ended.stderr
    failure = job.failure()
    assert failure.pop("time") > 1_600_000_000
    assert failure == {
        "rank": 0,
        "node": 0,
        "host": None,
        "kind": "exception",
        "exit_code": 1,
        "message": "ValueError: no good",
        "attempt": 1,
    }


def test_an_error_while_building_names_the_place_in_the_config(job: Any) -> None:
    job.code(mine="def main(**_): pass\ndef optim(lr): raise ValueError(f'lr {lr}')")
    optim = {"_target_": "mine:optim", "_kind_": "config", "lr": -1}

    ended = job.run({**PARTIAL, "model": {"_target_": "builtins:dict", "parts": [1, optim]}})

    assert "nemorun: this was while building 'model.parts[1]' of the config" in ended.stderr
    assert job.failure()["message"] == "ValueError: lr -1 (while building 'model.parts[1]')"


def test_a_missing_module_is_an_import_error(job: Any) -> None:
    job.code(mine="import no_such_thing")

    ended = job.run(PARTIAL)

    assert ended.returncode == 1
    assert "mine.py" in ended.stderr
    assert "importlib" not in ended.stderr
    assert job.failure()["kind"] == "import_error"
    assert job.failure()["message"] == "ModuleNotFoundError: No module named 'no_such_thing'"


def test_a_target_that_is_not_there_is_an_import_error(job: Any) -> None:
    job.code(mine="")

    ended = job.run(PARTIAL)

    assert ended.stderr == "ImportError: no 'main' in 'mine'\n"
    assert job.failure()["kind"] == "import_error"


def test_an_exit_code_passes_through(job: Any) -> None:
    job.code(mine="import sys\ndef main(code): sys.exit(code)")

    assert job.run({**PARTIAL, "code": 0}).returncode == 0
    assert job.failure() is None
    ended = job.run({**PARTIAL, "code": 7})
    assert ended.returncode == 7
    assert ended.stderr == ""
    assert (job.failure()["kind"], job.failure()["exit_code"]) == ("exit", 7)
    ended = job.run({**PARTIAL, "code": "words"}, NEMORUN_ATTEMPT="2")
    assert (ended.returncode, ended.stderr) == (1, "words\n")
    assert job.failure(2)["message"] == "SystemExit: words"


def test_the_first_failure_of_an_attempt_stays(job: Any) -> None:
    job.code(mine="def main(text): raise ValueError(text)")

    job.run({**PARTIAL, "text": "first"})
    job.run({**PARTIAL, "text": "second"})
    job.run({**PARTIAL, "text": "third"}, NEMORUN_ATTEMPT="2")

    assert job.failure()["message"] == "ValueError: first"
    assert job.failure(2)["message"] == "ValueError: third"


def test_a_failure_that_cannot_be_noted_keeps_its_exit_code(job: Any) -> None:
    job.code(mine="def main(): raise ValueError")
    (job.folder / "logs").write_text("in the way")

    assert job.run(PARTIAL).returncode == 1


def test_an_error_whose_text_cannot_be_shown_is_noted_too(job: Any) -> None:
    job.code(
        mine="class Odd(Exception):\n    def __str__(self): raise ValueError\ndef main(): raise Odd"
    )

    assert job.run(PARTIAL).returncode == 1
    assert job.failure()["message"] == "Odd: (its text cannot be shown)"


def ended_by(process: Any, number: int) -> int:
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    code: int = process.wait(timeout=30)
    return code


def test_a_rank_ended_by_term_leaves_no_failure(job: Any) -> None:
    job.code(mine="import signal\ndef main():\n    print('ready')\n    signal.pause()")

    with job.start(PARTIAL) as process:
        assert ended_by(process, signal.SIGTERM) == -signal.SIGTERM

    assert job.failure() is None


def test_a_handler_of_the_users_may_answer_term(job: Any) -> None:
    job.code(
        mine="import signal, sys\n"
        "def main():\n"
        "    signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))\n"
        "    print('ready')\n    signal.pause()"
    )

    with job.start(PARTIAL) as process:
        assert ended_by(process, signal.SIGTERM) == 3

    assert job.failure() is None


def test_an_interrupted_rank_ends_by_the_signal(job: Any) -> None:
    job.code(mine="import signal\ndef main():\n    print('ready')\n    signal.pause()")

    with job.start(PARTIAL) as process:
        assert ended_by(process, signal.SIGINT) == -signal.SIGINT

    assert job.failure() is None


def test_a_config_that_cannot_be_read_says_so(job: Any) -> None:
    (job.folder / "config.json").write_text("{")

    ended = job.run(None)

    assert ended.returncode == 1
    assert ended.stderr.startswith(f"ValueError: {str(job.folder / 'config.json')!r} cannot be")
    assert "Traceback" not in ended.stderr


def test_each_rank_writes_to_its_own_log(job: Any) -> None:
    job.code(
        mine="import os, sys, subprocess\n"
        "def main():\n"
        "    print('out of', os.environ['RANK'])\n"
        "    subprocess.run(['echo', 'a child'], check=True)\n"
        "    sys.stderr.write('err\\n')"
    )

    for rank in ("0", "1", "0"):
        ended = job.run(PARTIAL, RANK=rank, NEMORUN_RANK_LOGS="1", NEMORUN_ATTEMPT="2")
        assert (ended.stdout, ended.stderr, ended.returncode) == ("", "", 0)

    assert job.log("0.log", 2) == "out of 0\na child\nerr\n" * 2
    assert job.log("1.log", 2) == "out of 1\na child\nerr\n"
    mode = os.stat(job.folder / "logs" / "2" / "1.log").st_mode  # noqa: PTH116
    assert stat.S_IMODE(mode) == 0o600


def test_streams_can_have_a_file_each(job: Any) -> None:
    job.code(mine="import sys\ndef main():\n    print('out')\n    sys.stderr.write('err\\n')")

    job.run(PARTIAL, RANK="3", NEMORUN_RANK_LOGS="2")

    assert (job.log("3.log"), job.log("3.err")) == ("out\n", "err\n")


def test_a_rank_that_is_killed_outright_is_told_of(job: Any) -> None:
    job.code(mine="import os, signal\ndef main(): os.kill(os.getpid(), signal.SIGKILL)")

    ended = job.run(PARTIAL, RANK="1", NEMORUN_NODE_RANK="2", NEMORUN_RANK_LOGS="1")

    assert ended.returncode == 137
    failure = job.failure()
    assert (failure["rank"], failure["node"]) == (1, 2)
    assert (failure["kind"], failure["message"]) == ("signal", "ended by SIGKILL")


def test_a_failing_rank_is_told_of_in_its_own_words(job: Any) -> None:
    job.code(mine="def main(): raise ValueError('mine')")

    ended = job.run(PARTIAL, RANK="1", NEMORUN_RANK_LOGS="1")

    assert ended.returncode == 1
    assert job.failure()["message"] == "ValueError: mine"
    assert "ValueError: mine" in job.log("1.log")
