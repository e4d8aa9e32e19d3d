"""Whether a cluster has what a launch needs, as the host that is asked tells it."""

import secrets
import time
from collections.abc import Iterator

from nemorun_cli.core.errors import NemorunError
from nemorun_cli.core.ports import Tunnel
from nemorun_cli.slurm import scripts

_MOST_SKEW = 60.0


def examine(way: Tunnel, folder: str) -> Iterator[tuple[str, bool, str]]:
    """One (what, whether it is in order, what was seen) for each thing; one trip.

    Writes a file to the job folder, asks for a node for a moment to look at it, and removes it.
    """
    token = f"@{secrets.token_hex(8)}"
    begun = time.time()
    try:
        finished = way.run(scripts.examination(folder, token=token), timeout=120)
    except NemorunError as error:
        yield "host", False, f"{error.message}{f' ({error.hint})' if error.hint else ''}"
        return
    yield "host", True, f"{way.host or 'this machine'}, {time.time() - begun:.1f} s for all answers"
    for line in finished.out.decode(errors="replace").splitlines():
        if not line.startswith(f"{token} "):
            continue
        what, word, seen = (*line[len(token) + 1 :].split("|", 2), "", "")[:3]
        if what == "clock":
            # The host's clock was read somewhere between our two looks.
            skew = max(begun - float(word), float(word) - time.time(), 0.0)
            yield "clock", skew < _MOST_SKEW, f"{skew:.0f} s apart"
        else:
            yield what, word == "ok", seen
