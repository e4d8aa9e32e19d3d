"""What goes into a snapshot: a project, the repositories that were asked for, editable installs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from nemorun_cli.core.errors import NemorunError, RefusedError
from nemorun_cli.packagers import projectfiles
from nemorun_cli.packagers.editables import Editable
from nemorun_cli.packagers.projectfiles import Listing
from nemorun_cli.packagers.trees import MOST_BYTES, weigh

PLACE = ".nemorun/"
"""Where in a snapshot lies what is not the project's own."""
_BUILT = (".so", "_version.py")


@dataclass(frozen=True, kw_only=True)
class Also:
    """What a snapshot is to hold beside the project, and what it may be."""

    repositories: tuple[Path, ...] = ()
    editables: tuple[Editable, ...] = ()
    limit: int | None = MOST_BYTES
    """In bytes; None is no limit."""
    clean: bool = False
    """Refuse what is not as committed."""
    later: bool = False
    """Store only what is new, where that will do: the job lays the snapshot out when it starts."""


@dataclass
class Gathered:
    """What there is to take, and from where Python is to import."""

    listings: list[Listing]
    imports: list[str] = field(default_factory=list)
    live: list[str] = field(default_factory=list)
    """Editable installs that cannot be taken, and why."""
    places: dict[Path, str] = field(default_factory=dict)

    def place_of(self, folder: Path) -> str | None:
        """The path in the snapshot of what lies in this folder; None if that is not taken."""
        for root, place in self.places.items():
            if folder.is_relative_to(root):
                inside = str(folder.relative_to(root))
                found = f"{place}{inside}" if inside != "." else place.rstrip("/") or "."
                if self._holds("" if found == "." else f"{found}/"):
                    return found
        return None

    def add(self, folder: Path, listings: Sequence[Listing], place: str) -> None:
        """Take these listings, which are those of a folder."""
        self.listings += listings
        self.places[folder] = place

    def free(self, folder: Path) -> str:
        """A place that nobody has."""
        name = folder.name.replace(":", "-")  # It divides the entries of PYTHONPATH.
        names = (f"{name}{f'-{each}' if each else ''}" for each in range(10**6))
        return next(
            f"{PLACE}{each}/" for each in names if f"{PLACE}{each}/" not in self.places.values()
        )

    def _holds(self, start: str) -> bool:
        return any(
            f"{each.place}{path}".startswith(start) for each in self.listings for path in each.paths
        )


def gather(root: Path, also: Also, *, home: Path) -> Gathered:
    """All that a snapshot of this project is to hold.

    An editable install whose code cannot be taken is told of in `live`; what was asked for by name
    is refused instead, when it cannot.
    """
    found = Gathered(listings=[])
    found.add(root.resolve(), projectfiles.listings(root), "")
    if also.repositories or also.editables:
        _refuse_a_clash(found)
    for folder in also.repositories:
        if found.place_of(folder) is None:
            place = found.free(folder)
            found.add(folder, projectfiles.listings(folder, place=place), place)
    for each in also.editables:
        _add_editable(each, found, also, home=home)
    for folder in also.repositories:
        if not any(each.folder == folder for each in also.editables):
            source = found.place_of(folder / "src")
            found.imports.append(source or found.place_of(folder) or ".")
    found.imports = list(dict.fromkeys(found.imports))
    return found


def _add_editable(editable: Editable, found: Gathered, also: Also, *, home: Path) -> None:
    folder = editable.folder
    if not editable.imports:
        found.live.append(f"{editable.name} ({folder}): a hook of its own imports it")
        return
    if found.place_of(folder) is None:
        place = found.free(folder)
        try:
            listings = projectfiles.listings(folder, place=place)
            weigh(listings, without=home, limit=also.limit)
        except NemorunError as error:
            found.live.append(f"{editable.name} ({folder}): {error.message}")
            return
        found.add(folder, listings, place)
    for index, each in enumerate(found.listings):
        if each.folder.resolve() == folder:
            found.listings[index] = replace(each, paths=(*each.paths, *_built(each)))
    places = [found.place_of(each) for each in editable.imports]
    found.imports += [place for place in places if place is not None]
    if None in places:
        found.live.append(f"{editable.name} ({folder}): it is imported from elsewhere")


def _built(listing: Listing) -> Iterator[str]:
    """What building has left beside the code, without which that cannot be imported."""
    held = {*listing.paths}
    for path in projectfiles.ignored(listing.folder):
        if path.endswith(_BUILT) and path not in held:
            yield path


def _refuse_a_clash(found: Gathered) -> None:
    if found.place_of(found.listings[0].folder.resolve() / PLACE) is not None:
        raise RefusedError(
            f"{found.listings[0].folder} has files in {PLACE}, where other repositories are to go",
            hint=f"rename it, or list {PLACE} in .nemorunignore",
        )
