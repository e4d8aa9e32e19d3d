"""How a script travels through any login shell, and how its answer is told from the noise.

Whatever shell a host starts, it is given one line of harmless ASCII. What the script writes comes
back between marks that nobody can guess; what a shell prints at its start lies outside of them.
"""

import base64
import re
import secrets
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field

from nemorun_cli.core.errors import SpecError
from nemorun_cli.core.ports import Finished

# execve(2): no single argument may be longer than 128 KiB, its end included.
_LONGEST = 131_071
_ROOM = 16  # what follows the end mark: the exit code

# sh, csh and fish read this line alike: no newline, backslash or exclamation mark in the quotes.
_LINE = (
    """exec sh -c 'nr_login={login}; nr_code={code}; eval "$(printf %s "$nr_code" | base64 -d)"'"""
)

# `nr_login` is never once the login shell has been asked, or back if it kept descriptors 7 to 9:
# they hold standard input, output and error while login files, which may read and print, are run.
# While the script runs, descriptor 3 is standard error: what this shell says of a killed script is
# not the script's own.
_BOOT = r"""
case $nr_login in auto)
    for nr_each in {needs}; do
        command -v "$nr_each" >/dev/null 2>&1 || nr_login=always
    done ;;
esac
if [ "$nr_login" = always ]; then
    [ -x "${{SHELL-}}" ] || SHELL=/bin/sh
    nr_run='nr_code='$nr_code'; eval "$(printf %s "$nr_code" | base64 -d)"'
    export NEMORUN_PLAIN_PATH="$PATH"
    case $SHELL in
    *csh) exec "$SHELL" -c "if (-r /etc/csh.login) source /etc/csh.login
if (-r ~/.login) source ~/.login
exec sh -c 'nr_login=never; $nr_run'" ;;
    *) exec "$SHELL" -lc "exec sh -c 'nr_login=back; $nr_run'" \
        7<&0 8>&1 9>&2 </dev/null >/dev/null 2>&1 ;;
    esac
fi
if [ "$nr_login" = back ]; then exec <&7 >&8 2>&9 7<&- 8>&- 9>&-; fi
if [ -n "${{NEMORUN_PLAIN_PATH-}}" ]; then
    [ "$PATH" = "$NEMORUN_PLAIN_PATH" ] || PATH=$PATH:$NEMORUN_PLAIN_PATH
    unset NEMORUN_PLAIN_PATH
fi
unset nr_login nr_code nr_run nr_each SSH_ORIGINAL_COMMAND
cd 2>/dev/null
trap : HUP INT TERM
printf '<%s|' {nonce}
printf '<%s|' {nonce} >&2
exec 3>&2 2>/dev/null
(exec sh -c {script} 2>&3 3>&-)
nr_end=$?
printf '|%s>' {nonce} >&3
printf '|%s %d>' {nonce} "$nr_end"
exit 0
"""


@dataclass(frozen=True, kw_only=True)
class Framing:
    """One sending of one script: the line for the host's shell, and how to read what comes back."""

    script: str
    login: str = "auto"
    needs: Sequence[str] = ()
    nonce: str = field(default_factory=lambda: secrets.token_hex(16))

    @property
    def line(self) -> str:
        """The command line, for any login shell.

        SpecError for a script that is too long or holds a NUL.
        """
        if "\0" in self.script:
            raise SpecError("a script cannot hold a NUL", hint="send it as data")
        boot = _BOOT.format(
            needs=shlex.join(self.needs) or "sh",
            nonce=self.nonce,
            script=shlex.quote(self.script),
        )
        code = base64.b64encode(boot.encode("utf-8", "surrogateescape")).decode()
        line = _LINE.format(login=self.login, code=code)
        if len(line) >= _LONGEST:
            raise SpecError(
                f"a script of {len(self.script)} characters is too long to be sent",
                hint="send the bulk of it as data",
            )
        return line

    def complete(self, out: bytearray, err: bytearray, fresh: int) -> bool:
        """Whether both end marks are there, one of them within the last `fresh` bytes read.

        A stream that a script's own background process keeps open is not waited for.
        """
        mark = fresh + len(self._end) + _ROOM
        if self._end not in out[-mark:] and self._end not in err[-mark:]:
            return False
        return self._end + b">" in err and self._code(out) is not None

    def begun(self, out: bytes | bytearray, err: bytes | bytearray) -> bool:
        """Whether the script was started."""
        return self._begin in out or self._begin in err

    def finished(self, out: bytes | bytearray, err: bytes | bytearray) -> Finished | None:
        """The script's own answer; None if it was not seen to end."""
        code = self._code(out)
        if code is None or self._begin not in out:
            return None
        return Finished(code=code, out=self._inner(out), err=self._inner(err))

    def _code(self, out: bytes | bytearray) -> int | None:
        ended = re.match(rb" (\d{1,5})>", out[out.rfind(self._end) + len(self._end) :])
        return int(ended[1]) if ended and self._end in out else None

    def _inner(self, stream: bytes | bytearray) -> bytes:
        start = stream.find(self._begin)
        end = stream.rfind(self._end)
        if start < 0:
            return b""
        return bytes(stream[start + len(self._begin) : end if end >= 0 else None])

    @property
    def _begin(self) -> bytes:
        return f"<{self.nonce}|".encode()

    @property
    def _end(self) -> bytes:
        return f"|{self.nonce}".encode()
