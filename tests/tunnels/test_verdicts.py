"""What `ssh` says, as it was recorded, and what that means for the script."""

import pytest

from nemorun_cli.core.errors import NotSentError, RefusedError, UnreachableError
from nemorun_cli.tunnels import verdicts
from nemorun_cli.tunnels.hosts import Target

BOX = Target(host="box", config="my config")
CHANGED = """\
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@\r
@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\r
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@\r
IT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!\r
Someone could be eavesdropping on you right now (man-in-the-middle attack)!\r
The fingerprint for the ED25519 key sent by the remote host is\r
SHA256:6nmwC2sGEBqOSLHSdKVHKjvUrQvgQNuzRzsXg2q4X/U.\r
Add correct host key in /home/me/my keys to get rid of this message.\r
Offending ED25519 key in /home/me/my keys:3\r
Host key for [cw.example]:2222 has changed and you have requested strict checking.\r
Host key verification failed.\r
"""
UNFORWARDED = """\
channel 0: open failed: connect failed: Connection refused\r
stdio forwarding failed\r
Connection closed by UNKNOWN port 65535\r
"""
CLOSED = """\
kex_exchange_identification: Connection closed by remote host\r
Connection closed by 10.0.0.1 port 22\r
"""
RESET = """\
kex_exchange_identification: read: Connection reset by peer\r
Connection reset by 10.0.0.1 port 22\r
"""
TOO_MANY = """\
Received disconnect from 10.0.0.1 port 22:2: Too many authentication failures\r
Disconnected from 10.0.0.1 port 22\r
"""
OLD_KEYS = """\
Unable to negotiate with 10.0.0.1 port 22: no matching host key type found. Their offer: ssh-rsa\r
"""
NOT_SENT = (
    "ssh: Could not resolve hostname cw: Name or service not known\r\n",
    "ssh: Could not resolve hostname cw: Temporary failure in name resolution\r\n",
    "ssh: connect to host cw port 22: Connection refused\r\n",
    "ssh: connect to host cw port 22: Connection timed out\r\n",
    "ssh: connect to host cw port 22: No route to host\r\n",
    "ssh: connect to host cw port 22: Network is unreachable\r\n",
    "ssh: connect to host cw port 22: Operation timed out\r\n",
    "Connection timed out during banner exchange\r\nConnection to 10.0.0.1 port 22 timed out\r\n",
    CLOSED,
    RESET,
    UNFORWARDED,
)
REFUSED = (
    "Host key verification failed.\r\n",
    "me@cw: Permission denied (publickey,gssapi-with-mic).\r\n",
    "me@jump: Permission denied (publickey).\r\nConnection closed by UNKNOWN port 65535\r\n",
    "Bad owner or permissions on /home/me/.ssh/config\r\n",
    TOO_MANY,
    OLD_KEYS,
    CHANGED,
)
UNKNOWN = (
    "",
    "bash: warning: setlocale: LC_ALL: cannot change locale (de_DE.UTF-8)\n",
    "client_loop: send disconnect: Broken pipe\r\n",
    "Connection to cw closed by remote host.\r\n",
    "/home/me/.bashrc: line 3: /opt/site/env.sh: Permission denied\n",
)


@pytest.mark.parametrize("messages", NOT_SENT)
def test_what_fails_before_there_is_a_session_has_not_been_sent(messages: str) -> None:
    error = verdicts.before(BOX, messages, code=255, by_hand="")

    assert type(error) is NotSentError
    assert messages.splitlines()[-1].strip() in error.message


@pytest.mark.parametrize("messages", REFUSED)
def test_a_key_or_a_person_that_is_not_accepted_is_refused(messages: str) -> None:
    assert type(verdicts.before(BOX, messages, code=255, by_hand="")) is RefusedError


@pytest.mark.parametrize("messages", UNKNOWN)
@pytest.mark.parametrize("code", [255, -9, None])
def test_of_the_rest_nothing_is_known(messages: str, code: int | None) -> None:
    assert type(verdicts.before(BOX, messages, code=code, by_hand="")) is UnreachableError


def test_a_changed_key_comes_with_the_way_to_forget_the_old_one() -> None:
    error = verdicts.before(BOX, CHANGED, code=255, by_hand="")

    assert "Host key for [cw.example]:2222 has changed" in error.message
    assert "ssh-keygen -f '/home/me/my keys' -R '[cw.example]:2222'" in error.hint


def test_a_key_that_is_not_known_is_accepted_by_hand_alone() -> None:
    error = verdicts.before(BOX, "Host key verification failed.\r\n", code=255, by_hand="no")

    assert error.hint.endswith("ssh -F 'my config' box")


@pytest.mark.parametrize("ways", ["publickey,keyboard-interactive", "publickey,password"])
def test_where_a_person_is_needed_the_hint_is_to_log_in_by_hand(ways: str) -> None:
    messages = f"me@cw: Permission denied ({ways}).\r\n"

    error = verdicts.before(BOX, messages, code=255, by_hand="ssh -fNM box")

    assert "ssh -fNM box" in error.hint


def test_a_login_shell_that_ends_too_early_has_not_run_the_script() -> None:
    error = verdicts.before(BOX, "This account is currently not available.\n", code=1, by_hand="")

    assert type(error) is RefusedError
    assert "This account is currently not available." in error.message


def test_after_it_has_begun_nothing_says_that_it_has_not_run() -> None:
    for messages in (*NOT_SENT, *REFUSED, *UNKNOWN):
        assert type(verdicts.midway("box", messages, code=255)) is UnreachableError
    told = verdicts.midway(
        "box", "its own\nclient_loop: send disconnect: Broken pipe\r\n", code=255
    )
    assert told.message.endswith("client_loop: send disconnect: Broken pipe")
