"""The only place that knows the concrete classes behind the ports."""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from nemorun_cli import executors, processes
from nemorun_cli.core.jobs import Resources
from nemorun_cli.core.ports import Clock, Executor
from nemorun_cli.core.runs import RunRecord
from nemorun_cli.roots import home_folder
from nemorun_cli.store import origins
from nemorun_cli.store.files import Store

if TYPE_CHECKING:
    from nemorun_cli.store.index import Index


@dataclass(frozen=True, kw_only=True)
class Ports:
    """What an action works with."""

    store: Store
    index: "Index"
    clock: Clock = time.time

    def executor_of(self, record: RunRecord) -> Executor:
        """The executor that holds this run, as it was launched; settings files play no part.

        The job of an imported run lies as a local one in the run's own folder.
        """
        if (folder := origins.imported(self.store.home, record.id)) is not None:
            return executors.load("local")(job_dir=str(folder))  # type: ignore[call-arg]
        kind = executors.load(record.executor)
        known = {each.name for each in fields(kind)}  # type: ignore[arg-type]
        return kind(**{name: value for name, value in record.target.items() if name in known})


def ports(environ: Mapping[str, str] = os.environ) -> Ports:
    """The real store of this user, the real executors and the real clock. Touches nothing."""
    from nemorun_cli.store.index import Index

    store = store_of(environ)
    return Ports(store=store, index=Index(store=store))


def store_of(environ: Mapping[str, str] = os.environ) -> Store:
    """The store of this user, without its index. Touches nothing."""
    return Store(home=home_folder(environ), host=processes.machine())


def resources_of(executor: Executor, record: RunRecord) -> Resources:
    """What the run asked for, under the names its executor gives them."""
    known = {each.name for each in fields(executor.Resources)}
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in record.resources.items()
        if name in known
    }
    return executor.Resources(**values)
