"""The batch system: whether there is one that answers, and what it has."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass, field

from deeprc.sites.detect.ask import ask

SINFO = ["sinfo", "--noheader", "--format=%R|%D|%c|%m|%G|%l"]


@dataclass(frozen=True)
class Queue:
    """A partition or queue: its nodes, and the cores, memory and generic resources of one."""

    name: str
    nodes: int
    cores: int | None = None
    memory_mb: int | None = None
    gres: str | None = None


@dataclass(frozen=True)
class SchedulerFound:
    """The batch system, as site files call it; `fork` is none. `remark`: what is here, but does not work."""

    name: str
    version: str | None = None
    cluster: str | None = None
    queues: list[Queue] = field(default_factory=list)
    remark: str | None = None


def scheduler() -> SchedulerFound:
    """The batch system that answers here."""
    remarks = []
    for look in (_slurm, _pbs, _lsf):
        found = look()
        if found and not found.remark:
            return found
        remarks += [found.remark] if found else []
    return SchedulerFound("fork", remark="; ".join(remarks) or None)


def _slurm() -> SchedulerFound | None:
    if not shutil.which("sinfo"):
        return None
    version, text = _number(ask(["sinfo", "--version"])), ask(SINFO)
    if text is None:
        return SchedulerFound("slurm", version, remark="Slurm is installed, but no controller answers")
    cluster = re.search(r"^ClusterName\s*=\s*(\S+)", ask(["scontrol", "show", "config"]) or "", re.M)
    return SchedulerFound("slurm", version, cluster and cluster.group(1), parse_sinfo(text))


def parse_sinfo(text: str) -> list[Queue]:
    """The partitions in the answer to SINFO; the line with most nodes speaks for a partition of several kinds."""
    found: dict[str, Queue] = {}
    for line in text.splitlines():
        fields = [field.strip() for field in line.split("|")]
        if len(fields) != 6:
            continue
        name, nodes, cores, mebibytes, gres, _ = fields
        memory = _whole(mebibytes)
        queue = Queue(
            name, _whole(nodes) or 1, _whole(cores), memory and memory * 2**20 // 10**6,
            None if gres in ("(null)", "") else gres,
        )  # fmt: skip
        if name not in found or found[name].nodes < queue.nodes:
            found[name] = queue
    return list(found.values())


def _pbs() -> SchedulerFound | None:
    text = ask(["qstat", "--version"])
    if text is None:
        return None
    version = _number(text)
    listing = ask(["qstat", "-Q", "-f"])
    if listing is None:
        return SchedulerFound("pbspro", version, remark=f"PBS {version} is installed, but no server answers")
    queues = [Queue(name, 1) for name in re.findall(r"^Queue:\s*(\S+)", listing, re.M)]
    return SchedulerFound("pbspro", version, queues=queues)


def _lsf() -> SchedulerFound | None:
    text = ask(["lsid"])
    if text is None:
        return None
    cluster = re.search(r"My cluster name is (\S+)", text)
    queues = [Queue(line.split()[0], 1) for line in (ask(["bqueues"]) or "").splitlines()[1:] if line.strip()]
    return SchedulerFound("lsf", _number(text), cluster and cluster.group(1), queues)


def _number(text: str | None) -> str | None:
    match = re.search(r"\d+(?:\.\d+)+", text or "")
    return match.group() if match else None


def _whole(text: str) -> int | None:
    match = re.match(r"\d+", text)
    return int(match.group()) if match else None
