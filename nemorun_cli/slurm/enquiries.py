"""What was last asked of a cluster, shared by all processes of the user, so that few ask."""

import json
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from nemorun_cli.core.errors import NemorunError, UnreachableError
from nemorun_cli.core.ids import created_at
from nemorun_cli.core.jobs import JobHandle, JobState, JobStatus, Reason
from nemorun_cli.core.ports import Clock
from nemorun_cli.slurm.nodes import Memory, blames_in, memory_of
from nemorun_cli.slurm.report import Report, is_missing, read_report, status_in
from nemorun_cli.store.writing import locked, make_folder, replace_file

REMEMBERED = 600.0
"""Seconds for which a job that somebody asked about is asked about with the others."""
_SILENCE = 10.0
"""Seconds for which a host that did not answer is not asked again."""

Ask = Callable[[str, str], str]
"""Asks about jobs, a line each; its second argument is the token that marks parts of the answer."""


@dataclass(frozen=True, kw_only=True)
class _Watched:
    key: str
    wanted_at: float
    missing_since: float | None = None


@dataclass(frozen=True, kw_only=True)
class _Known:
    """The last enquiry that was answered, and the last that was made."""

    tried_at: float = 0.0
    asked_at: float = 0.0
    asked: tuple[str, ...] = ()
    token: str = ""
    out: str = ""
    complaint: str = ""
    watched: Mapping[str, _Watched] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Enquiries:
    """The enquiries about one target, in a file; of processes that want to ask, one does."""

    path: Path
    nodes: Memory
    """Where what they tell of nodes that have failed is kept."""

    def statuses(
        self, handles: Sequence[JobHandle], ask: Ask, *, floor: float, clock: Clock
    ) -> dict[JobHandle, JobStatus]:
        """How these jobs are, as of an enquiry that is not older than `floor` seconds.

        One enquiry covers all jobs that anybody has asked about lately. A job that was handed over
        since then is PENDING. UnreachableError when the host does not answer: that is remembered
        for a few seconds. So is, for `floor`, that somebody asked and did not wait for the answer.
        """
        with self._alone():
            # Who has waited for another's answer looks at the clock after it.
            now = clock()
            known = self._noted(handles, now)
            if not 0 <= now - known.asked_at < floor:
                _refuse_so_soon(known, floor=floor, now=now)
                self._save(replace(known, tried_at=now, complaint=""))
                known = _asked(known, ask, now, self.nodes)
            self._save(known)
        if known.complaint:
            raise UnreachableError(known.complaint)
        report = read_report(known.out, token=known.token)
        found = {handle: _status(handle, report, known) for handle in handles}
        silent = [each for each in found.values() if each.reason is Reason.UNREACHABLE]
        if silent and len(silent) == len(found):
            raise UnreachableError(silent[0].reason_detail)
        return found

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Alone with the file; where it cannot be written, everybody asks for himself."""
        with ExitStack() as stack:
            with suppress(OSError):
                make_folder(self.path.parent)
                stack.enter_context(locked(self.path.with_suffix(".lock")))
            yield

    def _noted(self, handles: Sequence[JobHandle], now: float) -> _Known:
        """What is known, with these jobs among those to be asked about and others forgotten."""
        known = self._load()
        watched = {
            native: each
            for native, each in known.watched.items()
            if 0 <= now - each.wanted_at < REMEMBERED
        }
        for handle in handles:
            before = watched.get(handle.native_id)
            missing = before.missing_since if before and before.key == handle.key else None
            watched[handle.native_id] = _Watched(
                key=handle.key, wanted_at=now, missing_since=missing
            )
        return replace(known, watched=watched)

    def _load(self) -> _Known:
        try:
            return _known(json.loads(self.path.read_text()))
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return _Known()  # A cache: what cannot be read was never there.

    def _save(self, known: _Known) -> None:
        with suppress(OSError):
            replace_file(self.path, json.dumps(asdict(known)))


def enquiries_about(target: str, folder: Path) -> Enquiries:
    """Those about this target, in a file of their own in this folder."""
    name = sha256(target.encode()).hexdigest()[:16]
    return Enquiries(path=folder / f"slurm-{name}.json", nodes=memory_of(target, folder))


def _known(found: Any) -> _Known:  # noqa: ANN401
    return _Known(
        tried_at=float(found["tried_at"]),
        asked_at=float(found["asked_at"]),
        asked=tuple(map(str, found["asked"])),
        token=str(found["token"]),
        out=str(found["out"]),
        complaint=str(found["complaint"]),
        watched={native: _watched(each) for native, each in found["watched"].items()},
    )


def _watched(found: Any) -> _Watched:  # noqa: ANN401
    missing = found["missing_since"]
    return _Watched(
        key=str(found["key"]),
        wanted_at=float(found["wanted_at"]),
        missing_since=None if missing is None else float(missing),
    )


def _refuse_so_soon(known: _Known, *, floor: float, now: float) -> None:
    pause = min(floor, _SILENCE) if known.complaint else floor
    if 0 <= now - known.tried_at < pause:
        waited = f"it was asked {now - known.tried_at:.0f} s ago, and has not answered"
        raise UnreachableError(known.complaint or waited)


def _asked(known: _Known, ask: Ask, now: float, nodes: Memory) -> _Known:
    token = f"@{secrets.token_hex(8)}"
    lines = [_line(each.key, native) for native, each in sorted(known.watched.items())]
    try:
        out = ask("".join(lines), token)
    except NemorunError as error:
        return replace(known, tried_at=now, complaint=error.message)
    report = read_report(out, token=token)
    if not report.whole:
        return replace(known, tried_at=now, complaint="what the host answered was cut short")
    keys = {native: each.key for native, each in known.watched.items()}
    nodes.remember(blames_in(report, keys, now), now)
    asked = replace(known, tried_at=now, asked_at=now, asked=tuple(known.watched), token=token)
    watched = {
        native: replace(
            each,
            missing_since=(now if each.missing_since is None else each.missing_since)
            if is_missing(report, each.key, native)
            else None,
        )
        for native, each in known.watched.items()
    }
    return replace(asked, out=out, complaint="", watched=watched)


def _line(key: str, native: str) -> str:
    number, _, cluster = native.partition(";")
    return f"{key} {number} {cluster or '-'}\n"


def _status(handle: JobHandle, report: Report, known: _Known) -> JobStatus:
    if handle.native_id not in known.asked:
        if created_at(handle.key) + REMEMBERED > known.asked_at:
            return JobStatus(state=JobState.PENDING)
        return JobStatus(state=JobState.UNKNOWN, reason_detail="it was not asked about lately")
    missing = known.watched[handle.native_id].missing_since
    return status_in(
        report,
        handle.key,
        handle.native_id,
        missing=known.asked_at if missing is None else missing,
        now=known.asked_at,
    )
