"""The executors there are: ours by name, others by entry point `nemorun.executors`."""

from importlib import import_module

from nemorun_cli.core.errors import MissingExtraError, NemorunError, UsageError
from nemorun_cli.core.ports import Executor

GROUP = "nemorun.executors"
BUILT_IN = {
    "local": "nemorun_cli.executors.local:LocalExecutor",
    "docker": "nemorun_cli.executors.docker:DockerExecutor",
    "slurm": "nemorun_cli.executors.slurm:SlurmExecutor",
    "ray": "nemorun_cli.executors.ray:RayExecutor",
}
_EXTRAS = {"docker": "docker", "paramiko": "ssh", "ray": "ray"}


def load(name: str) -> type[Executor]:
    """The class of the executor of this name; imports it and nothing else.

    UsageError when there is none, MissingExtraError when a package that it needs is missing. A
    plug-in that cannot be imported breaks only itself.
    """
    place = BUILT_IN.get(name) or plug_ins().get(name)
    if place is None:
        raise UsageError(
            f"no executor named {name!r}",
            hint=f"there are: {', '.join(names())}; `nemorun executors` tells more",
        )
    module, _, attribute = place.partition(":")
    try:
        found: type[Executor] = getattr(import_module(module), attribute)
    except ModuleNotFoundError as error:
        raise _missing(name, error) from None
    except Exception as error:  # A plug-in may fail in any way.
        raise NemorunError(f"the executor {name!r} cannot be loaded: {error}") from error
    return found


def names() -> list[str]:
    """All names there are, ours first."""
    return [*BUILT_IN, *sorted(plug_ins().keys() - BUILT_IN.keys())]


def plug_ins() -> dict[str, str]:
    """What installed packages offer: name to `module:class`."""
    from importlib.metadata import entry_points

    return {point.name: point.value for point in entry_points(group=GROUP)}


def _missing(name: str, error: ModuleNotFoundError) -> NemorunError:
    package = (error.name or "").partition(".")[0]
    extra = _EXTRAS.get(package)
    hint = f"pip install 'nemorun-cli[{extra}]'" if extra else f"install {package!r}"
    return MissingExtraError(
        f"the executor {name!r} needs the package {package!r}, which is not installed",
        hint=hint,
    )
