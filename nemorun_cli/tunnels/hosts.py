"""What can be the name of a host."""

from nemorun_cli.core.errors import UsageError


def check_host(host: str) -> None:
    """UsageError for what `ssh` would take for an option, or for several words."""
    if not host or host.startswith("-") or " " in host or not host.isprintable():
        raise UsageError(f"{host!r} is no host", hint="give what you would type after `ssh`")
