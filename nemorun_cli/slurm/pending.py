"""Why a job is not running yet, in words: wait, it never will, or ask the administrators.

The reasons are those of squeue(1), "JOB REASON CODES", of Slurm's page "Job Reason Codes" and of
the sentences that its controller writes in their place (squeue shows these as they are, scontrol
with underscores for blanks).
"""

import re
from dataclasses import dataclass
from typing import Literal

from nemorun_cli.core.jobs import NEVER
from nemorun_cli.slurm.limits import limit

Kind = Literal["wait", "never", "admin"]


@dataclass(frozen=True, kw_only=True)
class Pending:
    """What a pending reason means for the user."""

    kind: Kind
    text: str
    """One plain sentence that says what to do, without a period at its end."""


_RELEASE = "`scontrol release ID` lets it start"
_ASK = "ask the administrators"
_WAIT = {
    "none": "Slurm has not looked at it yet",
    "null": "Slurm has not looked at it yet",
    "invaildreason": "Slurm does not say why",
    "waitingforscheduling": "Slurm has not looked at it yet",
    "priority": "jobs of higher priority come first",
    "resources": "it is next, once enough nodes are free",
    "dependency": "the job that it is to follow has not ended",
    "begintime": "its time to begin has not come, which after a requeue takes two minutes",
    "licenses": "others use the licences that it needs (`-x licenses=`)",
    "reservation": "its reservation has not begun",
    "cleaning": "the nodes are still cleaning up after its earlier start",
    "prolog": "the site is preparing its nodes",
    "scheddefer": "Slurm has put off looking at it",
    "constraints": "no node that it may use is free now (`-x constraint=`)",
    "inactivelimit": "it did nothing for too long, and is queued again",
    "nonzeroexitcode": "it ended with an error, and is queued again",
    "raisedsignal": "it was ended by a signal, and is queued again",
    "timelimit": "it used up its time, and is queued again",
    "outofmemory": "it used more memory than it asked for (`-x mem=`), and is queued again",
    "jobarraytasklimit": "as many tasks of its array run as may run at once",
    "burstbufferresources": "the burst buffer is full",
    "burstbufferstagein": "its files are being staged in",
    "powernotavail": "others use the electric power that it needs",
    "powerreserved": "the electric power that it needs is reserved",
    "fedjoblock": "the clusters of the federation are agreeing on who starts it",
    "qosjoblimit": "as many jobs of its QOS run as may run at once",
    "qosresourcelimit": "the jobs of its QOS use all that they may use together",
    "qostimelimit": "the jobs of its QOS use all the time that they may use together",
    "associationjoblimit": "as many jobs of your account run as may run at once",
    "associationresourcelimit": "the jobs of your account use all that they may use together",
    "associationtimelimit": "the jobs of your account use all the time that they may use together",
}
_NEVER = {
    "dependencyneversatisfied": "the job it waits for has not ended as it must; cancel it",
    "partitiontimelimit": "it asks for more time than its partition allows; "
    "ask for less (`-x time=`) or use another one (`-x partition=`)",
    "partitionnodelimit": "it asks for more or fewer nodes than its partition allows, or for nodes "
    "that are down; change `-x nodes=` or `-x partition=`",
    "partitionconfig": "it asks for something that its partition does not allow; "
    "change `-x partition=` or what it asks for",
    "badconstraints": "no node can give what it asks for; ask for less, or change `-x constraint=`",
    "maxmemperlimit": "it asks for more memory per core or node than is allowed; "
    "ask for less (`-x mem=`)",
    "invalidaccount": "its account does not exist or is not yours; use another (`-x account=`)",
    "invalidqos": "its QOS does not exist or is not yours; use another (`-x qos=`)",
    "accountnotallowed": "its partition does not take its account; "
    "use another (`-x account=` or `-x partition=`)",
    "qosnotallowed": "its account or partition does not take its QOS; use another (`-x qos=`)",
    "reservationdeleted": "its reservation was deleted; use another, or none (`-x reservation=`)",
    "reservationinvalid": "its reservation is not one; use another, or none (`-x reservation=`)",
    "deadline": "it cannot end before its deadline; ask for less time (`-x time=`)",
    "jobhelduser": f"it is held by you or a coordinator of your account; {_RELEASE}",
}
_ADMIN = {
    "jobheldadmin": f"an administrator holds it; {_ASK} why",
    "jobholdmaxrequeue": f"it was requeued so often that Slurm holds it; find out why, then {_ASK}",
    "joblaunchfailure": f"its nodes could not launch it; {_ASK}",
    "nodedown": f"a node that it needs is down; wait, use others (`-x nodelist=`), or {_ASK}",
    "partitiondown": f"its partition is closed; wait, use another (`-x partition=`), or {_ASK}",
    "partitioninactive": f"its partition starts no jobs; use another (`-x partition=`), or {_ASK}",
    "frontenddown": f"the front end that would start it is down; wait, or {_ASK}",
    "systemfailure": f"Slurm itself, a file system or the network failed; {_ASK}",
    "burstbufferoperation": f"the burst buffer failed; {_ASK}",
    "qosusagethreshold": f"your account has used too much for its QOS; change `-x qos=`, or {_ASK}",
    "accountingpolicy": f"a limit of your account or QOS is in the way; {_ASK} which",
}
_BUSY = "nodes that it needs are busy or reserved for others; wait"
_SENTENCES: tuple[tuple[str, Kind, str], ...] = (
    (
        r"reqnodenotavail.*maintenance.*",
        "wait",
        "it would run into a maintenance; it starts after that, or sooner with less `-x time=`",
    ),
    (
        r"nodes required for job are down.*|required node not available.*",
        "wait",
        f"nodes that it needs are down, drained or kept for others; wait, and {_ASK} if that lasts",
    ),
    (
        r"(launch failed|user env retrieval failed|.*prolog.*).*held.*",
        "admin",
        f"it could not be launched, and is held; {_RELEASE} again; if it fails again, {_ASK}",
    ),
    (r".*requeued.*held.*", "never", f"it was put back into the queue, and is held; {_RELEASE}"),
    (r"(job )?held.*", "never", f"it is held; {_RELEASE}"),
    (r"burst.?buffer.*|.*stage.?in.*", "admin", f"the burst buffer failed; {_ASK}"),
    (
        r".*(not permitted to use this (partition|qos)|qos not (permitted|allowed)).*",
        "never",
        "its partition does not take your account, group or QOS; use another (`-x partition=`)",
    ),
    (r"required node.*|requested nodes are busy.*", "wait", _BUSY),
    (r"may be reserved.*", "wait", _BUSY),
)


def explain(reason: str) -> Pending:
    """What this pending reason means; one that nobody knows is shown as it is, to wait for.

    A `never` begins with these words: waiting will not help, and something has to be changed.
    """
    plain = " ".join(reason.strip().strip("()").replace("_", " ").split()).lower()
    if plain.startswith("reqnodenotavail") and "maintenance" not in plain:
        return _not_available(reason)
    for kind, text in (*_exact(plain), *_by_pattern(plain)):
        return Pending(kind=kind, text=_sentence(kind, text))
    return Pending(kind="wait", text=reason.strip().strip("()"))


def _sentence(kind: Kind, text: str) -> str:
    if kind == "never":
        return f"{NEVER}: {text}"
    return text if "wait" in text or kind == "admin" else f"{text}; wait"


def _exact(plain: str) -> list[tuple[Kind, str]]:
    code = plain.partition(":")[0].replace(" ", "") or "none"
    tables: tuple[tuple[Kind, dict[str, str]], ...]
    tables = (("wait", _WAIT), ("never", _NEVER), ("admin", _ADMIN))
    known: list[tuple[Kind, str]]
    known = [(kind, table[code]) for kind, table in tables if code in table]
    return known or limit(code)


def _by_pattern(plain: str) -> list[tuple[Kind, str]]:
    return [(kind, text) for pattern, kind, text in _SENTENCES if re.fullmatch(pattern, plain)]


def _not_available(reason: str) -> Pending:
    """squeue(1): nodes under UnavailableNodes are down; without any, they are merely busy."""
    down = re.search(r"UnavailableNodes:([^\s()]+)", reason)
    if down is None:
        return Pending(kind="wait", text=_BUSY)
    return Pending(kind="admin", text=f"nodes that it needs are down: {down[1]}; wait, or {_ASK}")
