"""The scripts of sh that ask Slurm for something on a host that has it: one trip each."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from nemorun_cli.core.ports import Finished
from nemorun_cli.slurm.reading import SACCT_FIELDS, SQUEUE_FORMAT


def enquiry(folder: str, *, token: str) -> str:
    """Asks how jobs are; its standard input names them, a line each: `key id cluster`.

    One squeue, and one sacct at most, for each cluster. Prints parts headed by lines that begin
    with `token`, which `report` reads.
    """
    names = {"folder": folder, "token": token, "format": SQUEUE_FORMAT, "fields": SACCT_FIELDS}
    return _script(names, "clean", "enquire")


def submission(  # noqa: PLR0913
    folder: str,
    key: str,
    argv: Sequence[str],
    *,
    token: str,
    nonce: str,
    size: int,
    cluster: str | None,
) -> str:
    """Unpacks a job's folder, a tar of this size on standard input, and submits it, once.

    Safe to repeat with the same nonce, and after a connection broke. Its last line is `token` and
    what came of it.
    """
    names = {"folder": folder, "key": key, "token": token, "nonce": nonce, "size": str(size)}
    names["only"] = _only(cluster)
    return _script(names, "clean", "holding", "submit", arguments=argv)


def search(folder: str, key: str, *, token: str, final: bool, cluster: str | None) -> str:
    """Looks for the job of a key. With `final`, one that is not there can never come any more."""
    names = {"folder": folder, "key": key, "token": token, "final": str(int(final))}
    return _script({**names, "only": _only(cluster)}, "clean", "holding", "find")


def cancellation(folder: str, *, cluster: str | None) -> str:
    """Asks jobs of one cluster to end; its standard input names them, a line each: `key id`."""
    return _script({"folder": folder, "only": _only(cluster)}, "clean", "cancel")


def examination(folder: str, *, token: str) -> str:
    """Looks whether a launch would find what it needs; `examining` reads what it prints."""
    return _script({"folder": folder, "token": token}, "clean", "examine")


def answer(out: str, token: str) -> tuple[str, str]:
    """The word that a script said at its end, and what came with it; empty if it said nothing."""
    for line in reversed(out.splitlines()):
        if line.startswith(f"{token} "):
            word, _, rest = line[len(token) + 1 :].partition(" ")
            return word, rest
    return "", ""


def complaint(finished: Finished) -> str:
    """What a script that gave no answer said last."""
    lines = (finished.err or finished.out).decode("utf-8", "surrogateescape").strip().splitlines()
    return lines[-1] if lines else f"exit code {finished.code}"


def _only(cluster: str | None) -> str:
    return f"-M{cluster}" if cluster else ""


def _script(names: Mapping[str, str], *parts: str, arguments: Sequence[str] = ()) -> str:
    folder = Path(__file__).with_name("sh")
    lines = [f"{name}={shlex.quote(value)}\n" for name, value in names.items()]
    if arguments:
        lines.append(f"set -- {shlex.join(arguments)}\n")
    texts = [(folder / f"{part}.sh").read_text(encoding="utf-8") for part in parts]
    return "".join([*lines, *texts])
