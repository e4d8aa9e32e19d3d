"""Scalars in the event files of TensorBoard, read by TensorBoard's own library."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from nemorun_cli.core.errors import MissingExtraError
from nemorun_cli.core.jobs import JobFile
from nemorun_cli.core.metrics import Point

PATTERN = "**/*tfevents*"
_NUMBERS = "fiu"


def points(path: Path, prefix: str) -> Iterator[Point]:
    """Each scalar of a file, named by its tag after `prefix`; a torn end is passed over.

    MissingExtraError where TensorBoard is not installed.
    """
    try:
        from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
        from tensorboard.util.tensor_util import make_ndarray
    except ModuleNotFoundError:
        raise MissingExtraError(
            "the run has event files of TensorBoard, whose package is not installed",
            hint="pip install 'nemorun-cli[tensorboard]'",
        ) from None
    for event in EventFileLoader(str(path)).Load():
        for value in event.summary.value:
            if value.WhichOneof("value") != "tensor":
                continue
            array = make_ndarray(value.tensor)
            if array.size == 1 and array.dtype.kind in _NUMBERS:
                yield Point(
                    name=f"{prefix}{value.tag}",
                    value=array.item(),
                    step=event.step,
                    time=event.wall_time,
                )


def prefixes(files: list[JobFile]) -> dict[str, str]:
    """Path of each event file to what its tags are called after: nothing, or a folder.

    TensorBoard has a run for each folder, in which the same tags may come again.
    """
    folders = {file.path: PurePosixPath(file.path).parent for file in files}
    common = _common([folder.parts for folder in folders.values()])
    found = {path: "/".join(folder.parts[common:]) for path, folder in folders.items()}
    return {path: f"{folder}/" if folder else "" for path, folder in found.items()}


def _common(paths: list[tuple[str, ...]]) -> int:
    """How many first parts all these have in common."""
    same = [len(set(parts)) == 1 for parts in zip(*paths, strict=False)]
    return same.index(False) if False in same else len(same)
