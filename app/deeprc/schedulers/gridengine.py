"""Grid Engine."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, NamedTuple
from xml.etree import ElementTree

from deeprc.core.ask import ask
from deeprc.schedulers.base import TALK, Scheduler, register, user
from deeprc.schedulers.jobs import Job, Remark
from deeprc.schedulers.queues import Gres, Queue, SchedulerFound, here, number, whole

UNITS = {"K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
ARCHS = (("x86_64", "amd64|x86_64|x64"), ("aarch64", "arm64|aarch64"), ("ppc64le", "ppc64"))  # of `lx-amd64`
GPUS = ("gpu", "gpus", "ngpu", "ngpus", "num_gpu", "num_gpus")  # what sites call them: it has no name of its own
TAKES_NONE = {"d": "disabled", "D": "disabled", "u": "unreachable", "E": "in error", "C": "suspended", "o": "orphaned"}
FILL_IN = "FILL-IN"


class Instance(NamedTuple):
    """A queue on a host: its slots; cores, memory in MB and accelerators of the host; why it takes no jobs."""

    queue: str
    host: str
    slots: int
    cores: int | None
    sockets: int | None
    memory_mb: int | None
    arch: str | None
    gpus: int
    why_not: str | None


@register("gridengine")
class GridEngine(Scheduler):
    """Sun's Grid Engine and what has come of it: hosts and queues from `qhost`, parallel environments from `qconf`.

    A job is given slots, not nodes: `-pe NAME COUNT`. The allocation rule of the parallel environment NAME says how
    many of a host: a number, that many; `$fill_up` and `$round_robin`, as many as are free; `$pe_slots`, all of one
    (sge_pe(5)). So a site writes `-pe NAME` of one whose rule is a host's number of slots, and COUNT comes by itself.
    """

    title = "Grid Engine"
    no_pilot = "what the pilot runs by has no way to its queue, nor to its nodes"
    interactive = "qrsh"
    # qsub(1), ENVIRONMENTAL VARIABLES. Others have a JOB_ID, too.
    job_variable, queue_variable, cluster_variable = "SGE_JOB_SPOOL_DIR", "QUEUE", "SGE_CLUSTER_NAME"
    tells = (
        "SGE_*", "JOB_ID", "JOB_NAME", "JOB_SCRIPT", "NHOSTS", "NQUEUES", "NSLOTS", "PE", "PE_HOSTFILE", "QUEUE",
        "REQUEST", "RESTARTED", "ARC",
    )  # fmt: skip
    known_by = ("SGE_CLUSTER_NAME",)
    settings: ClassVar = {"account": ("-P",), "reservation": ("-ar",)}  # `-A` is a remark that nobody checks
    named = "-N {}"
    queues = ("-q",)

    def detect(self) -> SchedulerFound | None:
        """Grid Engine, where its commands are: PBS has a qstat, too, but neither `qhost` nor `qconf`."""
        if not (shutil.which("qhost") and shutil.which("qconf")):
            return None
        version = number(ask(["qstat", "-help"], both=True))
        text = ask(["qhost", "-q", "-F", ",".join(GPUS), "-xml"])
        if text is None:
            return SchedulerFound(self.name, version, remark="Grid Engine is installed, but no master answers")
        queues, left_out = parse_queues(parse_hosts(text, lambda host: ask(["qconf", "-se", host])))
        return SchedulerFound(self.name, version, os.environ.get("SGE_CLUSTER_NAME"), queues, left_out=left_out)

    def options_for(self, queue: Queue, *, processors: int, gres: Gres | None, gpus: int) -> list[str]:
        """The queue, and of its parallel environments the one that gives whole hosts, as far as it tells."""
        rules = {}
        for name in parse_record(ask(["qconf", "-sq", queue.name]) or "").get("pe_list", "").split():
            rules[name] = parse_record(ask(["qconf", "-sp", name]) or "").get("allocation_rule", "")
        best = sorted(rules, key=lambda name: (rules[name] != str(processors), rules[name] != "$fill_up"))
        return ["-q", queue.name, "-pe", best[0] if best else FILL_IN]

    def asked(self, job: Job) -> list[str]:
        """The slots of whole nodes: their number stands behind the parallel environment's name."""
        found: list[str] = []
        words = job.words
        for place, word in enumerate(words):
            found.append(word)
            if words[place - 1 : place] == ["-pe"] and not _counts(words[place + 1 : place + 2]):
                found.append(str(job.nodes * job.slots))
        return found

    def contradiction(self, options: Sequence[str], facts: Mapping[str, object], nodes: int) -> str | None:
        """No parallel environment, or a number of slots that is the same for every plan."""
        words = [word for option in options for word in option.split()]
        if "-pe" not in words:
            return "Grid Engine gives a job without a parallel environment one slot: write -pe NAME (qconf -spl)"
        name, *count = [*words[words.index("-pe") + 1 :][:2], ""][:2]
        if not name or name.startswith("-"):
            return "-pe wants the name of a parallel environment (qconf -spl)"
        if _counts(count) and "{nodes}" not in count[0]:
            return f"-pe {name} {count[0]} is as many slots for every plan: leave the number out, it comes by itself"
        return None

    def end(self, name: str) -> None:
        """By `qdel`, by their numbers: a manager's would end others' jobs of that name, too."""
        if found := self.left(name):
            ask(["qdel", *found], patience=TALK)

    def left(self, name: str) -> list[str]:
        """By `qstat`, as XML: its table has room for ten letters of a name."""
        return [number for number, _ in self._mine(name)]

    def waits(self, name: str) -> str | None:
        """The state in its letters, `qw` or `Eqw`, and the last of the reasons that it gives."""
        for job, state in self._mine(name):
            if "q" in state:
                why = parse_reasons(ask(["qstat", "-j", job], patience=TALK) or "")
                return f"{state} ({why[-1]})" if why else state
        return None

    def _mine(self, name: str) -> list[tuple[str, str]]:
        return parse_jobs(ask(["qstat", "-u", user(), "-xml"], patience=TALK) or "", name)

    def nodes(self, environment: Mapping[str, str] = os.environ) -> int:
        """Hosts in the file of the job's parallel environment: `host slots queue processors`."""
        with contextlib.suppress(KeyError, OSError):
            lines = Path(environment["PE_HOSTFILE"]).read_text().splitlines()
            return len({line.split()[0] for line in lines if line.split()}) or 1
        return 1

    def checks(self, job: Job) -> Iterator[Remark]:
        """Whether the parallel environment is there, in the queue, and gives whole nodes; what is asked per slot."""
        words = [*job.words, ""]
        if "-pe" not in words:
            return
        name = words[words.index("-pe") + 1]
        subject, says = f"parallel environment {name}", f"{job.slots} slots of a node"
        text = ask(["qconf", "-sp", name])
        if text is None:
            there = ", ".join((ask(["qconf", "-spl"]) or "").split()) or "none"
            yield Remark(subject, f"there are {there}", name, False, grave=True, fix="correct -pe in scheduler_options")
            return
        yield judge_rule(subject, parse_record(text).get("allocation_rule", ""), job, says)
        if "-q" in words:
            queue = words[words.index("-q") + 1].partition("@")[0]
            offers = parse_record(ask(["qconf", "-sq", queue]) or "").get("pe_list", "").split()
            fix = None if name in offers else f"one of these, or another queue: a job of {name} would wait for ever"
            yield Remark(f"queue {queue}", ", ".join(offers) or "none", name, name in offers, grave=bool(fix), fix=fix)
        kinds = parse_complexes(ask(["qconf", "-sc"]) or "")
        for option, value in itertools.pairwise(words):
            for resource in value.split(",") if option == "-l" else ():
                key, _, wanted = resource.partition("=")
                counts = {"YES": f"{wanted} for each slot, {job.slots} times as many for a node",
                          "JOB": f"{wanted} for the whole job"}.get(kinds.get(key, ""))  # fmt: skip
                if counts:
                    yield Remark(f"resource {key}", counts, resource, None, fix=f"is that meant? (qconf -sc: {key})")


def _counts(words: Sequence[str]) -> bool:
    """Whether a word is a number of slots, `4`, `2-8`, `-8`, or stands for one."""
    return bool(words) and re.fullmatch(r"-?\d[\d,-]*|.*\{nodes\}.*", words[0]) is not None


def judge_rule(subject: str, rule: str, job: Job, says: str) -> Remark:
    """What the allocation rule of a parallel environment makes of a job."""
    if rule == str(job.slots):
        return Remark(subject, f"{rule} slots of a node", says, True)
    if rule == "$pe_slots" or (rule in ("$fill_up", "$round_robin") and job.nodes == 1):
        same = None if job.nodes == 1 else False
        fix = "its slots are of one node: take another one for several" if job.nodes > 1 else None
        return Remark(subject, rule, says, same, grave=job.nodes > 1, fix=fix)
    if rule in ("$fill_up", "$round_robin"):
        fix = f"take one with allocation_rule {job.slots}: its slots may lie on more nodes, beside others' jobs"
        return Remark(subject, f"{rule}: what is free", says, False, fix=fix)
    return Remark(subject, f"{rule} slots of a node", says, False, fix=f"take one with allocation_rule {job.slots}")


def parse_record(text: str) -> dict[str, str]:
    """`qconf -sq`, `-sp`, `-se`: a key and its value on each line, a backslash carries a line on."""
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    return {key: value.strip().replace(",", " ") for key, _, value in (line.partition(" ") for line in lines) if key}


def parse_gpus(text: str) -> int:
    """Accelerators of a host in `qconf -se`: `complex_values gpu=2,slots=40`."""
    values = dict(pair.partition("=")[::2] for pair in parse_record(text).get("complex_values", "").split())
    return next((whole(values[name]) or 0 for name in GPUS if name in values), 0)


def parse_hosts(text: str, of_host: Callable[[str], str | None]) -> list[Instance]:
    """Queues on hosts in `qhost -q -F gpu,… -xml`, whose table would cut long names of hosts off.

    What it says of a resource is what is left of it: how much there is, `qconf -se` tells (`of_host`), asked for hosts
    that have accelerators. Until 8.0, hosts tell nothing of sockets and cores.
    """
    found = []
    for host in _parsed(text).iter("host"):
        name, facts = host.get("name", ""), {value.get("name"): value.text or "" for value in host.iter("hostvalue")}
        memory = re.fullmatch(r"([\d.]+)([KMGT])", facts.get("mem_total", ""))
        has_gpus = any(value.get("name") in GPUS for value in host.iter("resourcevalue"))
        gpus = parse_gpus(of_host(name) or "") if has_gpus else 0
        for queue in host.iter("queue"):
            values = {value.get("name"): value.text or "" for value in queue.iter("queuevalue")}
            why = next((TAKES_NONE[letter] for letter in values.get("state_string", "") if letter in TAKES_NONE), None)
            if "P" not in values.get("qtype_string", ""):
                why = "without a parallel environment"
            elif memory is None:
                why = "unreachable"
            found.append(
                Instance(
                    queue.get("name", ""), name, whole(values.get("slots")) or 0,
                    whole(facts.get("m_core")) or whole(facts.get("num_proc")), whole(facts.get("m_socket")),
                    int(float(memory[1]) * UNITS[memory[2]] / 10**6) if memory else None,
                    next((arch for arch, word in ARCHS if re.search(word, facts.get("arch_string", ""))), None),
                    gpus, why,
                )
            )  # fmt: skip
    return found


def parse_queues(instances: Sequence[Instance]) -> tuple[list[Queue], list[str]]:
    """Queues that take jobs, one for each kind of their hosts; and what was left out, and why."""
    kinds: dict[Instance, list[Instance]] = {}
    for one in instances:
        if one.why_not is None:
            kinds.setdefault(one._replace(host="", memory_mb=None), []).append(one)
    found = []
    for kind, alike in kinds.items():
        threads = kind.slots // kind.cores if kind.cores and kind.slots % kind.cores == 0 else 0
        found.append(
            Queue(
                kind.queue, len(alike), kind.cores if threads else kind.slots, min(one.memory_mb for one in alike),
                f"gpu:{kind.gpus}" if kind.gpus else None, threads or 1, kind.sockets,
                any(here(one.host) for one in alike), kind.arch,
            )
        )  # fmt: skip
    names = {queue.name for queue in found}
    why = {one.queue: one.why_not for one in instances if one.queue not in names}
    return found, [f"{name}: its hosts are {reason}" for name, reason in why.items()]


def parse_jobs(text: str, name: str) -> list[tuple[str, str]]:
    """Number and state of the jobs of that name in `qstat -xml`."""
    mine = [job for job in _parsed(text).iter("job_list") if job.findtext("JB_name") == name]
    return [(job.findtext("JB_job_number", ""), job.findtext("state", "")) for job in mine]


def _parsed(text: str) -> ElementTree.Element:
    with contextlib.suppress(ElementTree.ParseError):
        return ElementTree.fromstring(text.strip())
    return ElementTree.Element("nothing")


def parse_reasons(text: str) -> list[str]:
    """Why a job waits in `qstat -j`: `error reason`, and `scheduling info`, whose lines go on below."""
    told = re.findall(r"^error reason\s+\d+:\s*(.+?)\s*$", text, re.M)
    info = re.search(r"^scheduling info:\s+(.+(?:\n[ \t]+\S.*)*)", text, re.M)
    return told or [line.strip() for line in (info[1].splitlines() if info else []) if line.strip()]


def parse_complexes(text: str) -> dict[str, str]:
    """Of each resource in `qconf -sc`, by both of its names, whether it is used up: `YES` by each slot, `JOB`, `NO`."""
    rows = [line.split() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return {name: row[5] for row in rows if len(row) >= 8 for name in row[:2]}
