"""An archive that somebody made to do harm does none: it is refused, and nothing is written."""

import hashlib
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nemorun_cli.archives import manifest as manifests
from nemorun_cli.archives import packing, reading
from nemorun_cli.archives.packing import Source
from nemorun_cli.core.errors import NemorunError, NewerError, UsageError
from tests.unit.archives.conftest import KEY, RUN, Place

HASH = hashlib.sha256(b"evil").hexdigest()
NAMES = [
    "evil",
    "/etc/evil",
    "../../evil",
    f"runs/{RUN}",
    f"runs/{RUN}/../evil",
    f"runs/{RUN}/sub/evil.json",
    f"runs/{RUN}/imported.json",
    f"runs/{RUN}/.lock",
    f"runs/{RUN}/{KEY}/job.sh",
    f"runs/{RUN}/{KEY}/process.json",
    f"runs/{RUN}/{KEY}/logs/1/../../../evil",
    f"runs/{RUN}/{KEY}/work/evil.py",
    "runs/20260101-000000-aaaaaaaa/run.json",
    f"code/{HASH}/evil.py",
    "patches/evil.diff",
    f"patches/../{HASH}.diff",
    f"patches/{HASH}.diff/evil",
    "code/CODE/../evil",
    "code/CODE//evil",
    "code/CODE/%2e%2e/evil",
    "code/CODE/a%2Fb",
    "code/CODE/%00",
    "code/CODE/a\\..\\evil",
    "code/CODE/",
    "code/CODE/train.py",
    "code/CODE/train.py/evil",
]


class Forger:
    """Takes an honest archive apart, and seals what has been made of it as nemorun would."""

    def __init__(self, archive: Path, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        with zipfile.ZipFile(archive) as container:
            self.manifest = json.loads(container.read("manifest.json"))
            self.content = {name: container.read(name) for name in container.namelist()[1:]}
        (self.code,) = self.manifest["code"]

    def add(self, name: str, content: bytes = b"evil", mode: str = "644") -> None:
        self.manifest["members"].append({"name": name, "mode": mode, "sha256": "", "size": 0})
        self.content[name] = content

    def edit(self, name: str, change: Callable[[Any], None]) -> None:
        name = f"runs/{RUN}/{name}"
        value = json.loads(self.content[name])
        change(value)
        self.content[name] = json.dumps(value).encode()

    def seal(
        self, *, told: Callable[[Any], None] = lambda _: None, method: int = zipfile.ZIP_DEFLATED
    ) -> Path:
        """An archive whose manifest is true, but for what `told` makes of it."""
        for each in self.manifest["members"]:
            content = self.content[each["name"]]
            each["sha256"], each["size"] = hashlib.sha256(content).hexdigest(), len(content)
        told(self.manifest)
        path = self.folder / "evil.nrz"
        with path.open("wb") as file:
            seal = packing._Seal(file.write)
            with zipfile.ZipFile(seal, "w", method) as container:
                container.comment = b"0" * packing.SEAL
                container.writestr("manifest.json", json.dumps(self.manifest))
                for each in self.manifest["members"]:
                    container.writestr(each["name"], self.content[each["name"]])
            seal.close()
        return path


@pytest.fixture
def forger(archive: Path, tmp_path: Path) -> Forger:
    return Forger(archive, tmp_path / "forged")


def refused(path: Path, yours: Place, **allowed: Any) -> str:
    """Why the archive was refused; nothing of it was written."""
    beside = sorted(yours.home.parent.iterdir())
    with pytest.raises(NemorunError) as caught:
        yours.import_(path, **allowed)
    assert yours.files() == []
    assert sorted(yours.home.parent.iterdir()) in (beside, sorted([*beside, yours.home]))
    return caught.value.message


def test_what_a_forger_leaves_as_it_was_is_taken(forger: Forger, yours: Place) -> None:
    assert yours.import_(forger.seal()).runs == (RUN,)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_would_lie_elsewhere_is_refused(
    forger: Forger, yours: Place, name: str
) -> None:
    forger.add(name.replace("CODE", forger.code))

    assert "manifest.json" in refused(forger.seal(), yours)


def test_a_file_that_would_be_written_through_a_link_is_refused(
    forger: Forger, yours: Place
) -> None:
    forger.add(f"code/{forger.code}/way", b"..", "120000")
    forger.add(f"code/{forger.code}/way/evil")

    assert "a file and a folder" in refused(forger.seal(), yours)


def test_a_link_in_a_record_is_refused(forger: Forger, yours: Place) -> None:
    forger.add(f"runs/{RUN}/labels.json", b"/etc/passwd", "120000")

    assert "can be called" in refused(forger.seal(), yours)


@pytest.mark.parametrize(
    "target", ["/etc/passwd", "../evil", "below/../../evil", "a/../b", "../" * 9 + "etc"]
)
def test_a_link_that_leads_out_of_the_code_is_refused(
    mine: Place, yours: Place, project: Path, target: str
) -> None:
    (project / "out").symlink_to(target)
    mine.launch(project)
    mine.export(mine.home / "x.nrz")

    assert "links lead out of the code: out -> " in refused(mine.home / "x.nrz", yours)
    yours.import_(mine.home / "x.nrz", outside_links=True)
    (folder,) = yours.home.glob("code/[0-9a-f]*")
    assert os.readlink(folder / "out") == target  # noqa: PTH115 # A Path loses `./`.


@pytest.mark.parametrize("target", ["../train.py", "./inside", "..", "../sub/x", "nowhere"])
def test_a_link_that_stays_inside_is_taken(
    mine: Place, yours: Place, project: Path, target: str
) -> None:
    (project / "sub").mkdir()
    (project / "sub" / "in").symlink_to(target)
    mine.launch(project)
    mine.export(mine.home / "x.nrz")

    yours.import_(mine.home / "x.nrz")


def test_code_that_is_not_what_its_hash_says_is_refused(forger: Forger, yours: Place) -> None:
    forger.content[f"code/{forger.code}/train.py"] = b"evil"

    assert "not what its hash says" in refused(forger.seal(), yours)


def test_more_than_is_allowed_is_refused_before_it_is_unpacked(
    forger: Forger, yours: Place
) -> None:
    forger.add(f"runs/{RUN}/{KEY}/logs/1/1.log", bytes(2**20))

    assert "unpacks to" in refused(forger.seal(), yours, bytes=2**20)


def test_more_than_there_is_room_for_is_refused(forger: Forger, yours: Place) -> None:
    def enormous(manifest: Any) -> None:
        manifest["members"][-1]["size"] = 2**62

    assert "has room for" in refused(forger.seal(told=enormous), yours, bytes=2**63)


def test_a_file_that_is_larger_than_told_is_refused(forger: Forger, yours: Place) -> None:
    name = f"runs/{RUN}/{KEY}/logs/1/0.log"
    forger.content[name] = bytes(2**20)

    def small(manifest: Any) -> None:
        (found,) = [each for each in manifest["members"] if each["name"] == name]
        found["size"] = 10

    assert f"{name}: its size" in refused(forger.seal(told=small), yours)


@pytest.mark.parametrize(
    "change",
    [
        lambda record: record.update(id="20260101-000000-aaaaaaaa"),
        lambda record: record.update(created_at="never"),
        lambda record: record["code"].update(hash="../../evil"),
        lambda record: record["code"].update(entries=["../evil"]),
        lambda record: record["code"].update(entries=["/evil"]),
        lambda record: record["code"].pop("path"),
        lambda record: record.update(environment={"values": {"A": 1}}),
        lambda record: record.update(environment={"values": ["A"]}),
        lambda record: record.update(environment={"secrets": [None]}),
        lambda record: record.update(settings={"time": {"source": "-x"}}),
        lambda record: record["code"].update(repositories=[{"patch": "../../evil"}]),
    ],
)
def test_a_record_that_is_none_is_refused(
    forger: Forger, yours: Place, change: Callable[[Any], None]
) -> None:
    forger.edit("run.json", change)

    assert "no run that was exported" in refused(forger.seal(), yours)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("verdict.json", lambda verdict: verdict["status"].update(state="RUNNING")),
        ("submitted-1.json", lambda value: value.update(handle="local://here/..%2F..%2Fevil/1")),
        ("plan.json", lambda plan: plan.update(links={"../evil": "/etc"})),
        ("plan.json", lambda plan: plan.pop("links")),
    ],
)
def test_a_run_that_lies_elsewhere_or_may_still_change_is_refused(
    forger: Forger, yours: Place, name: str, change: Callable[[Any], None]
) -> None:
    forger.edit(name, change)

    assert "no run that was exported" in refused(forger.seal(), yours)


def test_a_config_that_was_not_launched_is_refused(forger: Forger, yours: Place) -> None:
    forger.edit("run.json", lambda record: record.update(config_hash=HASH))
    forger.add(f"runs/{RUN}/config.json", b'{"_target_": "os:system", "command": "id"}')

    assert "not what was launched" in refused(forger.seal(), yours)


@pytest.mark.parametrize("place", ["manifest.json", "run.json"])
def test_what_a_newer_nemorun_has_exported_is_told_and_what_to_do(
    forger: Forger, yours: Place, place: str
) -> None:
    def newer(value: dict[str, Any]) -> None:
        value.update(schema_version=2, new="?")

    if place == "run.json":
        forger.edit(place, newer)
    path = forger.seal(told=newer if place == "manifest.json" else lambda _: None)

    with pytest.raises(NewerError, match="was written by a newer nemorun") as caught:
        yours.import_(path)

    assert caught.value.hint.startswith("upgrade nemorun")
    assert yours.files() == []


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_compression_that_may_need_any_memory_is_refused(
    forger: Forger, yours: Place, method: int
) -> None:
    path = forger.seal(method=method)

    assert "compressed as no archive of runs is" in refused(path, yours)


@pytest.mark.parametrize(
    "content",
    [b"", b"x", b"PK\x05\x06" + bytes(18), b"not an archive" * 99, b"[" * 10**5],
    ids=["empty", "a byte", "an empty ZIP", "text", "brackets"],
)
def test_what_is_no_archive_is_told_to_be_none(
    content: bytes, yours: Place, tmp_path: Path
) -> None:
    path = tmp_path / "x.nrz"
    path.write_bytes(content)

    assert "is damaged, or no archive of runs" in refused(path, yours)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", "[" * 10**5, '{"format": "nemorun archive", "schema_version": "2"}'],
)
def test_a_manifest_that_is_none_is_told(text: str, yours: Place, tmp_path: Path) -> None:
    path = tmp_path / "x.nrz"
    with path.open("wb") as file:
        seal = packing._Seal(file.write)
        with zipfile.ZipFile(seal, "w") as container:
            container.comment = b"0" * packing.SEAL
            container.writestr("manifest.json", text)
        seal.close()

    assert "manifest.json: " in refused(path, yours)


def test_what_is_no_file_is_told_and_not_waited_for(yours: Place, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    for path in (tmp_path / "pipe", tmp_path, Path("/dev/zero")):
        assert refused(path, yours) == f"cannot read {path}: it is not a plain file"
        with pytest.raises(UsageError, match="not a plain file"):
            list(reading.damage(path))


def test_a_manifest_reads_as_it_was_written() -> None:
    member = manifests.Member(name=f"runs/{RUN}/run.json", mode=0o644, sha256=HASH, size=3)
    left_out = {RUN: ("its logs",)}
    whole = manifests.Manifest(runs=(RUN,), code=(HASH,), members=(member,), left_out=left_out)

    assert manifests.parse(manifests.text_of(whole)) == whole


def test_a_source_that_changes_meanwhile_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("before")
    source = Source(name=f"runs/{RUN}/run.json", path=path)
    manifest = manifests.Manifest(runs=(RUN,), code=(), members=(packing.measure(source),))
    path.write_text("later")

    with pytest.raises(NemorunError, match="just been changed"):
        packing.pack(manifest, [source], lambda _: None)
