"""Handing a job to sbatch: what is sent, and what the answer means."""

import io
import random
import secrets as randomness
import shlex
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field

from nemorun_cli.core.errors import NotSentError, RefusedError, UnreachableError
from nemorun_cli.core.jobs import Plan
from nemorun_cli.core.ports import Finished, Tunnel
from nemorun_cli.slurm import scripts
from nemorun_cli.slurm.reading import parse_submitted
from nemorun_cli.watching import nap

_TIMEOUT = 90.0
_TRIES = 8
_LONGEST_PAUSE = 20.0


@dataclass(frozen=True, kw_only=True)
class Submission:
    """One submission of a job, which may take several trips. Nothing in it changes on the way."""

    plan: Plan
    secrets: Mapping[str, str] = field(repr=False)
    key: str
    folder: str
    """The folder of the jobs' folders."""
    cluster: str | None
    nonce: str
    """By which a later trip knows that an earlier one was of the same submission."""
    pause: float = 1.0
    """Seconds before the second trip; each later one waits for twice as long."""

    def made(self, way: Tunnel) -> str:
        """The id of the job, which Slurm has.

        A trip whose end is not known is taken again, after a pause: its script finds out what the
        one before it did. RefusedError: there is no such job, and there will be none.
        NotSentError: the host was never reached. UnreachableError: nobody knows.
        """
        pause = self.pause
        for left in reversed(range(_TRIES)):
            try:
                native = self._trip(way)
            except UnreachableError as error:
                if not left or (isinstance(error, NotSentError) and left == _TRIES - 1):
                    raise
                native = None
            if native is not None:
                return native
            nap(pause * random.uniform(0.5, 1.5))  # noqa: S311 - So that a crowd spreads.
            pause = min(2 * pause, _LONGEST_PAUSE)
        raise UnreachableError(
            f"Slurm does not say whether it has the job {self.key}",
            hint="`nemorun list` finds out; it is never started twice",
        )

    def _trip(self, way: Tunnel) -> str | None:
        """The job's id; None if this is to be tried again, since nobody knows whether it exists."""
        token = f"@{randomness.token_hex(8)}"
        package = packed(self.plan, self.secrets)
        script = scripts.submission(
            self.folder,
            self.key,
            self.plan.commands[0],
            token=token,
            nonce=self.nonce,
            size=len(package),
            cluster=self.cluster,
        )
        finished = way.run(script, data=package, timeout=_TIMEOUT)
        word, rest = scripts.answer(finished.out.decode("utf-8", "surrogateescape"), token)
        if word == "known":
            return _id(rest)
        if word == "ended":
            return self._refused(finished, rest, way)
        if word == "void":
            raise RefusedError(f"an earlier submission of {self.key} was given up")
        if word == "folder":
            raise RefusedError(
                f"cannot write the job's folder in {self.folder}: {_last_line(finished)}",
                hint="-x job_dir=PATH chooses a folder that you may write to",
            )
        if word not in ("busy", "silent"):
            raise UnreachableError(f"the submission was cut short: {_last_line(finished)}")
        return None

    def _refused(self, finished: Finished, code: str, way: Tunnel) -> str | None:
        """RefusedError if Slurm did refuse the job, which then nobody submits any more."""
        from nemorun_cli.slurm.complaints import controller_busy, refusal

        complaint = finished.err.decode("utf-8", "replace")
        # 124 is timeout's, 137 its KILL: sbatch was still waiting for the controller.
        if code in ("0", "124", "137") or controller_busy(complaint):
            return None
        said = refusal(complaint) or f"sbatch ended with exit code {code}"
        if code in ("126", "127"):
            hint = "`nemorun doctor slurm` tells what is missing"
            raise RefusedError(f"Slurm refused the job: {said}", hint=hint)
        word, rest = self._closed(way)
        if word == "known":
            return _id(rest)
        raise RefusedError(f"Slurm refused the job: {said}", hint=self._hint(said))

    def _hint(self, said: str) -> str:
        """What to do about this complaint, for which nodes that are kept off may be the cause."""
        from nemorun_cli.slurm.complaints import advice

        off = any(word.startswith("--exclude=") for word in self.plan.commands[0])
        own = ["-x exclude_bad=false"] if off and self.plan.notices else []
        return "; ".join(filter(None, [advice(said), *own]))

    def _closed(self, way: Tunnel) -> tuple[str, str]:
        """What there is of the job after all; if nothing, no trip can submit it, late as it may be.

        Its secrets are removed.
        """
        token = f"@{randomness.token_hex(8)}"
        script = scripts.search(
            self.folder, self.key, token=token, final=True, cluster=self.cluster
        )
        try:
            finished = way.run(script)
        except UnreachableError:
            return "", ""
        return scripts.answer(finished.out.decode("utf-8", "surrogateescape"), token)


def found(way: Tunnel, folder: str, key: str, *, final: bool) -> str | None:
    """The id of the job that an interrupted submission left; with `final`, None is made so.

    UnreachableError when Slurm does not say.
    """
    token = f"@{randomness.token_hex(8)}"
    finished = way.run(scripts.search(folder, key, token=token, final=final, cluster=None))
    word, rest = scripts.answer(finished.out.decode("utf-8", "surrogateescape"), token)
    if word == "known" and (native := _id(rest)) is not None:
        return native
    if word == "none":
        return None
    raise UnreachableError(f"Slurm does not say whether it has {key}: {_last_line(finished)}")


def packed(plan: Plan, secrets: Mapping[str, str]) -> bytes:
    """The job's folder as a tar: files that nobody else can read, and links."""
    data = io.BytesIO()
    with tarfile.open(
        fileobj=data, mode="w", format=tarfile.GNU_FORMAT, errors="surrogateescape"
    ) as tar:
        folders = {"work", "logs"}
        for name in (*plan.files, *(f"work/{link}" for link in plan.links)):
            parts = name.split("/")[:-1]
            folders |= {"/".join(parts[: number + 1]) for number in range(len(parts))}
        for name in sorted(folders):
            _add(tar, name, kind=tarfile.DIRTYPE, mode=0o700)
        for name, text in plan.files.items():
            _add(tar, name, data=text.encode("utf-8", "surrogateescape"))
        for name, target in plan.links.items():
            _add(tar, f"work/{name}", kind=tarfile.SYMTYPE, target=target)
        if secrets:
            lines = [f"export {name}={shlex.quote(value)}\n" for name, value in secrets.items()]
            _add(tar, "secrets", data="".join(lines).encode("utf-8", "surrogateescape"))
    return data.getvalue()


def _add(  # noqa: PLR0913
    tar: tarfile.TarFile,
    name: str,
    *,
    kind: bytes = tarfile.REGTYPE,
    mode: int = 0o600,
    data: bytes = b"",
    target: str = "",
) -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode, entry.size, entry.linkname = kind, mode, len(data), target
    tar.addfile(entry, io.BytesIO(data))


def _id(text: str) -> str | None:
    told = parse_submitted(text)
    return None if told is None else str(told)


def _last_line(finished: Finished) -> str:
    lines = finished.err.decode("utf-8", "replace").strip().splitlines()
    # tar says what was wrong, and then that something was.
    lines = [line for line in lines if "due to previous errors" not in line] or lines
    return lines[-1] if lines else f"exit code {finished.code}"
