"""The partitions of a draft: each kind of nodes that the batch system tells of, its accelerators, how to ask for it."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace

from deeprc.sites.detect.accelerators import Accelerators
from deeprc.sites.detect.machine import Machine
from deeprc.sites.detect.queues import Queue, parse_gres

FILL_IN = "FILL IN"
ROOM = 0.1  # what a batch system tells of a node's memory and what the node has differ by less
SLICE = r"\d+g\.(\d+)gb"  # of NVIDIA's (MIG): `a100_1g.5gb`
# What accelerators are called in batch systems, and what compilers call them (NVIDIA's table of compute capabilities,
# LLVM's of AMDGPU processors).
TYPES = (
    ("p100", "nvidia", "sm_60"), ("v100", "nvidia", "sm_70"), ("t4", "nvidia", "sm_75"), ("a100", "nvidia", "sm_80"),
    ("a30", "nvidia", "sm_80"), ("a40", "nvidia", "sm_86"), ("a10", "nvidia", "sm_86"), ("a6000", "nvidia", "sm_86"),
    ("l40", "nvidia", "sm_89"), ("l4", "nvidia", "sm_89"), ("h100", "nvidia", "sm_90"), ("h200", "nvidia", "sm_90"),
    ("gh200", "nvidia", "sm_90"), ("b200", "nvidia", "sm_100"), ("mi100", "amd", "gfx908"), ("mi210", "amd", "gfx90a"),
    ("mi250", "amd", "gfx90a"), ("mi300", "amd", "gfx942"), ("mi325", "amd", "gfx942"), ("mi35", "amd", "gfx950"),
    ("pvc", "intel", None), ("max1", "intel", None), ("mi", "amd", None),
)  # fmt: skip


def partitions(machine: Machine) -> list[dict]:
    """One for each kind of accelerator of each kind of nodes; the machine's node alone where nothing is told."""
    queues = machine.scheduler.queues
    if not queues:
        return [_partition(machine, None, None, "local")]
    mine = _this_node(machine)
    kinds = [(queue, gres) for queue in queues for gres in parse_gres(queue.gres) or [None]]
    names, used = Counter(queue.name for queue in queues for _ in parse_gres(queue.gres) or [0]), Counter()
    found = []
    for queue, gres in kinds:
        name = re.sub(r"[^\w-]+", "-", queue.name)
        if names[queue.name] > 1:  # nodes that differ under one name
            name += "-" + re.sub(r"[^\w-]+", "-", (gres[0] or "gpu") if gres else "cpu")
        used[name] += 1
        name += f"-{used[name]}" if used[name] > 1 else ""
        found.append(_partition(machine, replace(queue, here=queue in mine), gres, name))
    return found


def _this_node(machine: Machine) -> list[Queue]:
    """The kinds that this node is of: as the batch system says, else by cores and memory, else by their names."""
    queues, models = machine.scheduler.queues, [card.model.lower() for card in machine.accelerators]
    if told := [queue for queue in queues if queue.here or queue.cores is None]:
        return told
    alike = [
        queue
        for queue in queues
        if queue.cores in (machine.physical_cores, machine.cores)
        and queue.memory_mb
        and abs(queue.memory_mb - machine.memory_mb) < ROOM * machine.memory_mb
    ]
    if alike or len(queues) == 1:
        return alike or queues
    words = [(queue, re.split(r"[-_.]", queue.name.lower())) for queue in queues]
    return [
        queue
        for queue, parts in words
        if any(len(part) > 1 and part != "gpu" and re.search(rf"\b{part}", model) for part in parts for model in models)
    ]


def _partition(machine: Machine, queue: Queue | None, gres: tuple[str | None, int] | None, name: str) -> dict:
    """Nodes of one kind; what the batch system does not tell is taken from this node, where it is one of them."""
    part: dict = {"name": name, "nodes": queue.nodes if queue else 1, "architecture": machine.architecture}
    cores, threads = (queue.cores, queue.threads) if queue and queue.cores else (machine.physical_cores, 1)
    if queue and queue.here and threads == 1 and cores == machine.cores and cores % machine.physical_cores == 0:
        cores, threads = machine.physical_cores, cores // machine.physical_cores  # it counts threads, as PBS does
    part |= {"cores": cores, "memory_mb": (queue and queue.memory_mb) or machine.memory_mb}
    if threads > 1:
        part["threads_per_core"] = threads
    sockets = queue.sockets if queue else machine.sockets
    if sockets and cores % sockets == 0:
        part["sockets"] = sockets
    if machine.cpu and (queue is None or queue.here):
        part["cpu"] = machine.cpu
    accelerator, notes = _accelerator(machine, queue, gres)
    if queue and not queue.sockets and threads == 1:
        notes.append("cores may be hardware threads: the scheduler counts them as it was told to")
    if queue:
        count = accelerator["count"] if accelerator else 0
        part |= {"queue": queue.name, "scheduler_options": _options(machine, queue, gres, cores * threads, count)}
    if accelerator:
        part["accelerator"] = accelerator
    return part | ({"note": "; ".join(notes)} if notes else {})


def _accelerator(
    machine: Machine, queue: Queue | None, gres: tuple[str | None, int] | None
) -> tuple[dict | None, list[str]]:
    """The model is that of the type that the batch system names; this node's is for nodes like this one."""
    here = machine.accelerators
    if gres is None:
        if queue and not queue.here:
            told = any(parse_gres(other.gres) or other.here for other in machine.scheduler.queues)
            lost = here and not told and not _this_node(machine)
            return None, [f"{FILL_IN}: this node has {here[0].count} x {here[0].model}, and which partition it is in, "
                          "nobody tells"] if lost else []  # fmt: skip
        others = [f"this node has {card.count} x {card.model} as well" for card in here[1:]]
        return (_as_found(here[0], here[0].count), others) if here else (None, [])
    kind, count = gres
    plain = re.sub(r"[^a-z0-9]", "", (kind or "").lower())
    if kind and (cut := re.search(SLICE, kind)):
        vendor, arch = _known(plain)
        found = {"vendor": vendor, "model": kind, "arch": arch, "count": count, "memory_gb": int(cut.group(1))}
        note = "slices (MIG) of accelerators: each rank has one, and NCCL does not connect them"
        return {key: value for key, value in found.items() if value is not None}, [note]
    for card in here:
        model = re.sub(r"[^a-z0-9]", "", card.model.lower())
        if (kind is None and (queue is None or queue.here)) or (plain and (plain in model or model in plain)):
            return _as_found(card, count), []
    vendor, arch = _known(plain)
    found = {"vendor": vendor, "model": kind or FILL_IN, "count": count} | ({"arch": arch} if arch else {})
    return found, [] if kind else ["which accelerators these are, the scheduler does not tell"]


def _as_found(card: Accelerators, count: int) -> dict:
    found = {"vendor": card.vendor, "model": card.model, "arch": card.arch, "memory_gb": card.memory_gb}
    found |= {"count": count, "driver": card.driver}
    return {key: value for key, value in found.items() if value is not None}


def _known(kind: str) -> tuple[str, str | None]:
    """Vendor and architecture of what a batch system calls so; most sites have NVIDIA's."""
    longest = sorted(TYPES, key=lambda one: -len(one[0]))
    return next(((vendor, arch) for word, vendor, arch in longest if word in kind), ("nvidia", None))


def _options(
    machine: Machine, queue: Queue, gres: tuple[str | None, int] | None, processors: int, gpus: int
) -> list[str]:  # fmt: skip
    name = machine.scheduler.name
    if name == "slurm":
        options = [f"--partition={queue.name}", "--nodes={nodes}", "--ntasks-per-node={ranks_per_node}"]
        kind = f"{gres[0]}:" if gres and gres[0] else ""
        return [*options, f"--gres=gpu:{kind}{{gpus}}"] if gres else options
    if name == "pbspro":
        chunk = f"select={{nodes}}:ncpus={processors}" + (":ngpus={gpus}" if gpus else "")
        return ["-q", queue.name, "-l", chunk, "-l", "place=scatter:excl"]
    if any(program.launcher == "jsrun" for program in machine.launchers):
        return ["-q", queue.name, "-nnodes", "{nodes}"]
    return ["-q", queue.name, *(["-gpu", "num={gpus}"] if gpus else [])]
