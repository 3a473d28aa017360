"""PBS Pro."""

from __future__ import annotations

import contextlib
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from deeprc.core.ask import ask
from deeprc.schedulers.base import TALK, Job, Scheduler, register, user
from deeprc.schedulers.gpu_types import known
from deeprc.schedulers.queues import Gres, Queue, SchedulerFound, here, number, whole
from deeprc.schedulers.requests import Asked, pairs

UNITS = {"b": 1, "kb": 2**10, "mb": 2**20, "gb": 2**30, "tb": 2**40}
AVAILABLE = "resources_available."


@register("pbspro")
class PbsPro(Scheduler):
    """PBS Pro and OpenPBS: queues from `qstat -Q -f`, nodes from `pbsnodes -a`; Torque is told from them."""

    title = "PBS Pro"
    engine = "pbspro"
    launcher = "mpiexec-pals"
    interactive = "qsub -I"
    job_variable, queue_variable = "PBS_JOBID", "PBS_QUEUE"
    tells = ("PBS_*",)
    known_by = ("PBS_O_HOST",)
    settings: ClassVar = {"account": ("-A",), "reservation": ("-q",)}  # a reservation is a queue of its own
    named = "-N {}"  # until 19, 15 characters at most
    once = ("-r", "n")
    queues = ("-q",)

    def detect(self) -> SchedulerFound | None:
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

    def options_for(self, queue: Queue, *, processors: int, gres: Gres | None, gpus: int) -> list[str]:
        """A chunk for each node, with all of its processors."""
        chunk = f"select={{nodes}}:ncpus={processors}" + (":ngpus={gpus}" if gpus else "")
        return ["-q", queue.name, "-l", chunk, "-l", "place=scatter:excl"]

    def asked(self, job: Job) -> list[str]:
        """A host for each chunk: unless told, PBS may put several on one (its User's Guide, `place`: `free`)."""
        told = places(job.options) or old_style(job.options)
        return [*job.options, *(["-l", "place=scatter"] if job.nodes > 1 and not told else [])]

    def contradiction(self, options: Sequence[str], facts: Mapping[str, object], nodes: int) -> str | None:
        """A `place` that is not a scatter."""
        wrong = [place for place in places(options) if nodes > 1 and "scatter" not in place.split(":")]
        if not wrong:
            return None
        return f"place={wrong[0]} may put several of a job's nodes on one host: write place=scatter, or scatter:excl"

    def nodes_asked(self, options: Sequence[str]) -> Asked | None:
        """The chunks of `select` and of Torque's `nodes`."""
        found = list(chunks(pairs(options)))
        if found and all(chunk[0] is not None for chunk in found):
            return Asked(sum(chunk[0] or 0 for chunk in found), f"-l {found[0][2]}", "-l select={nodes}:…")
        return None

    def gpus_asked(self, options: Sequence[str], nodes: int, sockets: int = 1) -> Iterator[Asked]:
        """Those of each chunk, and of the whole job."""
        given = pairs(options)
        packed = nodes == 1 and any(value.startswith("place=pack") for _, value in resources(given))
        of = [(many, int(number[1]), text) for many, chunk, text in chunks(given)
              if (number := re.search(r"(?:^|:)n?gpus=(\d+)", chunk))]  # fmt: skip
        shown = re.sub(r"gpus=\d+", "gpus={gpus}", of[0][2]) if of else ""
        instead = "-l " + re.sub(r"^(select|nodes)=\d+", r"\1={nodes}", shown)
        if packed and of:  # several chunks on one host
            yield Asked(sum((many or 1) * number for many, number, _ in of), f"-l {of[0][2]}", instead)
        elif of:
            yield Asked(min(number for _, number, _ in of), f"-l {of[0][2]}", instead)
        for _, value in resources(given):
            if whole := re.fullmatch(r"ngpus=(\d+)", value):
                yield Asked(int(whole[1]) // nodes, f"-l {value}", "-l select={nodes}:ngpus={gpus}")

    def script(self, text: str, options: Sequence[str]) -> str:
        """Without PSI/J's `place`, and without its `select` where the site's options say what nodes the job gets.

        PBS refuses a job with `select` in its script and old-style resources on the command line (qsub(1B), Caveats);
        PSI/J's `place=scatter:shared` undoes a node's `default_excl` (pbs_node_attributes(7B), sharing).
        """
        said = old_style(options) or any(chunks(pairs(options)))
        ours = r"#PBS -l (select|place)=" if said else "#PBS -l place="
        return "".join(line for line in text.splitlines(keepends=True) if not re.match(ours, line))

    def end(self, name: str) -> None:
        """By `qdel`, which takes numbers only."""
        if found := self._select(name):
            ask(["qdel", *found], patience=TALK)

    def left(self, name: str) -> list[str]:
        """By `qselect`: those that wait or run."""
        return self._select(name, "-s", "QR")

    def waits(self, name: str) -> str | None:
        """State and comment in `qstat -f`: `Q (Not Running: Insufficient amount of resource: ncpus)`."""
        for job in self._select(name, "-s", "Q"):
            for _, facts in blocks(ask(["qstat", "-f", job], patience=TALK) or ""):
                why = facts.get("comment")
                return f"{facts.get('job_state', 'Q')} ({why})" if why else facts.get("job_state")
        return None

    def _select(self, name: str, *more: str) -> list[str]:
        return (ask(["qselect", "-u", user(), "-N", name, *more], patience=TALK) or "").split()

    def nodes(self, environment: Mapping[str, str] = os.environ) -> int:
        """Those in the job's file."""
        with contextlib.suppress(KeyError, OSError):
            return len(set(Path(environment["PBS_NODEFILE"]).read_text().split())) or 1
        return 1


def places(options: Iterable[str]) -> list[str]:
    """The values of `-l place=…`."""
    return [part for _, value in resources(pairs(options)) for part in re.findall(r"^place=(.*)", value)]


def old_style(options: Iterable[str]) -> bool:
    """Whether nodes (`-l nodes=…`, which scatters) or cores (`-l ncpus=…`, as NCI Gadi wants it) are asked for in the
    words of before `select`, beside which PBS refuses `place`.
    """
    names = {value.partition("=")[0] for _, value in resources(pairs(options))}
    return bool(names & {"nodes", "ncpus", "ngpus", "mpiprocs"}) and "select" not in names


def resources(given: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(name, part) for name, value in given if name == "-l" for part in value.split(",")]


def chunks(given: Sequence[tuple[str, str]]) -> Iterator[tuple[int | None, str, str]]:
    """Of `select` and of Torque's `nodes`: how many of each chunk (None where unreadable), its text, and the whole."""
    for _, value in resources(given):
        name, _, chunks = value.partition("=")
        if name not in ("select", "nodes"):
            continue
        for chunk in chunks.split("+"):
            first = chunk.partition(":")[0]
            many = int(first) if first.isdigit() else None if "$" in first else 1
            yield many, chunk, value


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
