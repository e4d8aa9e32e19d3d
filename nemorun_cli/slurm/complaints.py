"""What Slurm's commands complain of on standard error, and how to take it.

The texts are those of Slurm's table of errors (slurm_errno.c, 17.02 to 25.11) and of reports.
"""

import re

from nemorun_cli.slurm.limits import limit

_DISABLED = re.compile(
    r"accounting storage is disabled|accounting_storage/(?:none|filetxt)"
    r"|not running a supported accounting_storage plugin",
    re.IGNORECASE,
)
_DOWN = re.compile(
    r"slurmdbd|problem talking to the database|unable to connect to database"
    r"|database connection reference is invalid|persist(?:ent|init|_conn)",
    re.IGNORECASE,
)
_BUSY = re.compile(
    r"socket timed out|unable to contact slurm controller|unexpected message received"
    r"|zero bytes were transmitted|communication (?:connection|shutdown) failure"
    r"|message (?:send|receive) failure|connection timed out|connection re(?:fused|set)"
    r"|connection (?:rejected|forced closed)|header lengths are longer|insane message length"
    r"|rate limit exceeded|temporarily (?:unable|disabled|unavailable)|in standby mode"
    r"|unable to load job state|process is shutting down|unable to create job record"
    r"|unable to establish control|transport endpoint is not connected|no route to host"
    r"|clusters can be reached now|try again in a bit|network is unreachable",
    re.IGNORECASE,
)
_PREFIX = re.compile(r"(?:sbatch|srun|salloc): (?:(?:error|fatal): )?", re.IGNORECASE)
_FAILED = re.compile(r"Batch job submission failed: (.*)")
_NO_CLUSTER = re.compile(r"fatal: (.*configuration (?:source|file).*?)[.\s]*$", re.MULTILINE)
_NOISE = re.compile(
    r"[\W_]*|try .*for more information\.?|.*retrying.*|warning:.*|submitted batch job .*",
    re.IGNORECASE,
)


def accounting_disabled(stderr: str) -> bool:
    """Whether sacct says that this cluster keeps no accounting; it will say so for ever."""
    return _DISABLED.search(stderr) is not None


def accounting_down(stderr: str) -> bool:
    """Whether sacct could not reach the accounting database; it may, later."""
    return not accounting_disabled(stderr) and _DOWN.search(stderr) is not None


def controller_busy(stderr: str) -> bool:
    """Whether the controller did not answer, or not in time; it may, later.

    What was asked of it may have happened all the same: sbatch reports a time-out for jobs that
    were taken. Look for the job before trying again.
    """
    failed = _FAILED.findall(stderr)
    return _BUSY.search(failed[-1] if failed else stderr) is not None


def invalid_job_id(stderr: str) -> bool:
    """Whether squeue or scancel knows none of the ids asked for: these jobs have left the queue."""
    return "invalid job id" in stderr.lower()


def refusal(stderr: str) -> str:
    """Why sbatch took no job, in one line without its prefixes; empty if it says nothing.

    What the controller said comes first, then the more precise lines before it, such as the name
    of a limit or what the site's own rules say.
    """
    if alone := _NO_CLUSTER.search(stderr):
        return alone[1]
    said = ""
    errors: list[str] = []
    others: list[str] = []
    for raw in stderr.splitlines():
        line = " ".join(raw.split())
        prefix = _PREFIX.match(line)
        text = line[prefix.end() :] if prefix else line
        if failed := _FAILED.search(text):
            said = failed[1]
        elif not _NOISE.fullmatch(text):
            error = prefix is not None and prefix[0].lower().endswith(("error: ", "fatal: "))
            (errors if error else others).append(text)
    told = [*([said] if said else []), *errors[:3]] or others[-1:]
    return ": ".join(dict.fromkeys(each.rstrip(".:") for each in told))


def advice(refusal: str) -> str:
    """What to do about a refusal; empty for one that speaks for itself."""
    for word in re.findall(r"[A-Za-z]{6,}", refusal):
        if found := limit(word.lower()):
            return found[0][1]
    told = refusal.lower()
    return next((hint for pattern, hint in _ADVICE.items() if re.search(pattern, told)), "")


_YOURS = "`sacctmgr show associations user=$USER format=account,partition,qos` lists yours"
_OTHER_PARTITION = "set another partition with `-x partition=`"
_ADMINISTRATORS = "ask the administrators"
_ADVICE = {
    r"accounting/qos policy": (
        f"fewer jobs, less time or fewer resources may pass, or another QOS (`-x qos=`); {_YOURS}"
    ),
    r"invalid account|account/partition|unknown association|no account|specify an? .*account": (
        f"set another account with `-x account=`; {_YOURS}"
    ),
    r"invalid partition|no partition specified": f"{_OTHER_PARTITION}; `sinfo -s` lists them",
    r"not permitted to use this partition|nodes not in this partition": (
        f"{_OTHER_PARTITION}; `scontrol show partition` tells who may use which"
    ),
    r"partition.*(?:not available \(|down state)": (
        f"it takes no jobs now; {_OTHER_PARTITION}; `sinfo -s` lists them"
    ),
    r"no cluster|--cluster": "`sacctmgr show clusters` lists what `-x clusters=` may name",
    r"invalid qos|qos.*not permitted": f"set another QOS with `-x qos=`; {_YOURS}",
    r"time limit|time-min|invalid --time": (
        "set a time with `-x time=`; `sinfo -o '%P %l'` shows the longest of each partition"
    ),
    r"memory (?:specification|required)|invalid --mem": (
        "ask for less memory with `-x mem=`; `sinfo -o '%P %m'` shows how many MB the nodes have"
    ),
    r"configuration (?:is )?not available|more processors requested|cpu count|node count": (
        "no nodes of this partition have all of it together; `sinfo -o '%P %D %c %m %G'` shows "
        "their number, cores, memory and GPUs"
    ),
    r"generic resource|\bgres\b|\btres\b": (
        "`sinfo -o '%P %G'` shows which GPUs there are, and what they are called here"
    ),
    r"feature": "`sinfo -o '%P %f'` shows what `-x constraint=` may name",
    r"invalid node name|required node": "`sinfo -N` lists what `-x nodelist=` may name",
    r"wckey": "set another with `-x wckey=`; `sacctmgr show wckeys user=$USER` lists yours",
    r"licen[sc]e": "`scontrol show licenses` lists what `-x licenses=` may name",
    r"reservation": "`scontrol show reservation` lists them, and who may use them",
    r"dependency": "a job that it is to follow is unknown to Slurm, or ended too long ago",
    r"maxjobcount|queue full": "the cluster has as many jobs as it can hold; try again later",
    r"submissions? (?:are )?disabled": "the site takes no jobs now; try again later",
    r"i/o error writing|no space left": f"the controller's disk may be full; {_ADMINISTRATORS}",
    r"too long": "use shorter paths, or set fewer environment variables",
    r"configuration (?:source|file)": (
        "Slurm's programs are here, and know of no cluster: set SLURM_CONF, or name a host that "
        "has one with `-x host=`"
    ),
    r"incompatible versions": "the sbatch that is found first is of another version than Slurm",
    r"authentication|credential|munge": f"Slurm's login fails on this host; {_ADMINISTRATORS}",
    r"invalid user id": f"the cluster does not know your user; {_ADMINISTRATORS}",
    r"access/permission denied": f"you may not do this here; {_ADMINISTRATORS}",
    r"unrecognized option|invalid option": "this version of Slurm does not know the option",
    r"command not found|no such file or directory": (
        "sbatch is not on PATH there; `nemorun doctor` tells more"
    ),
    r"unspecified error": (
        "the site's own rules may have refused it without saying why; many ask for an account, "
        "a partition or a time"
    ),
}
