"""LSF: queues from `bqueues`, hosts from `lshosts`, their accelerators from `lshosts -gpu`."""

from __future__ import annotations

import re
from collections import Counter

from deeprc.sites.detect.ask import ask
from deeprc.sites.detect.gpu_types import TYPES, known
from deeprc.sites.detect.queues import Queue, SchedulerFound, here, number

UNITS = {"K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


def lsf() -> SchedulerFound | None:
    """LSF, where its commands answer."""
    text = ask(["lsid"])
    if text is None:
        return None
    cluster = re.search(r"My cluster name is (\S+)", text)
    hosts = parse_hosts(ask(["lshosts", "-w"]) or "", parse_gpus(ask(["lshosts", "-gpu", "-w"]) or ""))
    queues, left_out = parse_queues(ask(["bqueues", "-w"]) or "", hosts)
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


def parse_hosts(text: str, gpus: dict[str, str]) -> list[tuple[str, int, int | None, str | None]]:
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
        found.append(
            (
                words[0],
                int(words[columns["ncpus"]]),
                memory,
                gpus.get(words[0]) or _gres(words[columns["server"] + 1 :]),
            )
        )
    return found


def _gres(resources: list[str]) -> str | None:
    """Accelerators by the names in the column RESOURCES, `(gpu a100)`, which tells no number."""
    words = re.findall(r"\w+", " ".join(resources).lower())
    kind = next((word for word in words if word in {name for name, *_ in TYPES}), None)
    if {"gpu", "gpus", "cuda"} & set(words):
        kind = kind or next((word for word in words if known(word)), None)
        return f"gpu:{kind}" if kind else "gpu"
    return f"gpu:{kind}" if kind else None


def parse_queues(text: str, hosts: list[tuple[str, int, int | None, str | None]]) -> tuple[list[Queue], list[str]]:
    """Queues that take jobs, one for each kind of host; which of the hosts are a queue's, `bqueues` does not tell."""
    kinds = Counter((cores, gres) for _, cores, _, gres in hosts)
    found, left_out = [], []
    for line in text.splitlines()[1:]:
        words = line.split()
        if len(words) < 3:
            continue
        name, status = words[0], words[2]
        if not status.startswith("Open"):
            left_out.append(f"{name}: it takes no jobs ({status})")
            continue
        for (cores, gres), count in kinds.items():
            alike = [host for host in hosts if (host[1], host[3]) == (cores, gres)]
            memory = min((host[2] for host in alike if host[2]), default=None)
            found.append(Queue(name, count, cores, memory, gres, here=any(here(host[0]) for host in alike)))
        if not kinds:
            found.append(Queue(name, 1))
    return found, left_out
