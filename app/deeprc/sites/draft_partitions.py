"""The partitions of a draft: each kind of node that the batch system reports, its accelerators, how to ask for it."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace

from deeprc.schedulers import scheduler
from deeprc.schedulers.gpu_types import GRACE, known
from deeprc.schedulers.queues import Gres, Queue, parse_gres
from deeprc.sites.detect.accelerators import Accelerators
from deeprc.sites.detect.machine import Machine

FILL_IN = "FILL IN"
ROOM = 0.1  # what a batch system says about a node's memory and what the node has differ by less
SLICE = r"\d+g\.(\d+)gb"  # of NVIDIA's (MIG): `a100_1g.5gb`


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


def _partition(machine: Machine, queue: Queue | None, gres: Gres | None, name: str) -> dict:
    """Nodes of one kind; what the batch system does not tell is taken from this node, where it is one of them."""
    arm = queue is not None and any(word in f"{queue.name} {gres}".lower() for word in GRACE)
    part: dict = {"name": name, "nodes": queue.nodes if queue else 1}
    part["architecture"] = (queue and queue.arch) or ("aarch64" if arm else machine.architecture)
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
    if queue and not (queue.here or queue.arch or arm):
        notes.append(f"{FILL_IN}: the architecture is this node's, `uname -m` on one of these tells theirs")
    if queue and not queue.sockets and threads == 1:
        notes.append("cores may be hardware threads: the scheduler counts them as it was told to")
    if queue:
        count = accelerator["count"] if accelerator else 0
        batch = scheduler(machine.scheduler.name)
        options = batch.options_for(queue, processors=cores * threads, gres=gres, gpus=count)
        part |= {"queue": queue.name, "scheduler_options": options}
    if accelerator:
        part["accelerator"] = accelerator
    return part | ({"note": "; ".join(notes)} if notes else {})


def _accelerator(machine: Machine, queue: Queue | None, gres: Gres | None) -> tuple[dict | None, list[str]]:
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
    kind, count = gres[0], gres[1] or 1
    notes = [] if gres[1] else [f"{FILL_IN}: how many accelerators a node has, nobody tells"]
    plain = re.sub(r"[^a-z0-9]", "", (kind or "").lower())
    if kind and (cut := re.search(SLICE, kind)):
        arch = (known(plain) or (None, None))[1]
        found = {"vendor": "nvidia", "model": kind, "arch": arch, "count": count, "memory_gb": int(cut.group(1))}
        note = "slices (MIG) of accelerators: each rank has one, and NCCL does not connect them"
        return {key: value for key, value in found.items() if value is not None}, [note]
    for card in here:
        model = re.sub(r"[^a-z0-9]", "", card.model.lower())
        if (kind is None and (queue is None or queue.here)) or (plain and (plain in model or model in plain)):
            return _as_found(card, count), notes
    told = known(plain)
    vendor, arch = told or ("nvidia", None)  # most sites have NVIDIA's
    found = {"vendor": vendor, "model": kind or FILL_IN, "count": count} | ({"arch": arch} if arch else {})
    return found, notes if told else [*notes, f"{FILL_IN}: whose accelerators these are, the scheduler does not tell"]


def _as_found(card: Accelerators, count: int) -> dict:
    found = {"vendor": card.vendor, "model": card.model, "arch": card.arch, "memory_gb": card.memory_gb}
    found |= {"count": count, "driver": card.driver}
    return {key: value for key, value in found.items() if value is not None}
