"""A scripted Slurm: sbatch, squeue, sacct, scancel, scontrol, srun, by the name it is called by.

Its world is one file, which tests change as they please (see world.py). Each call is noted. It
starts in ten milliseconds: no site, no json, no re.
"""

from __future__ import annotations

import fcntl
import marshal
import os
import sys
import time

TYPE_CHECKING = False  # typing takes longer to import than all of the rest.
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any

    World = dict[str, Any]
    Job = dict[str, Any]

KILL = 9
ENDED = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "PREEMPTED", "NODE_FAIL", "OUT_OF_MEMORY")


class Answer:
    """What a command prints, and its exit code."""

    def __init__(self, out: str = "", err: str = "", code: int = 0) -> None:
        self.out, self.err, self.code = out, err, code


class Changing:
    """The world, alone; what was changed is kept."""

    def __init__(self, folder: str) -> None:
        self.path, self.lock = f"{folder}/world", f"{folder}/lock"

    def __enter__(self) -> World:
        self.held = os.open(self.lock, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(self.held, fcntl.LOCK_EX)
        self.world = read(self.path)
        return self.world

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with open(f"{self.path}.new", "wb") as file:  # noqa: PTH123
            marshal.dump(self.world, file)
        os.replace(f"{self.path}.new", self.path)  # noqa: PTH105
        os.close(self.held)


def read(path: str) -> World:
    """The world as it is."""
    with open(path, "rb") as file:  # noqa: PTH123
        found: World = marshal.load(file)  # noqa: S302 - Our own.
        return found


def main() -> None:
    """Do what the command of this name does, or what the test has put in its place."""
    name, words = os.path.basename(sys.argv[0]), sys.argv[1:]  # noqa: PTH119
    folder = os.path.dirname(os.path.dirname(os.path.abspath(sys.argv[0])))  # noqa: PTH100, PTH120
    note(folder, name, words)
    fault = taken(folder, name)
    answer = Answer()
    if fault is None or fault.get("act"):
        answer = act(folder, name, words)
    if fault is not None:
        if fault.get("mute"):
            answer.out = ""
        answer.out = fault.get("out", "") + answer.out
        answer.err += fault.get("err", "")
        answer.code = fault.get("code", answer.code)
        if fault.get("die"):
            end_session()
        time.sleep(fault.get("hang", 0))  # noqa: TID251 - A process of its own.
    sys.stdout.write(answer.out)
    sys.stdout.flush()
    sys.stderr.write(answer.err)
    sys.exit(answer.code)


def act(folder: str, name: str, words: list[str]) -> Answer:
    """What Slurm does when all is well."""
    if name in ("srun", "slurmd"):
        from tests.slurmfake import fakejobs

        code: int = fakejobs.ACTS[name](folder, words)
        return Answer(code=code)
    world = read(f"{folder}/world")
    if world["controller"] and name != "sacct":
        return Answer(err=f"{name}: error: {world['controller']}\n", code=1)
    if name in ("squeue", "sacct", "sinfo"):
        return {"squeue": squeue, "sacct": sacct, "sinfo": sinfo}[name](world, words)
    with Changing(folder) as changed:
        answer = {"sbatch": sbatch, "scancel": scancel, "scontrol": scontrol}[name](changed, words)
    if name == "sbatch" and world["runs"] and answer.code == 0:
        detach([f"{folder}/bin/slurmd", changed["jobs"][-1]["id"]])
    return answer


def note(folder: str, name: str, words: list[str]) -> None:
    """One line of the list of calls, by one write."""
    line = "\t".join([name, *(word.replace("\n", "\\n") for word in words)]) + "\n"
    fd = os.open(f"{folder}/calls", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(fd, line.encode("utf-8", "surrogateescape"))
    os.close(fd)


def taken(folder: str, name: str) -> World | None:
    """What the test has scripted for this call, if anything; an empty entry is a good call."""
    if not read(f"{folder}/world")["faults"].get(name):
        return None
    with Changing(folder) as world:
        waiting = world["faults"].get(name)
        return waiting.pop(0) if waiting else None


def options_of(words: list[str], letters: str = "") -> tuple[dict[str, str], list[str]]:
    """`--name=value` and `-Xvalue`, where `letters` take the next word; and what comes after."""
    options: dict[str, str] = {}
    rest = list(words)
    while rest and rest[0].startswith("-"):
        word = rest.pop(0)
        name, _, value = word.lstrip("-").partition("=")
        if not word.startswith("--"):
            name, value = word[1], word[2:]
            if not value and name in letters and rest:
                value = rest.pop(0)
        options[name] = value
    return options, rest


def now_in(world: World) -> float:
    """The time in the world, which a test may put forward."""
    return time.time() + float(world["clock"])


def state_of(job: Job, now: float) -> tuple[float, str, str]:
    """Since when, the word and the reason."""
    past = [each for each in job["states"] if each[0] <= now]
    since, word, reason = (past or job["states"])[-1 if past else 0]
    return since, word, reason


def ended(word: str) -> bool:
    """Whether this word is the end of a start."""
    return word.partition(" ")[0] in ENDED


def sbatch(world: World, words: list[str]) -> Answer:
    """Take the job, and print its id as the site does."""
    options, rest = options_of(words)
    if "version" in options:
        return Answer("slurm 22.05.8\n")
    now, number = now_in(world), str(world["next"])
    world["next"] += 1
    where = options.get("M") or options.get("clusters") or ""
    where = where.split(",")[-1]
    job = {
        "id": number,
        "name": options.get("job-name", ""),
        "comment": options.get("comment", ""),
        "cluster": where,
        "submitted": now,
        "argv": words,
        "script": spooled(rest[0], world["next"] - 1) if world["runs"] else rest[0],
        "output": options.get("output", "/dev/null"),
        "limit": seconds_of(options.get("time", "")),
        "warned": seconds_of(options.get("signal", "").partition("@")[2]),
        "env": dict(os.environ),
        "states": [[now + after, word, why] for after, word, why in world["states"]],
        "exit": world["exit"],
        "earlier": [],
        "restarts": 0,
    }
    world["jobs"].append(job)
    told = f"{number};{where or world['cluster']}" if where or world["names_cluster"] else number
    before, after = world["banners"]
    return Answer(f"{before}{told}\n{after}")


def seconds_of(text: str) -> int:
    """A length of time as Slurm has it, `1-02:00:00`; 0 if there is none."""
    days, _, rest = text.rpartition("-")
    seconds = 0
    for part in rest.split(":") if rest else ():
        seconds = seconds * 60 + int(part)
    return seconds + int(days or 0) * 86400


def spooled(script: str, number: int) -> str:
    """Where Slurm's own copy of a batch script is."""
    folder = os.path.dirname(os.path.dirname(os.path.abspath(sys.argv[0])))  # noqa: PTH100, PTH120
    copy = f"{folder}/script.{number}"
    with open(script, "rb") as source, open(copy, "wb") as target:  # noqa: PTH123
        target.write(source.read())
    return copy


def squeue(world: World, words: list[str]) -> Answer:
    """The jobs of the queue in the format asked for, or the steps of one."""
    options, _ = options_of(words, "jo")
    if "s" in options:
        steps = [step for step in world["steps"] if step.startswith(f"{options['j']}.")]
        return Answer("".join(f"{step}\n" for step in [*steps, f"{options['j']}.batch"]))
    now, where, lines = now_in(world), options.get("M", ""), ""
    for cluster in where.split(","):
        lines += f"CLUSTER: {cluster}\n" if cluster else ""
        for job in world["jobs"]:
            since, word, reason = state_of(job, now)
            old = ended(word) and now - since >= world["min_job_age"]
            if job["cluster"] != cluster or old or "gone" in job:
                continue
            cells = {"i": job["id"], "T": word.split()[0], "r": reason or "None", "S": "N/A"}
            cells |= {"V": f"{job['submitted']:.0f}", "N": "n1"}
            cells |= {"j": job["name"], "k": job["comment"] or "(null)"}
            line = options["format"]
            for letter, text in cells.items():
                line = line.replace(f"%{letter}", text)
            lines += f"{line}\n"
    before, after = world["noise"]
    return Answer(f"{before}{lines}{after}")


def sacct(world: World, words: list[str]) -> Answer:
    """What accounting has of the jobs asked for."""
    if world["accounting"]:
        return Answer(err=f"{world['accounting']}\n", code=1)
    options, _ = options_of(words, "jo")
    asked = (options.get("jobs") or options.get("j") or "").split(",")
    fields = (options.get("format") or options.get("o") or "").split(",")
    now, lines = now_in(world) - world["lag"], ""
    for job in world["jobs"]:
        if job["id"] not in asked or now < job["submitted"]:
            continue
        since, word, _ = state_of(job, now)
        for start, end, state, text in [*job["earlier"], (0, since, word, job["exit"])]:
            over = ended(state) or state == "REQUEUED"
            cells = {"JobID": job["id"], "State": state, "ExitCode": text if over else "0:0"}
            cells |= {"Submit": f"{job['submitted']:.0f}", "Start": f"{start or since:.0f}"}
            cells |= {"End": f"{end:.0f}" if over else "Unknown", "JobName": job["name"]}
            cells["NodeList"] = ",".join(world["nodes"])
            lines += "|".join(cells.get(field, "") for field in fields) + "\n"
    return Answer(lines)


def sinfo(world: World, words: list[str]) -> Answer:
    """The nodes, or those asked for, in the format asked for."""
    options, _ = options_of(words, "no")
    asked = options.get("n") or options.get("nodes")
    form, lines = options.get("o") or options["format"], ""
    for node in asked.split(",") if asked else world["nodes"]:
        condition = world["conditions"].get(node, "idle")
        lines += form.replace("%N", node).replace("%T", condition) + "\n"
    return Answer(lines)


def scancel(world: World, words: list[str]) -> Answer:
    """Signal or end what is in the state asked for."""
    options, numbers = options_of(words)
    sign = options.get("signal", "")
    for number in numbers:
        if "." in number:
            for pid in world["steps"].get(number, ()):
                send(pid, sign)
            continue
        for job in world["jobs"]:
            _, word, _ = state_of(job, now_in(world))
            if job["id"] != number or options.get("state", word) != word or ended(word):
                continue
            if not job.get("pid"):
                job["states"].append([now_in(world), "CANCELLED by 0", ""])
            elif "batch" in options:
                send(job["pid"], sign)
            else:
                job["verdict"] = "CANCELLED by 0"
                send(job["pid"], "KILL")
    return Answer()


def scontrol(world: World, words: list[str]) -> Answer:
    """Show the configuration, a job or the names of hosts; queue a job again."""
    words = [word for word in words if word != "-o"]
    if words[:2] == ["show", "config"]:
        return Answer(f"Configuration data\nClusterName             = {world['cluster']}\n")
    if words[:2] == ["show", "hostnames"]:
        return Answer("".join(f"{host}\n" for host in words[2].split(",")))
    (job,) = [job for job in world["jobs"] if job["id"] == words[-1]]
    if words[:2] == ["show", "job"]:
        _, word, _ = state_of(job, now_in(world))
        word, taking = job.get("verdict") or word, job.get("preempted", "None")
        return Answer(f"JobId={job['id']} JobState={word} Reason=None PreemptTime={taking}\n")
    job["requeue"] = "REQUEUED"
    send(job["pid"], "TERM")
    return Answer()


def send(pid: int, name: str) -> None:
    """Signal a process that may have gone."""
    import signal

    try:
        os.kill(pid, signal.Signals[f"SIG{name}"])
    except ProcessLookupError:
        return


def end_session() -> None:
    """Kill all of this session, as when the login host kills it."""
    for pid in [int(each) for each in os.listdir("/proc") if each.isdecimal()]:  # noqa: PTH208
        try:
            if pid != os.getpid() and os.getsid(pid) == os.getsid(0):
                os.kill(pid, KILL)
        except ProcessLookupError:
            continue
    os.kill(os.getpid(), KILL)


def detach(argv: list[str]) -> None:
    """Start a program in a session of its own, that nobody waits for."""
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    nothing = os.open("/dev/null", os.O_RDWR)
    for stream in range(3):
        os.dup2(nothing, stream)
    os.execv(argv[0], argv)  # noqa: S606
