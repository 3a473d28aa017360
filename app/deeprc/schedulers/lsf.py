"""LSF."""

from __future__ import annotations

import contextlib
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, NamedTuple

from deeprc.core.ask import ask
from deeprc.schedulers.base import TALK, Scheduler, register
from deeprc.schedulers.gpu_types import TYPES, known
from deeprc.schedulers.jobs import Job
from deeprc.schedulers.queues import Gres, Queue, SchedulerFound, architecture, here, number
from deeprc.schedulers.requests import Asked, pairs

FROM_INPUT = 'file=$1; shift; exec bsub "$@" < "$file"'
UNITS = {"K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


class Host(NamedTuple):
    """A host that runs jobs: `cores` as LSF counts them, memory in MB, accelerators in Slurm's words."""

    name: str
    cores: int
    memory_mb: int | None
    gres: str | None
    arch: str | None


@register("lsf")
class Lsf(Scheduler):
    """LSF: queues and their hosts from `bqueues`, hosts from `lshosts`, their accelerators from `lshosts -gpu`.

    Its fact `csm` is whether IBM's Cluster System Manager gives its nodes (Summit, Sierra), by `-nnodes`; else they are
    given by slots. Where nobody says, it does with `jsrun`, and where the site's options name `-nnodes`.
    """

    title = "LSF"
    engine = "lsf"
    interactive = "bsub -Is"
    job_variable, queue_variable = "LSB_JOBID", "LSB_QUEUE"
    tells = ("LSB_*",)
    known_by = ("LSB_JOBID",)
    facts = ("csm",)
    settings: ClassVar = {"account": ("-P",), "reservation": ("-U",), "exclusive": ("-x",)}
    named = "-J {}"
    once = ("-rn",)
    queues = ("-q",)

    def detect(self) -> SchedulerFound | None:
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

    def options_for(self, queue: Queue, *, processors: int, gres: Gres | None, gpus: int) -> list[str]:
        """The queue: nodes, slots and accelerators come by themselves (`asked`)."""
        return ["-q", queue.name]

    def facts_of(self, launchers: Iterable[str]) -> dict[str, object]:
        """`jsrun` is IBM's, for machines whose nodes its Cluster System Manager gives."""
        return {"csm": "jsrun" in launchers}

    def asked(self, job: Job) -> list[str]:
        """Whole nodes: by their number under IBM's CSM, else by slots, as many on each host as it has (IBM Spectrum LSF
        10.1, bsub.nnodes, span_string); and their accelerators, which others' jobs may use unless told (bsub.gpu).
        """
        words, csm = job.words, job.facts.get("csm")
        if csm is None:
            csm = job.launcher == "jsrun" or any("-nnodes" in option for option in job.everywhere)
        if csm:
            return [*job.options, *([] if "-nnodes" in words else ["-nnodes", str(job.nodes)])]
        slots = [] if "-n" in words else ["-n", str(job.nodes * job.slots), "-R", f"span[ptile={job.slots}]"]
        gpus = job.gpus and not any(word == "-gpu" or "ngpus" in word for word in words)
        return [*job.options, *slots, *(["-gpu", f"num={job.gpus}:j_exclusive=yes"] if gpus else [])]

    def contradiction(self, options: Sequence[str], facts: Mapping[str, object], nodes: int) -> str | None:
        """`-nnodes` where there is nobody who knows it."""
        if facts.get("csm") is False and any("-nnodes" in option for option in options):
            return "-nnodes is an option of IBM's Cluster System Manager: leave it out, or say csm: true"
        return None

    def nodes_asked(self, options: Sequence[str]) -> Asked | None:
        """`-nnodes`, the last one of which counts."""
        last = next((value for name, value in reversed(pairs(options)) if name == "-nnodes"), "")
        return Asked(int(last), f"-nnodes {last}", "-nnodes {nodes}") if last.isdigit() else None

    def gpus_asked(self, options: Sequence[str], nodes: int, sockets: int = 1) -> Iterator[Asked]:
        """`-gpu`, and what `-R` reserves."""
        for name, value in pairs(options):
            if name == "-gpu":
                number = re.search(r"\bnum=(\d+)(/task)?", value)
                if number is None or number[2] is None:  # bsub.gpu: one, where nothing is said
                    instead = re.sub(r"num=\d+", "num={gpus}", value) if number else "num={gpus}"
                    yield Asked(int(number[1]) if number else 1, f"-gpu {value}", f"-gpu {instead}")
            elif name == "-R" and (number := re.search(r"\bngpus\w*=(\d+)", value)):
                instead = value.replace(number[0], number[0][: -len(number[1])] + "{gpus}")
                yield Asked(int(number[1]), f"-R {value}", f"-R {instead}")

    def submit(self, command: Sequence[str], options: Sequence[str]) -> list[str]:
        """With the script as its input: `bsub FILE` runs the file as a command, its #BSUB lines unread, unless lsf.conf
        says LSB_BSUB_PARSE_SCRIPT=Y (IBM Spectrum LSF 10.1, job_script).
        """
        return ["/bin/sh", "-c", FROM_INPUT, *command, *options]

    def script(self, text: str, options: Sequence[str]) -> str:
        """Without the nodes and slots, which the command's options say as the site has them.

        PSI/J writes `-nnodes`, which is IBM's Cluster System Manager's, and a line with `-env` for each variable,
        though the option takes one list (bsub.env).
        """
        lines = []
        for line in text.splitlines():
            variable = re.fullmatch(r"#BSUB -env (\w+)=(.*)", line)
            if variable:
                lines.append(f"export {variable[1]}={variable[2]}")
            elif not re.match(r"#BSUB -(nnodes|n) ", line):
                lines.append(line)
        return "\n".join([*lines, ""])

    def end(self, name: str) -> None:
        """By `bkill`; 0 is all of that name."""
        ask(["bkill", "-J", name, "0"], patience=TALK)

    def left(self, name: str) -> list[str]:
        """By `bjobs`, which lists those that wait or run."""
        return (ask(["bjobs", "-noheader", "-J", name, "-o", "jobid"], patience=TALK) or "").split()

    def waits(self, name: str) -> str | None:
        """The first of the reasons in `bjobs -l`: `PEND (New job is waiting for scheduling)`."""
        text = ask(["bjobs", "-l", "-J", name], patience=TALK) or ""
        if "Status <PEND>" not in text.replace("\n" + " " * 21, ""):  # it folds its lines
            return None
        reasons = re.search(r"PENDING REASONS:\n\s*(.+?);?\s*\n", text)
        return f"PEND ({reasons[1]})" if reasons else "PEND"

    def nodes(self, environment: Mapping[str, str] = os.environ) -> int:
        """Those in the job's file: the host that a job of IBM's Cluster System Manager starts from has one slot there,
        and runs no ranks.
        """
        with contextlib.suppress(KeyError, OSError):
            slots = Counter(Path(environment["LSB_DJOB_HOSTFILE"]).read_text().split())
            return sum(count > 1 for count in slots.values()) or len(slots) or 1
        return 1


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
