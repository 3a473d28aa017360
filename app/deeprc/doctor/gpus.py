"""Whether each rank uses an accelerator of its own, and sees as many as planned."""

from __future__ import annotations

from collections import Counter

from deeprc.doctor.result import CheckResult

OWN = (
    "gpu_binding of the partition in the site file: `per_task`, or `variable` where Slurm's own binding fails; and does"
    " the job have all of the node's? (scheduler_options)"
)


def judge(said: list[dict], *, ranks: int, each: int, seen: int, comm: str, line: str) -> CheckResult:
    """The verdict on what the ranks reported.

    Parameters
    ----------
    each, seen
        How many accelerators a rank should have to itself, and how many it should see, its own first.
    """
    subject = f"of ranks that talk by {'MPI' if comm == 'mpi' else 'NCCL, RCCL or oneCCL'}"
    if len(said) != ranks:
        return CheckResult("gpus", subject, "failed", f"{len(said)} of {ranks} ranks have told", launch_line=line)
    few = [rank for rank in said if len(rank["devices"]) < each]
    if few:
        text = f"{len(few)} of {ranks} ranks see no accelerator, or fewer than {each} ({_where(few[0])})"
        return CheckResult("gpus", subject, "failed", text, OWN, launch_line=line)
    used = Counter((rank["host"], device) for rank in said for device in rank["devices"][:each])
    (host, device), most = used.most_common(1)[0]
    by = said[0]["by"]
    if most > 1:
        text = f"{most} ranks on {host} use the same accelerator ({by} {device}); {len(used)} are used by {ranks} ranks"
        return CheckResult("gpus", subject, "failed", text, OWN, launch_line=line)
    other = [rank for rank in said if len(rank["devices"]) != seen]
    if other:
        text = f"each rank uses another one, but sees {len(other[0]['devices'])} instead of {seen} ({_where(other[0])})"
        fix = (
            "without sight of its peers' NCCL does without NVLink: does a control group hide them?"
            if seen > each
            else OWN
        )
        return CheckResult("gpus", subject, "warning", text, fix, launch_line=line)
    text = f"{ranks} ranks use {len(used)} accelerators, each its own ({by}), and see {seen}"
    return CheckResult("gpus", subject, "ok", text, launch_line=line)


def _where(rank: dict) -> str:
    return f"on {rank['host']}, told {rank['told'] or 'nothing'}"
