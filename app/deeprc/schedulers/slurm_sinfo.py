"""What Slurm's `sinfo` and `scontrol` say of a cluster."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from deeprc.schedulers.queues import Queue, architecture, whole

# What its plugins for MPI are called, as site files call what they speak to ranks.
SPOKEN = {"cray_shasta": "cray", "pmi2": "pmi2", "pmix": "pmix", "pspmix": "pspmix", "openmpi": "orte"}
# Partition, nodes, processors, MiB, gres, time, then sockets, cores of a socket, threads of a core, up or down. sinfo
# prints a line for each kind of node, and `+` where nodes of a line differ.
SINFO = ["sinfo", "--noheader", "--exact", "--format=%R|%D|%c|%m|%G|%l|%X|%Y|%Z|%a"]


def parse_config(text: str) -> dict[str, str]:
    """`scontrol show config`: a key and its value on each line, blanks around `=`."""
    return dict(re.findall(r"^\s*(\S+)\s*= *(\S.*?)\s*$", text, re.M))


def default_pmi(config: Mapping[str, str]) -> str | None:
    """MpiDefault in site files' words; `none` is one of them, `(null)` stands for it in new releases."""
    said = config.get("MpiDefault")
    if said is None:
        return None
    return "none" if said in ("none", "(null)") else SPOKEN.get(said.partition("_v")[0])


def parse_sinfo(text: str) -> tuple[list[Queue], list[str]]:
    """The partitions in the answer to SINFO, one for each kind of their nodes; and what was left out, and why."""
    found: dict[tuple, Queue] = {}
    left_out: dict[str, str] = {}
    for line in text.splitlines():
        fields = [field.strip() for field in line.split("|")]
        if len(fields) not in (6, 10):
            continue
        name, nodes, cpus, mebibytes, gres = fields[:5]
        sockets, each, _, state = fields[6:] if len(fields) == 10 else ("", "", "", "up")
        if not whole(nodes) or state != "up":
            left_out[name] = f"{name}: it is {state}" if whole(nodes) else f"{name}: it has no nodes"
            continue
        physical = (whole(sockets) or 0) * (whole(each) or 0) or whole(cpus)
        memory = whole(mebibytes)
        queue = Queue(
            name, whole(nodes) or 1, physical, memory and memory * 2**20 // 10**6,
            None if gres in ("(null)", "") else gres, max(1, (whole(cpus) or 1) // (physical or 1)), whole(sockets),
        )  # fmt: skip
        kind = (name, queue.cores, queue.gres)
        same = found.get(kind, replace(queue, nodes=0))
        less = min(filter(None, (same.memory_mb, queue.memory_mb)), default=None)
        found[kind] = replace(same, nodes=same.nodes + queue.nodes, memory_mb=less)
    names = {queue.name for queue in found.values()}
    return list(found.values()), [why for name, why in left_out.items() if name not in names]


def with_archs(queues: list[Queue], text: str) -> list[Queue]:
    """The same with their architectures, from `scontrol show nodes --oneliner`: `Arch=` of the nodes of the partition
    that have the same accelerators. Nodes that were never up have none.
    """
    archs: dict[tuple[str, str | None], set[str]] = {}
    for line in text.splitlines():
        facts = dict(re.findall(r"(?:^|\s)(Arch|Partitions|Gres)=(\S+)", line))
        arch = architecture(facts.get("Arch", ""))
        gres = facts.get("Gres", "(null)")
        for name in facts.get("Partitions", "").split(",") if arch else ():
            archs.setdefault((name, None if gres == "(null)" else gres), set()).add(arch)
    told = {kind: next(iter(found)) for kind, found in archs.items() if len(found) == 1}
    return [replace(queue, arch=told.get((queue.name, queue.gres))) for queue in queues]


def this_node(queues: list[Queue], mine: list[Queue], environment: Mapping[str, str]) -> list[Queue]:
    """The same with those marked that this node is in: its kinds, in the job's partition where this is a job."""
    own = environment.get("SLURM_JOB_PARTITION")
    kinds = {(queue.name, queue.cores, queue.gres) for queue in mine if own in (None, queue.name)}
    # Whoever gives all of them for one node has not understood the question: then nothing is known.
    sure = bool(kinds) and (len(kinds) < len(queues) or len(queues) == 1)
    return [replace(queue, here=sure and (queue.name, queue.cores, queue.gres) in kinds) for queue in queues]
