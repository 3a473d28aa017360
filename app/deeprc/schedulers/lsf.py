"""LSF: queues and their hosts from `bqueues`, hosts from `lshosts`, their accelerators from `lshosts -gpu`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from deeprc.core.ask import ask
from deeprc.schedulers.gpu_types import TYPES, known
from deeprc.schedulers.queues import Queue, SchedulerFound, architecture, here, number

UNITS = {"K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


class Host(NamedTuple):
    """A host that runs jobs: `cores` as LSF counts them, memory in MB, accelerators in Slurm's words."""

    name: str
    cores: int
    memory_mb: int | None
    gres: str | None
    arch: str | None


def lsf() -> SchedulerFound | None:
    """LSF, where its commands answer."""
    text = ask(["lsid"])
    if text is None:
        return None
    cluster = re.search(r"My cluster name is (\S+)", text)
    hosts = parse_hosts(ask(["lshosts", "-w"]) or "", parse_gpus(ask(["lshosts", "-gpu", "-w"]) or ""))
    groups = parse_groups(ask(["bmgroup", "-w", "-r"]) or "")
    limits = parse_limits(ask(["bqueues", "-l"]) or "", groups, {host.name for host in hosts})
    queues, left_out = parse_queues(ask(["bqueues", "-w"]) or "", hosts, limits)
    return SchedulerFound("lsf", number(text), cluster and cluster.group(1), queues, left_out=left_out)


def parse_gpus(text: str) -> dict[str, str]:
    """Accelerators of each host in Slurm's words; its name stands on the first line only, one line for each."""
    models: dict[str, list[str]] = {}
    host = ""
    for line in text.splitlines()[1:]:
        words = line.split()
        if line[:1].strip():
            host = words.pop(0)
        if host and len(words) >= 2 and words[0].isdigit():
            models.setdefault(host, []).append(words[1])
    return {host: f"gpu:{names[0]}:{len(names)}" for host, names in models.items()}


def parse_hosts(text: str, gpus: dict[str, str]) -> list[Host]:
    """Servers with their cores, memory in MB and accelerators; hosts that run no jobs are left out."""
    lines = [line.split() for line in text.splitlines()]
    if not lines or "ncpus" not in lines[0]:
        return []
    columns = {name: lines[0].index(name) for name in ("ncpus", "maxmem", "server")}
    found = []
    for words in lines[1:]:
        if (
            len(words) <= columns["server"]
            or words[columns["server"]] != "Yes"
            or not words[columns["ncpus"]].isdigit()
        ):
            continue
        match = re.fullmatch(r"([\d.]+)([KMGT])", words[columns["maxmem"]])
        memory = int(float(match.group(1)) * UNITS[match.group(2)] / 10**6) if match else None
        gres = gpus.get(words[0]) or _gres(words[columns["server"] + 1 :])
        found.append(Host(words[0], int(words[columns["ncpus"]]), memory, gres, architecture(words[1])))
    return found


def _gres(resources: list[str]) -> str | None:
    """Accelerators by the names in the column RESOURCES, `(gpu a100)`, which tells no number."""
    words = re.findall(r"\w+", " ".join(resources).lower())
    kind = next((word for word in words if word in {name for name, *_ in TYPES}), None)
    if {"gpu", "gpus", "cuda"} & set(words):
        kind = kind or next((word for word in words if known(word)), None)
        return f"gpu:{kind}" if kind else "gpu"
    return f"gpu:{kind}" if kind else None


def parse_groups(text: str) -> dict[str, set[str]]:
    """Groups of hosts in `bmgroup -w -r`, which expands groups within groups: a name, then its hosts."""
    return {words[0]: set(words[1:]) for line in text.splitlines()[1:] if (words := line.split())}


def parse_limits(text: str, groups: Mapping[str, set[str]], every: set[str]) -> dict[str, set[str]]:
    """The hosts of each queue in `bqueues -l`; queues whose hosts are not known are left out.

    `HOSTS: hostA group/ hostB+1`: a slash follows groups, a preference may follow hosts, `~` leaves out, `all` is all.
    """
    found: dict[str, set[str]] = {}
    for block in re.split(r"^QUEUE: *", text, flags=re.M)[1:]:
        listed = re.search(r"^HOSTS:(.*(?:\n[ \t]+\S.*)*)", block, re.M)
        words = listed.group(1).split() if listed else []
        if words[:2] == ["all", "hosts"]:  # "all hosts used by the LSF system"
            words = ["all"]
        members = [_members(word, groups, every) for word in words]
        if not words or None in members:
            continue
        out = {host for word, hosts in zip(words, members, strict=True) if word[0] == "~" for host in hosts}
        taken = {host for word, hosts in zip(words, members, strict=True) if word[0] != "~" for host in hosts}
        found[block.split()[0]] = taken - out
    return found


def _members(word: str, groups: Mapping[str, set[str]], every: set[str]) -> set[str] | None:
    name = re.sub(r"\+\d*$", "", word.lstrip("~")).removesuffix("/")
    if name in ("all", "others"):
        return every
    return groups.get(name) or ({name} if name in every else None)


def parse_queues(
    text: str, hosts: list[Host], limits: Mapping[str, set[str]] | None = None
) -> tuple[list[Queue], list[str]]:
    """Queues that take jobs, one for each kind of their hosts: those of `limits`, all where it does not know them."""
    found, left_out = [], []
    for line in text.splitlines()[1:]:
        words = line.split()
        if len(words) < 3:
            continue
        name, status = words[0], words[2]
        if not status.startswith("Open"):
            left_out.append(f"{name}: it takes no jobs ({status})")
            continue
        mine = [host for host in hosts if host.name in (limits or {}).get(name, {host.name})]
        kinds = Counter((host.cores, host.gres, host.arch) for host in mine)
        for (cores, gres, arch), count in kinds.items():
            alike = [host for host in mine if (host.cores, host.gres, host.arch) == (cores, gres, arch)]
            memory = min((host.memory_mb for host in alike if host.memory_mb), default=None)
            is_here = any(here(host.name) for host in alike)
            found.append(Queue(name, count, cores, memory, gres, here=is_here, arch=arch))
        if not kinds:
            found.append(Queue(name, 1))
    return found, left_out
