"""Slurm."""

from __future__ import annotations

import os
import re
import shutil
import socket
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from deeprc.core.ask import ask
from deeprc.core.errors import ConfigError
from deeprc.schedulers.base import TALK, Scheduler, register, user
from deeprc.schedulers.jobs import Lost, OwnJob
from deeprc.schedulers.queues import Gres, Queue, SchedulerFound, number
from deeprc.schedulers.requests import Asked, pairs, spelt
from deeprc.schedulers.slurm_job import of_gres, parse_job
from deeprc.schedulers.slurm_sinfo import SINFO, default_pmi, parse_config, parse_sinfo, this_node, with_archs

# Slurm: sbatch.html. What each counts for: a node, the job, a task, a socket.
GPUS = {
    "--gpus-per-node": "node", "--gres": "node", "--tres-per-node": "node", "--gpus": "job", "-G": "job",
    "--gpus-per-task": "task", "--tres-per-task": "task", "--gpus-per-socket": "socket",
}  # fmt: skip

# squeue.html, "JOB STATE CODES": those in which a job has ended that nobody has asked to end well, and what they mean.
ENDED = {
    "NODE_FAIL": "Slurm has ended its job, since a node failed",
    "BOOT_FAIL": "Slurm has ended its job, since a node did not boot",
    "PREEMPTED": "Slurm has ended its job for another one (preemption)",
    "CANCELLED": "its job was cancelled (scancel)",
    "TIMEOUT": "its job's time is over",
    "DEADLINE": "its job's deadline is over",
    "OUT_OF_MEMORY": "Slurm has ended its job, since memory ran out",
}
# squeue.html, "JOB REASON CODES": those that waiting does not change, where the controller takes such a job at all
# (slurm.conf.html, EnforcePartLimits=NO, its default), and what to ask for instead.
NEVER = {
    "PartitionTimeLimit": "a shorter time: --radical-pilot-runtime, or another partition",
    "PartitionNodeLimit": "fewer nodes: --radical-pilot-nodes, or another partition",
    **{
        f"{whose}Max{what}PerJobLimit": f"{less}: {option}, or another account or QoS"
        for whose in ("Assoc", "QOS")
        for what, less, option in (
            ("WallDuration", "a shorter time", "--radical-pilot-runtime"),
            ("Node", "fewer nodes", "--radical-pilot-nodes"),
            ("Cpu", "fewer nodes or cores", "--radical-pilot-nodes"),
        )
    },
    "BadConstraints": "other features: --radical-pilot-constraint",
    "InvalidAccount": "another account: --radical-pilot-account",
    "InvalidQOS": "another QoS: --radical-pilot-qos",
}


@register("slurm")
class Slurm(Scheduler):
    """Slurm: partitions from `sinfo`, the default PMI from `scontrol show config`."""

    title = "Slurm"
    engine = "slurm"
    comes_first = True  # it has wrappers called qstat, bjobs, lsid
    launcher = own_launcher = "srun"
    interactive = "salloc"
    job_variable, queue_variable, cluster_variable = "SLURM_JOB_ID", "SLURM_JOB_PARTITION", "SLURM_CLUSTER_NAME"
    tells = ("SLURM_*", "SLURMD_*")
    clients = ("SLURM_CONF",)
    known_by = ("SLURM_CLUSTER_NAME",)
    settings: ClassVar = {
        "account": ("--account", "-A"),
        "qos": ("--qos", "-q"),
        "constraint": ("--constraint", "-C"),
        "reservation": ("--reservation",),
        "exclusive": ("--exclusive",),
    }
    named = "--job-name={}"
    queues = ("--partition", "-p")
    once = ("--no-requeue",)
    keeps = True
    by_step = True

    def detect(self) -> SchedulerFound | None:
        """Slurm, where its commands are."""
        if not shutil.which("sinfo"):
            return None
        version, text = number(ask(["sinfo", "--version"])), ask(SINFO)
        if text is None:
            return SchedulerFound("slurm", version, remark="Slurm is installed, but no controller answers")
        config = parse_config(ask(["scontrol", "show", "config"]) or "")
        queues, left_out = parse_sinfo(text)
        mine = parse_sinfo(ask([*SINFO, f"--nodes={socket.gethostname().partition('.')[0]}"]) or "")[0]
        nodes = ask(["scontrol", "show", "nodes", "--oneliner"]) or ""
        queues = with_archs(this_node(queues, mine, os.environ), nodes)
        return SchedulerFound("slurm", version, config.get("ClusterName"), queues, None, default_pmi(config), left_out)

    def options_for(self, queue: Queue, *, processors: int, gres: Gres | None, gpus: int) -> list[str]:
        """Nodes and ranks, and its accelerators where it reports some."""
        options = [f"--partition={queue.name}", "--nodes={nodes}", "--ntasks-per-node={ranks_per_node}"]
        kind = f"{gres[0]}:" if gres and gres[0] else ""
        return [*options, f"--gres=gpu:{kind}{{gpus}}"] if gres else options

    def joined(self, setting: str, site: str, user: str) -> str:
        """Two constraints are one; without brackets, only plain features can be joined."""
        if setting != "constraint":
            return user
        if not all(re.fullmatch(r"[\w.&-]+", text) for text in (site, user)):
            raise ConfigError(
                "the site's constraint and the one that is asked for cannot be joined",
                found=f"{site} and {user}",
                expected="features joined by &",
                fix="ask for features only, or for a partition of the site that has such nodes",
            )
        return site if user in site.split("&") else f"{site}&{user}"

    def environment(self, words: Sequence[str], gpus: int) -> dict[str, str]:
        """A node's accelerators, where nothing else asks for them: an option of the command or the job's script would
        go before this, and the pilot's engine has none for them.
        """
        asked = any(word.startswith(("--gres", "--gpus", "-G", "--exclusive")) for word in words)
        return {"SBATCH_GRES": f"gpu:{gpus}"} if gpus and not asked else {}

    def nodes_asked(self, options: Sequence[str]) -> Asked | None:
        """`--nodes`, the last one of which counts."""
        last = next((pair for pair in reversed(pairs(options)) if pair[0] in ("--nodes", "-N")), None)
        count = last and re.fullmatch(r"(?:\d+-)?(\d+)", last[1])
        return Asked(int(count[1]), spelt(*last), "--nodes={nodes}") if last and count else None

    def gpus_asked(self, options: Sequence[str], nodes: int, sockets: int = 1) -> Iterator[Asked]:
        """Each of GPUS, the last one of which counts."""
        given = pairs(options)
        tasks = [value for name, value in given if name == "--ntasks-per-node"]
        for name, value in dict(given).items():
            if name not in GPUS or (count := of_gres(name, value)) is None:
                continue
            per = GPUS[name]
            if per == "task":
                count *= int(tasks[-1]) if tasks and tasks[-1].isdigit() else 1
            each = {"job": count // nodes, "socket": count * sockets}.get(per, count)
            number = re.sub(r"\d+$", "{gpus}", value) if re.search(r"\d$", value) else f"{value}:{{gpus}}"
            yield Asked(each, spelt(name, value), f"{name}={number}" if per == "node" else "--gpus-per-node={gpus}")

    def end(self, name: str) -> None:
        """By `scancel`."""
        ask(["scancel", "--quiet", f"--user={user()}", f"--name={name}"], patience=TALK)

    def left(self, name: str) -> list[str]:
        """By `squeue`."""
        mine = ["squeue", "--noheader", "--me", "--states=PD,CF,R,S", f"--name={name}", "--format=%i"]
        return (ask(mine, patience=TALK) or "").split()

    def waits(self, name: str) -> str | None:
        """State and reason in Slurm's words, its place among those that `squeue` shows, and when Slurm expects it to
        start: `PENDING (Priority), 2 of 11 others in debug come first, expected to start 2026-11-26T14:05:00`.

        A cluster may show a user no jobs but his own (PrivateData): then there are no others.
        """
        mine = ["squeue", "--noheader", "--me", "--states=PENDING", f"--name={name}", "--format=%T|%r|%P|%Q|%i|%S"]
        first, *_ = (ask(mine, patience=TALK) or "").strip().splitlines() or [""]
        if first.count("|") != 5:
            return None
        state, reason, queue, priority, number, start = first.split("|")
        others = ["squeue", "--noheader", "--states=PENDING", f"--partition={queue}", "--format=%Q|%i"]
        place = _place(f"{priority}|{number}", (ask(others, patience=TALK) or "").split())
        words = [f"{state} ({reason})", place and f"{place} in {queue} come first"]
        return ", ".join(filter(None, [*words, start[:1].isdigit() and f"expected to start {start}"]))

    def never(self, name: str) -> str | None:
        """By the reason that `squeue` tells, one of NEVER."""
        mine = ["squeue", "--noheader", "--me", "--states=PENDING", f"--name={name}", "--format=%r|%l|%P"]
        first, *_ = (ask(mine, patience=TALK) or "").strip().splitlines() or [""]
        reason, _, rest = first.partition("|")
        if reason not in NEVER:
            return None
        limit, _, queue = rest.partition("|")
        return f"it could never begin: Slurm says {reason} of a job of {limit} in {queue}; ask for {NEVER[reason]}"

    def require_up(self, environment: Mapping[str, str] = os.environ) -> None:
        """By the file that SLURM_CONF names, and `scontrol ping`."""
        where = f"SLURM_CONF={environment['SLURM_CONF']}" if environment.get("SLURM_CONF") else "Slurm"
        fix = "deeprc cluster up, where it is Deep RC's own; else ask its staff, or unset SLURM_CONF"
        if environment.get("SLURM_CONF") and not Path(environment["SLURM_CONF"]).is_file():
            raise ConfigError("no cluster is up", found=f"{where}, which is not there", fix=fix)
        said = ask(["scontrol", "ping"], patience=TALK, both=True, whatever=True) or ""
        if " is DOWN" in said and " is UP" not in said:
            raise ConfigError("no cluster is up", where=where, found=said.strip(), fix=fix)

    def lost(self, name: str) -> Lost | None:
        """By `squeue`, which knows a job for some minutes after its end, and `sinfo` for its nodes."""
        mine = ["squeue", "--noheader", "--me", "--states=all", f"--name={name}", "--format=%T|%r|%N"]
        *_, last = (ask(mine, patience=TALK) or "").strip().splitlines() or [""]
        state, _, rest = last.partition("|")
        if (why := ENDED.get(state)) is None:
            return None
        nodes = rest.partition("|")[2]
        told = ask(["sinfo", "--noheader", "--Node", f"--nodes={nodes}", "--format=%N|%T|%E"], patience=TALK) or ""
        rows = [line.split("|", 2) for line in dict.fromkeys(told.splitlines()) if line.count("|") >= 2]
        broken = {
            node: f"{node} is {at.rstrip('*')} ({why})" for node, at, why in rows if at.startswith(("down", "fail"))
        }
        return Lost("; ".join([why, *broken.values()]), tuple(broken))

    def anew(self, name: str) -> bool:
        """By the number of its restarts, of which `squeue` tells."""
        mine = ["squeue", "--noheader", "--me", f"--name={name}", "--Format=RestartCnt:10"]
        return any(count.isdigit() and int(count) for count in (ask(mine, patience=TALK) or "").split())

    def known(self, name: str) -> bool | None:
        """By `squeue`, which knows a job for some minutes after its end."""
        found = ask(["squeue", "--noheader", "--me", "--states=all", f"--name={name}", "--format=%i"], patience=TALK)
        return None if found is None else bool(found.strip())

    def without(self, nodes: Sequence[str]) -> list[str]:
        """`--exclude`."""
        return [f"--exclude={','.join(nodes)}"] if nodes else []

    def keep(
        self, script: Path, options: Sequence[str], *, queue: str | None, minutes: int, log: Path, again: bool,
        warn: float,
    ) -> list[str]:  # fmt: skip
        """`sbatch`; the options of the site and the user come last, and count."""
        begin = ["sbatch", "--parsable", "--export=NONE", f"--time={minutes}", f"--output={log}", "--open-mode=append"]
        begin += [f"--signal=B:USR1@{warn:.0f}", "--requeue" if again else "--no-requeue"]
        return [*begin, *([f"--partition={queue}"] if queue else []), *options, str(script)]

    def lives(self, name: str) -> bool | None:
        """By `squeue`."""
        mine = ["squeue", "--noheader", "--me", "--states=PD,CF,R,S,RQ,RH,RS,ST", f"--name={name}", "--format=%i"]
        found = ask(mine, patience=TALK)
        return None if found is None else bool(found.strip())

    def ending(self, name: str) -> bool:
        """By `squeue`: COMPLETING, where some of its processes may be there still."""
        mine = ["squeue", "--noheader", "--me", "--states=CG", f"--name={name}", "--format=%i"]
        return bool((ask(mine, patience=TALK) or "").strip())

    def interrupt(self, name: str) -> None:
        """By `scancel`, whose `--state` knows no job that has nodes and has not begun (CONFIGURING), or is held."""
        begins = ["squeue", "--noheader", "--me", "--states=CF,RQ,RH,RS", f"--name={name}", "--format=%i"]
        if numbers := (ask(begins, patience=TALK) or "").split():
            ask(["scancel", "--quiet", *numbers], patience=TALK)
        mine = [f"--user={user()}", f"--name={name}"]
        ask(["scancel", "--quiet", "--state=PENDING", *mine], patience=TALK)
        ask(["scancel", "--quiet", "--state=RUNNING", "--batch", "--signal=INT", *mine], patience=TALK)

    def begin_anew(self) -> bool:
        """By `scontrol requeue`."""
        return ask(["scontrol", "requeue", os.environ.get("SLURM_JOB_ID", "")], patience=TALK) is not None

    def nodes(self, environment: Mapping[str, str] = os.environ) -> int:
        """As the job's variable says."""
        return int(environment.get("SLURM_JOB_NUM_NODES", 0)) or 1

    def held(self, environment: Mapping[str, str] = os.environ) -> OwnJob | None:
        """By `scontrol show job --details`."""
        job = environment.get("SLURM_JOB_ID", "")
        return parse_job(ask(["scontrol", "show", "job", "--details", "--oneliner", job], patience=TALK) or "")

    def was_given(self, option: Sequence[str], environment: Mapping[str, str] = os.environ) -> bool:
        """Of `--network` its variable tells."""
        return [*option] == [f"--network={environment.get('SLURM_NETWORK')}"]


def _place(mine: str, jobs: list[str]) -> str | None:
    """`2 of 11 others`: those of a higher priority, or an older one of the same; each job is `priority|number`."""

    def order(job: str) -> tuple[int, int]:
        priority, number = (re.match(r"\d*", part)[0] for part in job.split("|"))
        return -int(priority or 0), int(number or 0)

    others = [order(job) for job in jobs if "|" in job and job != mine]
    return f"{sum(other < order(mine) for other in others)} of {len(others)} others" if others else None
