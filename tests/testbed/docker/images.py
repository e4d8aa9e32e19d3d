"""Makes the images of the test engine of this machine's own files: no registry is asked.

    python images.py SOCKET

`nemorun-test/python` holds this very Python, a shell and what job.sh needs; `nemorun-test/sh` holds
nothing but busybox.
"""

import contextlib
import http.client
import io
import os
import re
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import IO
from urllib.parse import urlencode

PROGRAMS = (
    *(
        "sh",
        "bash",
        "env",
        "cat",
        "ls",
        "cp",
        "mv",
        "rm",
        "mkdir",
        "chmod",
        "touch",
        "sleep",
        "true",
    ),
    *("false", "echo", "id", "pwd", "tail", "head", "wc", "grep", "sed", "cut", "printf", "test"),
    *("setsid", "date", "sync", "seq", "stat", "kill", "ps", "dd", "tr", "sort", "ln", "hostname"),
)
# Extension modules of other packages, mounted into a container, need these.
LIBRARIES = (
    *("libstdc++.so.6", "libgcc_s.so.1", "libgomp.so.1", "libnss_files.so.2", "libpthread.so.0"),
    *("libdl.so.2", "librt.so.1", "libutil.so.1", "libm.so.6"),
)
LEFT_OUT = re.compile(r"(^|/)(test|tests|__pycache__|site-packages|idlelib|config-[^/]*)(/|$)")
USERS = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n"
FOLDERS = (
    "bin",
    "lib",
    "lib64",
    "usr/bin",
    "usr/lib",
    "etc",
    "proc",
    "sys",
    "dev",
    "run",
    "root",
    "tmp",
)


class Engine(http.client.HTTPConnection):
    """The engine behind a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("docker", timeout=120)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)

    def ask(self, method: str, path: str, body: IO[bytes] | None = None) -> str:
        """What is answered; empty where nothing is found."""
        with contextlib.suppress(BrokenPipeError):  # It says why.
            self.request(method, path, body=body, headers={"Content-Type": "application/x-tar"})
        answer = self.getresponse()
        said = answer.read().decode(errors="replace")
        if (answer.status >= 400 and method != "GET") or '"error"' in said:
            raise SystemExit(f"{method} {path}: {answer.status} {said}")
        return said if answer.status < 400 else ""


class Image:
    """A file system in a tar; what is in it already is not put there again."""

    def __init__(self, tar: tarfile.TarFile) -> None:
        self.tar = tar
        self.seen: set[str] = set()
        for name in FOLDERS:
            if name in ("bin", "lib", "lib64"):
                self.link(name, f"usr/{name if name == 'bin' else 'lib'}")
            else:
                self.put(name, tarfile.DIRTYPE, mode=0o1777 if name == "tmp" else 0o755)
        self.put("etc/passwd", tarfile.REGTYPE, data=USERS.encode())

    def put(self, name: str, kind: bytes, *, mode: int = 0o644, data: bytes = b"") -> None:
        entry = tarfile.TarInfo(name)
        entry.type, entry.mode, entry.size = kind, mode, len(data)
        self.tar.addfile(entry, io.BytesIO(data))

    def link(self, name: str, target: str) -> None:
        entry = tarfile.TarInfo(name.lstrip("/"))
        entry.type, entry.linkname = tarfile.SYMTYPE, target
        self.tar.addfile(entry)
        self.seen.add(inside(name))

    def copy(self, source: Path, name: str) -> None:
        if inside(name) not in self.seen:
            self.seen.add(inside(name))
            self.tar.add(source.resolve(), arcname=inside(name), filter=needed)


def main() -> None:
    engine = Engine(sys.argv[1])
    made_by = sha256(f"{sys.version}{sys.base_prefix}".encode() + Path(__file__).read_bytes())
    mark = f"made-by={made_by.hexdigest()}"
    for name, fill in (("python", fill_python), ("sh", fill_sh)):
        if mark.partition("=")[2] in engine.ask("GET", f"/images/nemorun-test/{name}:latest/json"):
            continue
        with tempfile.TemporaryFile() as file:
            with tarfile.open(fileobj=file, mode="w") as tar:
                fill(Image(tar))
            file.seek(0)
            query = [("fromSrc", "-"), ("repo", f"nemorun-test/{name}"), ("tag", "latest")]
            query += [("changes", "ENV PATH=/usr/bin:/bin"), ("changes", f"LABEL {mark}")]
            engine.ask("POST", f"/images/create?{urlencode(query)}", body=file)


def fill_python(image: Image) -> None:
    """This Python under the path that it has here, and a small system."""
    prefix, version = Path(sys.base_prefix), f"python{sys.version_info[0]}.{sys.version_info[1]}"
    interpreter = prefix / "bin" / version
    standard = prefix / "lib" / version
    image.copy(interpreter, str(interpreter))
    image.copy(standard, str(standard))
    for name in ("python3", "python"):
        image.link(f"usr/bin/{name}", str(interpreter))
        if prefix != Path("/usr"):
            image.link(f"{prefix}/bin/{name}", str(interpreter))
    programs = {name: shutil.which(name) for name in PROGRAMS}
    paths = {name: Path(path) for name, path in programs.items() if path}
    for name, path in paths.items():
        image.copy(path, f"usr/bin/{name}")
    binaries = [interpreter, *paths.values(), *(standard / "lib-dynload").glob("*.so")]
    for library in libraries([*binaries, *prefix.glob("lib/libpython*.so*")]):
        image.copy(Path(library), library)


def fill_sh(image: Image) -> None:
    """Busybox under all its names."""
    path = shutil.which("busybox")
    assert path is not None, "no busybox"
    image.copy(Path(path), "usr/bin/busybox")
    names = subprocess.run([path, "--list"], capture_output=True, text=True, check=True).stdout
    for name in names.split():
        if name != "busybox":
            image.link(f"usr/bin/{name}", "busybox")
    for library in libraries([Path(path)]):
        image.copy(Path(library), library)


def inside(name: str) -> str:
    """The place in an image whose /lib and /bin are links into /usr."""
    name = os.path.normpath(name).lstrip("/")
    first, _, rest = name.partition("/")
    place = {"bin": "usr/bin", "lib": "usr/lib", "lib64": "usr/lib"}.get(first)
    if place and rest:
        return f"{place}/{rest}"
    return name.replace("usr/lib64/", "usr/lib/", 1)


def needed(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if LEFT_OUT.search(entry.name.partition("lib/python")[2]) else entry


def libraries(binaries: list[Path]) -> Iterator[str]:
    """What the dynamic linker would load for these, and what it is by name."""
    done = subprocess.run(["ldd", *map(str, binaries)], capture_output=True, text=True, check=False)
    for line in done.stdout.splitlines():
        if found := re.search(r"(?:=> |^\s+)(/\S+\.so\S*)", line):
            yield found[1]
    for folder in ("/lib", "/usr/lib", *map(str, Path("/usr/lib").glob("*-linux-gnu"))):
        yield from (f"{folder}/{each}" for each in LIBRARIES if Path(folder, each).exists())


if __name__ == "__main__":
    os.umask(0o022)
    main()
