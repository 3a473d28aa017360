"""PBS Pro and OpenPBS: queues from `qstat -Q -f`, nodes from `pbsnodes -a`; Torque is told from them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

from deeprc.core.ask import ask
from deeprc.schedulers.gpu_types import known
from deeprc.schedulers.queues import Queue, SchedulerFound, here, number, whole

UNITS = {"b": 1, "kb": 2**10, "mb": 2**20, "gb": 2**30, "tb": 2**40}
AVAILABLE = "resources_available."


def pbs() -> SchedulerFound | None:
    """PBS, where its commands are."""
    text = ask(["qstat", "--version"])
    if text is None:
        return None
    name, version = which_pbs(text), number(text)
    listing = ask(["qstat", "-Q", "-f"])
    if listing is None:
        return SchedulerFound(
            name, version, remark=f"{text.strip().splitlines()[0]}: it is installed, but no server answers"
        )
    queues, left_out = parse_queues(listing, parse_nodes(ask(["pbsnodes", "-a"]) or ""))
    return SchedulerFound(name, version, queues=queues, left_out=left_out)


def which_pbs(version: str) -> str:
    """`pbspro` or `torque`, from `qstat --version`.

    `pbs_version = 2022.1.1`, `PBSPro_19.2.4` (PBS Pro), `version: 14.1.0` (its first free release); Torque's are
    `Version: 6.1.3` and, until 5, `version: 4.2.10`.
    """
    if re.search(r"pbs_version|PBSPro|OpenPBS", version):
        return "pbspro"
    major = whole(number(version))
    return "pbspro" if major and major >= 13 else "torque"


def blocks(text: str) -> list[tuple[str, dict[str, str]]]:
    """The records of qstat and pbsnodes: a name at the line's begin, `key = value` below; a tab carries a line on."""
    found: list[tuple[str, dict[str, str]]] = []
    for line in text.replace("\n\t", "").splitlines():
        key, equals, value = (part.strip() for part in line.partition(" = "))
        if line[:1].strip() and not equals:
            found.append((line.removeprefix("Queue:").strip(), {}))
        elif found and equals:
            found[-1][1][key] = value
    return found


def parse_nodes(text: str) -> list[dict[str, object]]:
    """Hosts that can be used, the virtual nodes of one added up: name, cores, memory, gpus, model, queues, owner.

    `owner` is the queue whose jobs alone run there (the node's attribute `queue`).
    """
    hosts: dict[str, dict] = {}
    for name, facts in blocks(text):
        if re.search(r"down|offline|unknown", facts.get("state", "")):
            continue
        host = hosts.setdefault(
            facts.get(f"{AVAILABLE}host", name.partition("[")[0]),
            {"cpus": 0, "memory": 0, "gpus": 0, "model": None, "queues": set(), "owner": None},
        )
        host["cpus"] += whole(facts.get(f"{AVAILABLE}ncpus")) or 0
        host["gpus"] += whole(facts.get(f"{AVAILABLE}ngpus")) or 0
        host["memory"] += _bytes(facts.get(f"{AVAILABLE}mem", ""))
        host["model"] = _model(facts) or host["model"]
        host["owner"] = facts.get("queue", host["owner"])
        host["queues"] |= {word for word in re.split(r"\W+", facts.get(f"{AVAILABLE}Qlist", "")) if word}
    return [{"name": name, **facts} for name, facts in hosts.items() if facts["cpus"]]


def _model(facts: Mapping[str, str]) -> str | None:
    """What a node's accelerators are called; of `node_type`, which may be anything, a type that is known."""
    named = (facts[key] for key in facts if re.search(r"gpu_?(type|model)$", key))
    kinds = (facts[key] for key in facts if re.search(r"node_?type$", key) and known(facts[key].lower()))
    return next(named, None) or next(kinds, None)


def parse_queues(text: str, nodes: list[dict]) -> tuple[list[Queue], list[str]]:
    """Queues that run jobs, one for each kind of their nodes; and what was left out, and why."""
    found, left_out = [], []
    for name, facts in blocks(text):
        if why := _closed(name, facts):
            left_out.append(f"{name}: {why}")
            continue
        label = facts.get("default_chunk.Qlist")  # what the queue's jobs ask for without saying so
        mine = [node for node in nodes if node["owner"] == name]  # its jobs then run on these alone
        if not mine:
            others = [node for node in nodes if node["owner"] is None]
            mine = [node for node in others if (label or name) in node["queues"]]
            mine += [] if label else [node for node in others if not node["queues"]]
        limit = whole(facts.get("resources_max.nodect"))
        kinds = Counter((node["cpus"], node["gpus"], node["model"]) for node in mine)
        for (cpus, gpus, model), count in kinds.items():
            alike = [node for node in mine if (node["cpus"], node["gpus"], node["model"]) == (cpus, gpus, model)]
            gres = (f"gpu:{model}:{gpus}" if model else f"gpu:{gpus}") if gpus else None
            memory = min(node["memory"] for node in alike) // 10**6
            is_here = any(here(str(node["name"])) for node in alike)
            found.append(Queue(name, min(limit or count, count), cpus, memory or None, gres, here=is_here))
        if not kinds:
            found.append(Queue(name, limit or 1))
    return found, left_out


def _closed(name: str, facts: Mapping[str, str]) -> str | None:
    if re.fullmatch(r"[RSM]\d+", name):  # as PBS calls those that it makes itself
        return "it is a reservation's, and goes with it"
    kind = facts.get("queue_type", "Execution")
    if kind.lower().startswith("r"):
        return f"it only passes jobs on to {facts.get('route_destinations', 'other queues')}"
    if facts.get("enabled", "True") == "False":
        return "it takes no jobs (enabled = False)"
    return "it starts no jobs (started = False)" if facts.get("started", "True") == "False" else None


def _bytes(text: str) -> int:
    match = re.fullmatch(r"(\d+)([kmgt]?b)", text.strip(), re.I)
    return int(match.group(1)) * UNITS[match.group(2).lower()] if match else 0
