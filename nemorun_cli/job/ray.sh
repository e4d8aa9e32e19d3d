
# This job's shell is what a Ray job executes. Ray has one signal, and sends it when a job is to be
# stopped, to this shell and to all of its processes.
begin() { trap 'interrupted=1; on_stop cancelled' TERM; }

# outcome_of ID: ok or notok, once the job of this submission id has ended. Only the cluster knows.
outcome_of() {
    "$python" - "$1" <<'PYTHON' || echo waiting
import sys
from ray.job_submission import JobSubmissionClient

found = [each for each in JobSubmissionClient("auto").list_jobs() if each.submission_id == sys.argv[1]]
state = str(found[0].status) if found else "GONE"
print({"SUCCEEDED": "ok", "PENDING": "waiting", "RUNNING": "waiting"}.get(state, "notok"))
PYTHON
}
