"""A run travels as one file, and is all there where it arrives."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import NEMORUN, Nemorun
from tests.unit.archives.test_hostile_archives import Forger

MEBIBYTE = 2**20


@pytest.fixture
def elsewhere(tmp_path: Path) -> Nemorun:
    """The command on a machine that has never seen the project."""
    for name in ("their-home", "their-folder"):
        (tmp_path / name).mkdir()
    return Nemorun(home=tmp_path / "their-home", cwd=tmp_path / "their-folder")


def shown(nemorun: Nemorun, run_id: str) -> dict[str, Any]:
    run: dict[str, Any] = json.loads(nemorun.ok("show", run_id, "--json"))["run"]
    return run


def test_a_run_gives_the_same_where_nothing_of_it_is_known(
    tiny: Nemorun, elsewhere: Nemorun, project: Path, tmp_path: Path
) -> None:
    run_id = tiny.ok("launch", "--wait", "tiny", "optim.lr=0.5", "steps=4", "--tag", "paper")
    before, output = shown(tiny, run_id), tiny.ok("logs", run_id)
    tracked = tiny.ok("metrics", run_id)
    path = tiny.ok("export", run_id, "-o", str(tmp_path / "x.nrz"))
    shutil.rmtree(project)
    tiny.store.rename(tmp_path / "away")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)

    assert elsewhere.ok("import", path) == run_id
    untrusted = elsewhere("rerun", run_id)
    again = elsewhere.ok(
        *("rerun", run_id, "--trust", "--wait", "-x", f"python={tmp_path / 'bare/bin/python'}")
    )

    assert (untrusted.code, untrusted.out) == (2, "")
    assert "--trust" in untrusted.err
    imported, repeated = shown(elsewhere, run_id), shown(elsewhere, again)
    told = ("metrics", "config", "config_hash", "overrides", "code_hash", "state")
    for name in told:
        assert imported[name] == repeated[name] == before[name]
    for name in ("tags", "attempts", "events", "plan", "created_at", "host"):
        assert imported[name] == before[name]
    assert repeated["parent"] == run_id
    assert elsewhere.ok("logs", run_id) == elsewhere.ok("logs", again) == output
    assert elsewhere("diff", run_id, again, "--only", "config", "--only", "code").code == 0
    assert elsewhere.ok("metrics", run_id) == tracked
    assert imported["imported"]["archive"] == "x.nrz"
    assert repeated["imported"] is None


def test_an_imported_run_is_reproduced_only_if_it_is_trusted(
    tiny: Nemorun, elsewhere: Nemorun, project: Path
) -> None:
    run_id = tiny.ok("launch", "--wait", "tiny")
    path = tiny.ok("export", run_id, "-o", str(project.parent / "x.nrz"))
    shutil.rmtree(project)
    shutil.rmtree(tiny.store / "jobs")
    elsewhere.ok("import", path)

    untrusted = elsewhere("reproduce", run_id)
    shown = elsewhere.ok("reproduce", run_id, "--trust", "--environment", "here")

    assert (untrusted.code, untrusted.out) == (2, "")
    assert "--trust" in untrusted.err
    assert not (elsewhere.store / "environments").exists()
    assert shown.startswith(f"reproduced\t{run_id}")


def test_an_imported_run_is_read_like_any_other(
    nemorun: Nemorun, elsewhere: Nemorun, tmp_path: Path
) -> None:
    script = "echo 1st; [ $NEMORUN_ATTEMPT = 3 ] || exit 7"
    run_id = nemorun.ok("launch", "--wait", "-x", "retries=2", "command", "--", "sh", "-c", script)
    nemorun.ok("export", "last", "-o", str(tmp_path / "x.nrz"))
    shutil.rmtree(nemorun.store)

    elsewhere.ok("import", str(tmp_path / "x.nrz"))

    assert elsewhere.ok("list", "--quiet") == run_id
    assert elsewhere.ok("logs", "--follow") == "1st\n1st\n1st"
    assert elsewhere("wait", "last").code == 0
    assert len(shown(elsewhere, "last")["attempts"]) == 3
    logs = Path(elsewhere.ok("logs", "--path"))
    assert (logs / "3" / "0.log").read_text() == "1st\n"
    assert elsewhere.ok("verify", "last").count("ok\t") >= 5
    pulled = elsewhere("pull", "last", "*")
    assert (pulled.code, "pull them where it was launched" in pulled.err) == (4, True)
    elsewhere.ok("cancel", "last")
    elsewhere.ok("rm", "last")
    assert elsewhere.ok("list") == ""
    assert not logs.exists()


def test_several_runs_share_their_code_and_a_pipe(
    tiny: Nemorun, elsewhere: Nemorun, tmp_path: Path
) -> None:
    ids = [tiny.ok("launch", "--wait", "tiny", f"steps={n}") for n in (1, 2)]
    path = tmp_path / "piped.nrz"
    with path.open("wb") as file:
        subprocess.run(
            [NEMORUN, "export", *ids, "-o", "-"],
            env=tiny.environment(),
            cwd=tiny.cwd,
            stdout=file,
            check=True,
        )

    found = json.loads(elsewhere.ok("import", str(path), "--json"))

    assert [run["id"] for run in found["runs"]] == sorted(ids)
    assert len(list((elsewhere.store / "code").glob("[0-9a-f]*"))) == 1
    assert elsewhere.ok("import", str(path)).splitlines() == sorted(ids)
    assert "there already" in elsewhere("import", str(path)).err


@pytest.fixture
def changed(nemorun: Nemorun, project: Path) -> Path:
    """The file of a run whose code was not committed."""
    (project / "train.py").write_text("print('committed')\n")
    who = ("-c", "user.name=n", "-c", "user.email=n@example.org")
    for argv in (["init", "-q"], ["add", "."], [*who, "commit", "-qm", "first"]):
        subprocess.run(["git", *argv], cwd=project, env=nemorun.environment(), check=True)
    (project / "train.py").write_text("print('changed')\n")
    nemorun.ok("launch", "--wait", "command", "--", "python3", "train.py")
    return nemorun.cwd / nemorun.ok("export", "last")


def test_the_patch_of_code_that_was_not_committed_travels_along(
    nemorun: Nemorun, elsewhere: Nemorun, changed: Path
) -> None:
    path = changed

    elsewhere.ok("import", str(path))

    assert "+print('changed')" in elsewhere.ok("show", "--patch")
    assert elsewhere.ok("show", "--patch") == nemorun.ok("show", "--patch")
    assert elsewhere.ok("export", "last", "-o", "again.nrz")
    assert (elsewhere.cwd / "again.nrz").read_bytes() == path.read_bytes()
    for each in (nemorun, elsewhere):
        assert "ok\tpatch\t" in each.ok("verify", "last")
    assert "ok\tpatch\t" in elsewhere.ok("verify", "again.nrz")


def test_a_patch_that_does_not_make_the_code_is_told_and_not_taken(
    nemorun: Nemorun, elsewhere: Nemorun, changed: Path, tmp_path: Path
) -> None:
    forger = Forger(changed, tmp_path / "forged")
    (name,) = (each for each in forger.content if each.startswith("patches/"))
    forger.content[name] = forger.content[name].replace(b"+print('changed')", b"+print('nicer!!')")
    forged = str(forger.seal())
    kept = nemorun.store / "code/.patches" / name.removeprefix("patches/")
    kept.chmod(0o600)
    kept.write_bytes(forger.content[name])

    told = nemorun("verify", "last", PATH="/without-git")
    of_the_file = elsewhere("verify", forged, PATH="/without-git")
    taken = elsewhere("import", forged, PATH="/without-git")

    for each in (told, of_the_file):
        assert each.code == 1
        assert "train.py has other lines in the code" in each.out
        assert each.out.count("damaged\t") == 1
    assert taken.code == 3
    assert "does not make the code" in taken.err
    assert elsewhere.ok("list") == ""
    assert list((elsewhere.store / "code").glob("[0-9a-f]*")) == []


def test_code_that_was_left_out_is_not_here_and_nothing_is_damaged(
    nemorun: Nemorun, elsewhere: Nemorun, changed: Path
) -> None:
    nemorun.ok("export", "--no-code", "last", "-o", "bare.nrz")
    elsewhere.ok("import", str(changed.with_name("bare.nrz")))

    checked = elsewhere("verify", "last")

    assert checked.code == 0
    assert "ok\tcode\tnot here" in checked.out
    (elsewhere.store / "runs").rename(elsewhere.home / "away")
    elsewhere.ok("import", str(changed))
    code = elsewhere.store / "code"
    code.rename(elsewhere.home / "code-away")
    assert elsewhere("verify", "last").code == 1


def test_of_eight_imports_at_once_one_takes_the_run_and_the_others_find_it(
    nemorun: Nemorun, elsewhere: Nemorun, changed: Path
) -> None:
    imports = [elsewhere.start("import", str(changed)) for _ in range(8)]
    done = [each.communicate(timeout=90) for each in imports]

    (run_id,) = nemorun.ok("list", "--quiet").splitlines()
    assert [each.returncode for each in imports] == [0] * 8
    assert {out for out, _ in done} == {f"{run_id}\n"}
    assert sum("there already" in err for _, err in done) == 7
    assert elsewhere.ok("list", "--quiet") == run_id
    assert elsewhere("verify", run_id).code == 0
    assert not [*elsewhere.store.glob("code/.new-*"), *elsewhere.store.glob("runs/.new/*")]


def test_no_secret_is_in_the_file_and_what_is_recorded_is(
    nemorun: Nemorun, tmp_path: Path, project: Path
) -> None:
    secret = dict.fromkeys(("WORD", "API_TOKEN", "PIP_INDEX_URL"), "https://u:canary@host/")
    nemorun.env.update(secret)
    (tmp_path / "library").mkdir()
    for folder in (project, tmp_path / "library"):
        for argv in (["init", "-q"], ["remote", "add", "origin", "https://canary@h/"]):
            subprocess.run(["git", *argv], cwd=folder, env=nemorun.environment(), check=True)
    (tmp_path / "library" / "lib.py").touch()
    about = tmp_path / "site" / "p-1.dist-info"
    about.mkdir(parents=True)
    url = "https://canary@host/p.whl?token=canary#subdirectory=p"
    (about / "direct_url.json").write_text(json.dumps({"url": url, "archive_info": {}}))
    options = ["--secret", "WORD", "--env", "API_TOKEN", "--env", "PASSWORD=canary"]
    options += ["--env", "PLACE=harbour-7", "--env", f"PYTHONPATH={tmp_path / 'site'}"]
    options += ["--include-repo", str(tmp_path / "library")]
    nemorun.ok("launch", "--wait", *options, "command", "--", "sh", "-c", 'echo "${#WORD}"')

    nemorun.ok("export", "last", "-o", "x.nrz")

    shutil.unpack_archive(nemorun.cwd / "x.nrz", tmp_path / "unpacked", "zip")
    held = b"".join(
        each.read_bytes() for each in (tmp_path / "unpacked").rglob("*") if each.is_file()
    )
    assert b"canary" not in held
    assert held.count(b"https://h/") == 2
    assert b"https://host/p.whl#subdirectory=p" in held
    assert b"WORD" in held
    assert b"harbour-7" in held


def test_a_run_that_is_alive_is_not_exported(nemorun: Nemorun) -> None:
    run_id = nemorun.ok("launch", "command", "sleep", "60")

    done = nemorun("export", run_id)

    assert done.code == 2
    assert "nemorun wait" in done.err
    assert list(nemorun.cwd.glob("*.nrz")) == []
    nemorun.ok("cancel", run_id)


def test_an_imported_run_does_not_choose_where_files_are_looked_for(
    tiny: Nemorun, elsewhere: Nemorun, project: Path
) -> None:
    (project / "conf").mkdir()
    (project / "conf" / "exp.yaml").write_text("steps: 3\n")
    below = Nemorun(home=tiny.home, cwd=project / "conf")
    run_id = below.ok("launch", "--wait", "tiny", "-f", "exp.yaml")
    theirs = Nemorun(home=elsewhere.home, cwd=project)
    theirs.ok("import", below.ok("export", run_id, "-o", str(elsewhere.cwd)))

    found = json.loads(theirs("diff", run_id, "--json").out)

    assert [each["text"] for each in found["unfit"]] == ["--file exp.yaml"]
    assert json.loads(tiny("diff", run_id, "--json").out)["unfit"] == []


@pytest.mark.parametrize("content", ["{}", None])
def test_a_run_whose_config_is_lost_is_not_exported(tiny: Nemorun, content: str | None) -> None:
    run_id = tiny.ok("launch", "--wait", "tiny")
    config = tiny.store / "runs" / f"{run_id[:4]}-{run_id[4:6]}" / run_id / "config.json"
    config.write_text(content) if content else config.unlink()

    done = tiny("export", run_id, "-o", "x.nrz")

    assert (done.code, done.out) == (1 if content else 4, "")
    assert "config.json" in done.err
    assert not (tiny.cwd / "x.nrz").exists()


def test_the_file_goes_where_it_can(nemorun: Nemorun, tmp_path: Path) -> None:
    run_id = nemorun.ok("launch", "--wait", "command", "true")
    folder = tmp_path / "results"

    missing = nemorun("export", run_id, "-o", str(folder / "x.nrz"))
    assert (missing.code, missing.out) == (2, "")
    assert f"there is no folder {folder}" in missing.err
    folder.mkdir()
    assert nemorun.ok("export", run_id, "-o", str(folder)) == str(folder / f"{run_id}.nrz")
    assert [path.name for path in folder.iterdir()] == [f"{run_id}.nrz"]
    nemorun.ok("launch", "--wait", "command", "true")
    several = nemorun("export", "last", "@-2", "-o", str(folder))
    assert (several.code, several.out) == (2, "")
    assert f"-o {folder / 'runs.nrz'}" in several.err


def test_a_file_that_was_damaged_is_told_and_not_taken(
    nemorun: Nemorun, elsewhere: Nemorun
) -> None:
    nemorun.ok("launch", "--wait", "command", "true")
    path = nemorun.cwd / nemorun.ok("export", "last")
    assert nemorun("verify", path.name).code == 0
    (nemorun.cwd / "notes.txt").write_text("no archive")
    assert nemorun("verify", "notes.txt").out.startswith("damaged\tthe container\t")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)

    checked = nemorun("verify", str(path), "--json")
    taken = elsewhere("import", str(path), "--json")

    assert checked.code == 1
    assert [each["ok"] for each in json.loads(checked.out)["checks"]] == [False]
    assert taken.code == 1
    assert json.loads(taken.err)["error"]["code"] == "corrupt"
    assert elsewhere.ok("list") == ""


def test_a_long_log_needs_no_memory(nemorun: Nemorun, elsewhere: Nemorun, tmp_path: Path) -> None:
    run_id = nemorun.ok("launch", "--wait", "command", "true")
    log = nemorun.store / "jobs" / f"{run_id}-1" / "logs" / "1" / "0.log"
    with log.open("r+b") as file:
        file.truncate(96 * MEBIBYTE)
    path = str(tmp_path / "x.nrz")

    for each, arguments in (
        (nemorun, ("export", run_id, "-o", path)),
        (elsewhere, ("import", path)),
    ):
        limited = 'ulimit -v 90000 && exec "$@"'
        subprocess.run(
            ["sh", "-c", limited, "sh", NEMORUN, *arguments],
            env=each.environment(),
            cwd=each.cwd,
            check=True,
        )

    logs = Path(elsewhere.ok("logs", run_id, "--path"))
    assert (logs / "1" / "0.log").stat().st_size == 96 * MEBIBYTE


def test_nothing_of_an_imported_run_is_executed_unless_it_is_trusted(
    tiny: Nemorun, elsewhere: Nemorun, project: Path, tmp_path: Path
) -> None:
    canary = tmp_path / "canary"
    sign = f"open({str(canary)!r}, 'a').write('x')\n"
    with (project / "recipes" / "tiny.py").open("a") as file:
        file.write(sign)
    (project / "sitecustomize.py").write_text(sign)
    run_id = tiny.ok("launch", "--wait", "tiny", "optim.lr=0.5")
    path = tiny.ok("export", run_id, "-o", str(tmp_path / "x.nrz"))
    shutil.rmtree(project)
    canary.unlink()
    elsewhere.ok("verify", path)
    elsewhere.ok("import", path)
    (elsewhere.cwd / "config.yaml").write_text(elsewhere.ok("show", run_id, "--config"))

    for command in ("show", "metrics", "explain", "compare"):
        elsewhere.ok(command, run_id)
    elsewhere.ok("show", run_id, "--environment")
    elsewhere.ok("diff", run_id, run_id)
    elsewhere("diff", run_id, ".", "optim=sgd", "--patch")
    elsewhere.ok("export", run_id, "-o", "again.nrz")
    for words in (("rerun", run_id, "optim."), ("diff", run_id, ".", "optim."), ("show", "")):
        elsewhere.ok(*words, _NEMORUN_COMPLETE="1")
    refused = [
        elsewhere("rerun", run_id),
        elsewhere("rerun", run_id, "--dry-run", "optim.lr=1"),
        elsewhere("reproduce", run_id, "--environment", "here"),
        elsewhere("launch", "hello", "-f", "config.yaml"),
        elsewhere("launch", "tiny"),
    ]

    assert [done.code for done in refused] == [2] * 5
    assert not canary.exists()
    elsewhere.ok("rerun", run_id, "--trust", "--wait")
    assert canary.exists()
