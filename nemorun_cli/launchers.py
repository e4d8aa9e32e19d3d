"""How processes start inside a job, and the script that starts them."""

import os
import re
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from types import MappingProxyType

from nemorun_cli.core.errors import SpecError
from nemorun_cli.core.jobs import JobSpec
from nemorun_cli.core.retrying import counts

_PYTHON = re.compile(r"(python|pypy)[0-9.]*")
ARGUMENT_LIMIT = 128 * 1024
"""Bytes of one argument, its closing NUL included (execve(2), MAX_ARG_STRLEN)."""


_MAIN = """
if [ "${1:-}" = reap ]; then
    reap
else
    begin
    await_parents
    run_all
fi
"""

JOB_VARIABLES = frozenset(
    {
        "NEMORUN_RUN_ID",
        "NEMORUN_KEY",
        "NEMORUN_RUN_DIR",
        "NEMORUN_ATTEMPT",
        "NEMORUN_NUM_NODES",
        "NEMORUN_NODE_RANK",
        "NEMORUN_HEAD_ADDR",
        "NEMORUN_GPUS_PER_NODE",
        "NEMORUN_METRICS",
        "NEMORUN_CODE_DIR",
        "NEMORUN_RANK_LOGS",
    },
)
"""What a job's environment tells it about itself, and no other job."""


def job_script(spec: JobSpec, directory: str, *, python: str, lays_out: bool = False) -> str:
    """The whole of job.sh for a job that lives in `directory`. Pure; holds no secret.

    `lays_out`: it has its snapshot laid out, on the store's own disk, should that not be done yet.
    SpecError for an argument that no system could carry.
    """
    command = payload(spec, directory, python=python)
    refuse_uncarriable(spec, command)
    start = (recording(spec, python), f"exec setsid {shlex.join(command)}")
    if not lays_out or spec.code is None:
        return assemble(spec, directory, start=start)
    return assemble(
        spec,
        directory,
        start=("lay_out || exit 70", *start),
        variables={"snapshot": spec.code.path, "laid_out_by": sys.executable},
        parts=("layingout.sh",),
    )


def assemble(
    spec: JobSpec,
    directory: str,
    *,
    start: Sequence[str],
    variables: Mapping[str, str] = MappingProxyType({}),
    parts: Sequence[str] = (),
) -> str:
    """A job.sh whose payload these lines of sh start, in the working folder. Pure.

    `variables` change what the script knows of the job; `parts` are files of `job/` that replace
    functions of job.sh.
    """
    known = {**_variables(spec, directory), **variables}
    head = [
        "#!/bin/sh",
        f"# {spec.key}: {_comment(spec.name)}",
        *(f"{name}={shlex.quote(value)}" for name, value in known.items()),
        "",
        "await_parents() {",
        *(f"    after {d.condition} {shlex.quote(d.directory)}" for d in spec.after),
        "    return 0",
        "}",
        "",
        "run_payload() {",
        *(f"    export {name}={shlex.quote(value)}" for name, value in spec.env.items()),
        *(f"    export {line}" for line in _exports(spec, directory)),
        f"    cd {shlex.quote(_workdir(spec, directory))} || exit 70",
        *(f"    {line}" for line in start),
        "}",
        "",
    ]
    folder = Path(__file__).with_name("job")
    texts = [(folder / name).read_text(encoding="utf-8") for name in ("job.sh", *parts)]
    return "\n".join(["\n".join(head), *texts, _MAIN])


def recording(spec: JobSpec, python: str) -> str:
    """The line of a payload that has its environment recorded, by the interpreter that runs it."""
    return f"record {shlex.quote(interpreter(spec, python))}"


def interpreter(spec: JobSpec, python: str) -> str:
    """The Python that runs the payload, where `python` is that of recipes.

    For a command line the one it begins with; or, unless the settings name one, the one that is
    found where the job runs.
    """
    if spec.argv is None or spec.resources.launcher != "plain":
        return python
    named = spec.argv and _PYTHON.fullmatch(PurePosixPath(spec.argv[0]).name)
    return spec.argv[0] if named else spec.resources.python or "python3"


def refuse_uncarriable(spec: JobSpec, command: Sequence[str]) -> None:
    """SpecError for an argument or a variable that no system could pass to a program."""
    for argument in (*command, *(f"{name}={value}" for name, value in spec.env.items())):
        shown = f"{argument[:40]!r}"
        if "\0" in argument:
            raise SpecError(
                f"argument {shown} holds a NUL character, which no system can pass to a program",
            )
        if len(argument.encode("utf-8", "surrogateescape")) >= ARGUMENT_LIMIT:
            raise SpecError(
                f"argument {shown}... is over 128 KiB, which no system can pass to a program",
                hint="put it in a file and pass the file's name",
            )


def inherited(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """This environment, less what an outer job was told about itself."""
    return {name: value for name, value in environ.items() if name not in JOB_VARIABLES}


def active_python(environ: Mapping[str, str] = os.environ) -> str:
    """The interpreter of the active virtual environment, else the one that runs this tool."""
    active = environ.get("VIRTUAL_ENV")
    return f"{active}/bin/python" if active else sys.executable


def payload(spec: JobSpec, directory: str, *, python: str) -> list[str]:
    """The argv of one node's processes."""
    launcher = LAUNCHERS.get(spec.resources.launcher)
    if launcher is None:
        raise SpecError(
            f"no launcher named {spec.resources.launcher!r}",
            hint=f"use one of: {', '.join(sorted(LAUNCHERS))}",
        )
    return launcher(spec, directory, python)


def _plain(spec: JobSpec, directory: str, python: str) -> list[str]:
    if spec.resources.nproc > 1:
        raise SpecError(
            f"nproc={spec.resources.nproc} needs a launcher that starts several processes",
            hint="add -x launcher=torchrun",
        )
    if spec.argv is not None:
        return list(spec.argv)
    return [python, f"{directory}/worker.py"]


def _torchrun(spec: JobSpec, directory: str, python: str) -> list[str]:
    nodes = spec.resources.nodes
    worker = [python, f"{directory}/worker.py"]
    if spec.argv is not None:
        worker += ["--", *spec.argv]
    return [
        *(python, "-m", "torch.distributed.run"),
        # On several nodes, which one this is and where they meet is told by the environment.
        *(["--standalone"] if nodes == 1 else []),
        f"--nnodes={nodes}",
        f"--nproc-per-node={spec.resources.nproc}",
        "--no-python",
        *worker,
    ]


LAUNCHERS: Mapping[str, Callable[[JobSpec, str, str], list[str]]] = {
    "plain": _plain,
    "torchrun": _torchrun,
}


def _variables(spec: JobSpec, directory: str) -> dict[str, str]:
    ask = spec.resources
    return {
        "run_dir": directory,
        "NEMORUN_KEY": spec.key,
        "time_limit": str(ask.time or 0),
        "grace": str(ask.grace),
        "warning": "TERM",
        "lead": str(ask.grace),
        "retries": str(ask.retries),
        "retry": " ".join(f"{cause}={count}" for cause, count in counts(ask).items()),
        "retry_window": str(ask.retry_window or 0),
        "split_streams": str(int(ask.split_streams)),
        "stream": "0",
        "log_name": "0" if ask.launcher == "plain" else "launcher",
    }


def _exports(spec: JobSpec, directory: str) -> list[str]:
    ask = spec.resources
    values = {
        "NEMORUN_RUN_ID": spec.run_id,
        "NEMORUN_RUN_DIR": directory,
        "NEMORUN_NUM_NODES": str(ask.nodes),
        "NEMORUN_NODE_RANK": "0",
        "NEMORUN_HEAD_ADDR": "127.0.0.1",
        "NEMORUN_GPUS_PER_NODE": str(ask.gpus_per_node or 0),
        "NEMORUN_METRICS": f"{directory}/metrics.jsonl",
        # The snapshot is shared by all its runs: nothing may be written there.
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    if spec.code is not None:
        values["NEMORUN_CODE_DIR"] = spec.code.path
    if ask.launcher != "plain":
        values["NEMORUN_RANK_LOGS"] = "2" if ask.split_streams else "1"
    quoted = [f"{name}={shlex.quote(value)}" for name, value in values.items()]
    return [
        *quoted,
        *_python_path(spec),
        'NEMORUN_KEY="$NEMORUN_KEY"',
        'NEMORUN_ATTEMPT="$attempt"',
        # Output that waits in a buffer cannot be followed.
        'PYTHONUNBUFFERED="${PYTHONUNBUFFERED-1}"',
    ]


def _python_path(spec: JobSpec) -> list[str]:
    """The snapshot before what the environment has, which may be where the code is edited."""
    if spec.code is None or not spec.code.imports:
        return []
    folders = [str(PurePosixPath(spec.code.path, each)) for each in spec.code.imports]
    if any(":" in each for each in folders):
        raise SpecError(
            f"no Python can import from {spec.code.path}: it takes the colon for the end of a path",
            hint="set NEMORUN_HOME, or job_dir, to a folder without a colon in its path",
        )
    return [f'PYTHONPATH={shlex.quote(":".join(folders))}"${{PYTHONPATH:+:$PYTHONPATH}}"']


def _workdir(spec: JobSpec, directory: str) -> str:
    return str(PurePosixPath(directory, "work", spec.workdir))


def _comment(text: str) -> str:
    return " ".join(text.split())
