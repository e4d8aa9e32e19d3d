"""The files that a job needs beside job.sh."""

from pathlib import Path


def payload_files(config: str | None, *more: str) -> dict[str, str]:
    """Path in the job's folder to text; `config` is the text of config.json, None for a command.

    `more` are further files of `job/`.
    """
    job = Path(__file__).with_name("job")
    files = {name: job / name for name in ("worker.py", "builder.py", *more)}
    if config is not None:
        files |= {
            "shim/fiddle/__init__.py": job / "shim" / "fiddle.py",
            "shim/nemorun_cli/__init__.py": job / "shim" / "nemorun_cli.py",
            "shim/nemorun_cli/track.py": Path(__file__).with_name("track.py"),
            "shim/nemorun_cli/job/__init__.py": job / "__init__.py",
            "shim/nemorun_cli/job/track.py": job / "track.py",
        }
    texts = {name: path.read_text(encoding="utf-8") for name, path in files.items()}
    texts |= recorder_files()
    return texts if config is None else texts | {"config.json": config}


def recorder_files() -> dict[str, str]:
    """The same, for any job: what records its environment."""
    return _job_file("environment.py")


def layingout_files() -> dict[str, str]:
    """The same, for a job whose code may not be whole in the store: what lays it out."""
    return _job_file("layingout.py")


def _job_file(name: str) -> dict[str, str]:
    return {name: Path(__file__).with_name("job").joinpath(name).read_text(encoding="utf-8")}
