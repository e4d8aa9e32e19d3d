"""Metrics of a run: `from nemorun_cli import track`; in the job `track.log(step=3, loss=0.3)`."""

from nemorun_cli.job.track import log as log  # noqa: PLC0414
