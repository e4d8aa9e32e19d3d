"""Editable installs: packages that an environment imports from where they are developed."""

import ast
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

_OWN = "nemorun_cli"  # A job needs nothing of it.


@dataclass(frozen=True, kw_only=True)
class Editable:
    """A package that was installed as editable (PEP 660, with the `direct_url.json` of PEP 610)."""

    name: str
    folder: Path
    """Its project."""
    imports: tuple[Path, ...]
    """Where Python looks for it; empty when only a hook of its own knows."""


def installed(python: str) -> tuple[Editable, ...]:
    """Those of the environment of an interpreter, which is not started; none if it is not here."""
    path = shutil.which(python)
    if path is None:
        return ()
    libraries = Path(path).absolute().parent.parent.glob("lib*/python3*/*-packages")
    found = [each for library in sorted(libraries) for each in _in(library)]
    return tuple({each.name: each for each in found}.values())


def _in(library: Path) -> Iterator[Editable]:
    for told in sorted(library.glob("*.dist-info/direct_url.json")):
        name = told.parent.name.partition("-")[0]
        try:
            origin = json.loads(told.read_bytes())
            editable = origin["dir_info"]["editable"] is True
            folder = Path(unquote(urlsplit(origin["url"]).path)).resolve()
            if not editable or name == _OWN or not folder.is_dir():
                continue
            imports = dict.fromkeys(each.resolve() for each in _imports(library, told.parent))
        except (OSError, ValueError, KeyError, TypeError, SyntaxError):
            continue
        yield Editable(name=name, folder=folder, imports=tuple(imports))


def _imports(library: Path, about: Path) -> Iterator[Path]:
    for line in (about / "RECORD").read_text(encoding="utf-8").splitlines():
        name = line.partition(",")[0]
        if name.endswith(".pth"):
            for entry in (library / name).read_text(encoding="utf-8").splitlines():
                if entry.strip() and not entry.startswith(("import ", "import\t", "#")):
                    yield library / entry.strip()
        elif name.startswith("__editable__") and name.endswith("_finder.py"):
            yield from _mapped((library / name).read_text(encoding="utf-8"))


def _mapped(finder: str) -> Iterator[Path]:
    """The folders from which what setuptools' finder maps could be imported without it."""
    for node in ast.parse(finder).body:
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "MAPPING" and node.value:
            for name, path in ast.literal_eval(node.value).items():
                parts = tuple(name.split("."))
                where = Path(path).with_suffix("") if path.endswith(".py") else Path(path)
                if where.parts[-len(parts) :] == parts:
                    yield where.parents[len(parts) - 1]
