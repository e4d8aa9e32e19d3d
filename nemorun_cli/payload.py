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
            "shim/nemorun_cli/job/__init__.py": job / "__init__.py",
            "shim/nemorun_cli/job/track.py": job / "track.py",
        }
    texts = {name: path.read_text(encoding="utf-8") for name, path in files.items()}
    return texts if config is None else texts | {"config.json": config}
