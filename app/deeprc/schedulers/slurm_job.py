"""What Slurm says of one job, and how it counts accelerators."""

from __future__ import annotations

import re

from deeprc.schedulers.jobs import OwnJob


def of_gres(name: str, value: str) -> int | None:
    """Those in `4`, `a100:4`, `a100:2,h100:1`, `gpu`, `gpu:a100:2(S:0)`, `gres/gpu:4`; None for no number."""
    kinds = [re.sub(r"\(.*", "", part).removeprefix("gres/").removeprefix("gres:") for part in value.split(",")]
    if name in ("--gres", "--tres-per-node", "--tres-per-task"):
        kinds = [re.sub(r"^gpu[:=]?", "", kind) for kind in kinds if re.match(r"gpu\b", kind)]
    numbers = [kind.rpartition(":")[2] for kind in kinds]
    if not numbers or any("$" in kind for kind in kinds):
        return 0 if value == "none" else None
    return sum(int(number) if number.isdigit() else 1 for number in numbers)


def parse_job(text: str) -> OwnJob | None:
    """What a running job holds, in the answer of `scontrol show job --details --oneliner`; None for any other.

    `Nodes=node[1-2] CPU_IDs=0-3 Mem=0 GRES=gpu:2(IDX:0-1)` stands there once for each kind of its nodes.
    """
    facts = dict(re.findall(r"(?:^|\s)(\w+)=(\S*)", text))
    kinds = re.findall(r"\sNodes=\S+ CPU_IDs=(\S+) Mem=(\d+)(?: GRES=(\S*))?", text)
    if facts.get("JobState") != "RUNNING" or not kinds:
        return None
    limit, ran = (_minutes(facts.get(name, "")) for name in ("TimeLimit", "RunTime"))
    return OwnJob(
        facts["JobId"], facts["Partition"], int(facts["NumNodes"]), None if limit is None else limit - (ran or 0),
        min(_count(ids) for ids, _, _ in kinds), min(of_gres("--gres", gres) or 0 for _, _, gres in kinds),
        min(int(mebibytes) for _, mebibytes, _ in kinds) * 2**20 // 10**6,
    )  # fmt: skip


def _count(ids: str) -> int:
    """How many numbers there are in `0-3,8`."""
    ends = (part.partition("-") for part in ids.split(","))
    return sum(int(last or first) - int(first) + 1 for first, _, last in ends)


def _minutes(text: str) -> float | None:
    """`1-02:03:04`, `02:03:04` as minutes; None for `UNLIMITED`."""
    found = re.fullmatch(r"(?:(\d+)-)?(\d+):(\d+):(\d+)", text)
    if not found:
        return None
    days, hours, minutes, seconds = (int(each or 0) for each in found.groups())
    return (days * 24 + hours) * 60 + minutes + seconds / 60
