"""Unpacking an archive into new folders, where nothing can lead to any other place."""

import os
from pathlib import Path

from nemorun_cli.archives.reading import Archive
from nemorun_cli.packagers.rows import EXECUTABLE, LINK

_WRITE = os.O_WRONLY | os.O_CLOEXEC | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW


def outside_links(archive: Archive) -> list[str]:
    """The symbolic links of its code that may lead out of it."""
    return [
        f"{path} -> {os.fsdecode(target)}"
        for code_hash in archive.manifest.code
        for path, each in archive.manifest.of_code(code_hash).items()
        if each.mode == LINK and _leads_out(path, target := archive.content(each))
    ]


def unpack_code(archive: Archive, code_hash: str, stage: Path) -> None:
    """Put the files of a snapshot into a folder that is there and empty."""
    folders = {""}
    for path, member in archive.manifest.of_code(code_hash).items():
        folder = path.rpartition("/")[0]
        if folder not in folders:
            (stage / folder).mkdir(mode=0o700, parents=True, exist_ok=True)
            folders.add(folder)
        target = stage / path
        if member.mode == LINK:
            target.symlink_to(os.fsdecode(archive.content(member)))
            continue
        fd = os.open(target, _WRITE, 0o500 if member.mode == EXECUTABLE else 0o400)
        with open(fd, "wb") as file:  # noqa: PTH123
            archive.pour(member, file.write)


def unpack_run(archive: Archive, run_id: str, stage: Path) -> None:
    """Put the files of a run into a folder that is there and empty."""
    for path, member in archive.manifest.of_run(run_id).items():
        target = stage / path
        for folder in reversed(target.relative_to(stage).parents):
            (stage / folder).mkdir(mode=0o700, exist_ok=True)
        fd = os.open(target, _WRITE, 0o600)
        with open(fd, "wb") as file:  # noqa: PTH123
            archive.pour(member, file.write)


def unpack_patch(archive: Archive, name: str, target: Path) -> None:
    """Write a patch to a path where nothing is."""
    with open(os.open(target, _WRITE, 0o400), "wb") as file:  # noqa: PTH123
        archive.pour(archive.manifest.patches()[name], file.write)


def _leads_out(path: str, target: bytes) -> bool:
    """Whether a link may lead out of the folder in which its path is meant.

    `..` counts at the beginning alone: behind a name, which may be a link, it may lead anywhere.
    """
    parts = [part for part in target.split(b"/") if part not in (b"", b".")]
    up = 0
    while up < len(parts) and parts[up] == b"..":
        up += 1
    return target.startswith(b"/") or up > path.count("/") or b".." in parts[up:]
