"""The checks, each of which returns what it has found."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import replace

from deeprc.core.errors import ConfigError
from deeprc.doctor import cause
from deeprc.doctor.compare import compare
from deeprc.doctor.gpus import judge
from deeprc.doctor.logs import LOGGING, judge_provider, uses
from deeprc.doctor.probe.say import heard
from deeprc.doctor.ranks import Case, Output, plan, start
from deeprc.doctor.result import CheckResult, Status
from deeprc.launch import Layout
from deeprc.launch.choose import make_layout
from deeprc.launch.modules import probe
from deeprc.launch.text import launch_line
from deeprc.sites.detect.machine import Machine, find_out
from deeprc.sites.identity import looked_for, matches
from deeprc.sites.setting import Comm

BACKENDS = {"nvidia": "nccl", "amd": "nccl", "intel": "xccl"}


def machine(case: Case) -> list[CheckResult]:
    """Compare what is here with the site file."""
    site, found = case.site, find_out()
    right = matches(site)
    text = f"this is {site.name}" if right else f"this is {', '.join(found.hosts)}; looked for {looked_for(site)}"
    fix = None if right else f"take the site file of this machine (deeprc site detect), or set DEEPRC_SITE={site.name}"
    outcomes = [CheckResult("machine", "identity", "ok" if right else "failed", text, fix)]
    node = _node(case) if site.batch else found
    if isinstance(node, CheckResult):
        outcomes.append(node)
        node = None
    for line in compare(found, site, case.partition, node):
        status: Status = {True: "ok", None: "not run", False: "failed" if line.grave else "warning"}[line.same]
        text = line.found if line.same else f"found {line.found}; site file: {line.says}"
        outcomes.append(CheckResult("machine", line.subject, status, text, line.fix))
    return outcomes


def _node(case: Case) -> Machine | CheckResult:
    """What one of the job's nodes has; this shell may be on the login node, as salloc leaves it."""
    one = replace(case, image=None, layout=Layout(cores_per_rank=case.partition.usable_cores))
    ran = _run("machine", "nodes", one, "node", [], alone=True)
    if isinstance(ran, CheckResult):
        return ran
    said = [one for one in heard(ran.out) if one.pop("kind") == "node"]
    if ran.code == 0 and said:
        return Machine.from_record(said[0])
    return CheckResult("machine", "nodes", "warning", *cause.of_failure(ran), launch_line=ran.line)


def modules(case: Case) -> list[CheckResult]:
    """Whether the modules that a task loads are here, and get along with each other."""
    wanted = plan(case, "world", []).modules
    if not wanted:
        return [CheckResult("modules", "modules", "ok", "the site asks for none")]
    # A runtime that is on compute nodes only may have its module there only, too.
    elsewhere = set(case.site.runtime.modules) if case.site.runtime.where == "compute" else set()
    try:
        problems = probe(wanted, timeout=case.patience)
    except subprocess.TimeoutExpired:
        return [CheckResult("modules", "modules", "failed", f"loading them takes longer than {case.patience:.0f} s")]
    fix = "mend `modules` in the site file: `module spider NAME` shows what there is"
    found = [
        CheckResult("modules", each.module, "warning" if each.module in elsewhere else "failed", str(each), fix)
        for each in problems
    ]
    return found or [CheckResult("modules", "modules", "ok", f"{len(wanted)} load: {', '.join(wanted)}")]


def world(case: Case) -> list[CheckResult]:
    """Whether the launcher's ranks are one world."""
    ran = _run("world", "world size", case, "world", [])
    outcome = ran if isinstance(ran, CheckResult) else _world(case, ran)
    others = case.site.launcher_on(case.partition).alternatives if outcome.status == "failed" else []
    return [outcome, *(_alternative(case, name) for name in others)]


def _alternative(case: Case, name: str) -> CheckResult:
    """Another launcher of the site's, where its own does not work."""
    subject = f"by {name}"
    case = case.with_launcher(name)
    ran = _run("world", subject, case, "world", [])
    outcome = ran if isinstance(ran, CheckResult) else _world(case, ran)
    works = outcome.status in ("ok", "warning")
    fix = f"set launcher.name to {name} in the site file" if works else outcome.fix
    return replace(outcome, subject=subject, status=outcome.status if works else "warning", fix=fix)


def allreduce(case: Case) -> list[CheckResult]:
    """Whether sums over all ranks are right, how fast they are, and how fast messages between two ranks."""
    ran = _run("allreduce", "MPI", case, "world", ["speed"])
    if isinstance(ran, CheckResult):
        return [ran]
    size = _world(case, ran)
    if size.status == "failed":
        return [CheckResult("allreduce", "MPI", "not run", "there is no world to sum over", size.fix)]
    return [_sums("allreduce", "MPI", ran)]


def provider(case: Case) -> list[CheckResult]:
    """Which fabric MPI really uses, from the logs of its libraries."""
    ran = _run("provider", "MPI", case, "world", [], logging=LOGGING)
    if isinstance(ran, CheckResult):
        return [ran]
    return [_provider("MPI", case, ran)]


def gpus(case: Case) -> list[CheckResult]:
    """Whether every rank uses another accelerator, for ranks that talk by MPI and those of NCCL, RCCL and oneCCL."""
    part = case.partition
    if part.accelerator is None:
        return []
    ranks = case.layout.nodes * min(part.gpus, part.usable_cores)
    full = replace(case, layout=make_layout(part, nodes=case.layout.nodes, ranks=ranks, gpus=1))
    return [_gpus(full, comm) for comm in ("mpi", "ccl")]


def _gpus(case: Case, comm: Comm) -> CheckResult:
    words = [case.partition.accelerator.vendor, case.partition.accelerator.visible]
    ran = _run("gpus", comm, case, "gpus", words, comm=comm, alone=True)
    if isinstance(ran, CheckResult):
        return ran
    if ran.code != 0:
        return CheckResult("gpus", comm, "failed", *cause.of_failure(ran), launch_line=ran.line)
    said = [one for one in heard(ran.out) if one["kind"] == "gpus"]
    seen = plan(case, "gpus", words, comm=comm).gpus_seen
    return judge(said, ranks=case.layout.ranks, each=1, seen=seen, comm=comm, line=ran.line)


def torch(case: Case) -> list[CheckResult]:
    """torch.distributed: gloo, and what the accelerators have."""
    outcomes = _torch(case, "gloo")
    accelerator = case.partition.accelerator
    if accelerator is None:
        return outcomes
    return outcomes + _torch(case.with_gpus(1), BACKENDS[accelerator.vendor])


CHECKS: dict[str, Callable[[Case], list[CheckResult]]] = {
    "machine": machine,
    "modules": modules,
    "world": world,
    "allreduce": allreduce,
    "provider": provider,
    "gpus": gpus,
    "torch": torch,
}


def allocate(case: Case) -> str:
    """How to get an allocation for the checks, and run them in it."""
    try:
        options = plan(case, "world", []).scheduler_options
    except ConfigError:  # the launcher is not here; it may be there
        options = []
    again = f"deeprc doctor --site {case.site.name} --nodes {case.layout.nodes}"
    return f"{' '.join([case.site.scheduler.system.interactive, *options])}, and there: {again}"


def _torch(case: Case, backend: str) -> list[CheckResult]:
    subject = f"torch {backend}"
    logging = LOGGING if backend != "gloo" else None
    ran = _run(
        "torch", subject, case, "tensors", [backend], comm="mpi" if backend == "gloo" else "ccl", logging=logging
    )
    if isinstance(ran, CheckResult):
        return [ran]
    absent = [said["why"] for said in heard(ran.out) if said["kind"] == "absent"]
    if absent:
        return [CheckResult("torch", subject, "not run", absent[0])]
    size = _world(case, ran)
    if size.status == "failed":
        return [CheckResult("torch", subject, "failed", size.text, size.fix, launch_line=ran.line)]
    outcomes = [_sums("torch", subject, ran)]
    return outcomes if backend == "gloo" else [*outcomes, _provider(subject, case, ran)]


def _run(
    check: str, subject: str, case: Case, module: str, words: list[str], *, comm: str = "mpi",
    logging: dict | None = None, alone: bool = False,
) -> CheckResult | Output:  # fmt: skip
    """Start a probe; an outcome where that cannot be."""
    try:
        made = plan(case, module, words, comm=comm, logging=logging)
    except ConfigError as error:
        return CheckResult(check, subject, "failed", f"{error.problem} ({error.found})", error.fix)
    if made.refused:
        return CheckResult(check, subject, "failed", made.reason, made.fix)
    if not matches(case.site):
        return CheckResult(check, subject, "not run", f"this is not {case.site.name}", launch_line=launch_line(made))
    if not case.site.scheduler.system.within():
        return CheckResult(check, subject, "not run", "not within a job", allocate(case), launch_line=launch_line(made))
    if case.layout.ranks < 2 and not alone:
        return CheckResult(check, subject, "not run", "one rank has nobody to talk to", "give --ranks 2 or more")
    return start(made, case.patience)


def _world(case: Case, ran: Output) -> CheckResult:
    ranks = [said for said in heard(ran.out) if said["kind"] == "rank"]
    expected, launcher = case.layout.ranks, ran.line.split()[0]
    numbers = {rank["rank"] for rank in ranks}
    right = len(ranks) == expected == len(numbers) and {rank["size"] for rank in ranks} == {expected}
    if right and ran.code == 0:
        hosts = len({rank["host"] for rank in ranks})
        by = f" ({cause.title(ranks[0]['library'])})" if "library" in ranks[0] else ""
        text = f"{expected} ranks on {hosts} node{'s' * (hosts > 1)} are one world{by}"
        if hosts != case.layout.nodes:
            return CheckResult(
                "world", "world size", "warning", f"{text}; {case.layout.nodes} nodes were asked for",
                "does the allocation have as many? (scheduler_options)", launch_line=ran.line,
            )  # fmt: skip
        return CheckResult("world", "world size", "ok", text, launch_line=ran.line)
    alone = ranks and not right and {rank["size"] for rank in ranks} == {1} and "told" in ranks[0]
    failed = ran.code != 0 and not alone
    why, fix = cause.of_failure(ran) if failed or not ranks else cause.of_wrong_world(ranks, expected, launcher)
    return CheckResult("world", "world size", "failed", why, fix, launch_line=ran.line)


def _sums(check: str, subject: str, ran: Output) -> CheckResult:
    said = heard(ran.out)
    wrong = [text for one in said if one["kind"] == "allreduce" for text in one["wrong"]]
    figures = [_figures(one) for one in said if one["kind"] == "speed"]
    if wrong:
        fix = "do not compute here: check the network, and try another provider or MPI"
        return CheckResult(check, subject, "failed", "allreduce is wrong: " + "; ".join(wrong), fix, figures, ran.line)
    if not any(one["kind"] == "allreduce" for one in said):
        return CheckResult(check, subject, "failed", *cause.of_failure(ran), launch_line=ran.line)
    small, large = figures[0], figures[-1]
    text = f"sums are right; {small['allreduce_us']:g} µs for 8 B, {large['allreduce_mb_s']:g} MB/s for 4 MiB"
    return CheckResult(check, subject, "ok", text, figures=figures, launch_line=ran.line)


def _figures(said: dict) -> dict:
    row = {"bytes": said["bytes"]}
    for name in ("allreduce", "message"):
        if name in said:
            row[f"{name}_us"] = round(said[name] * 1e6, 1)
            row[f"{name}_mb_s"] = round(said["bytes"] / said[name] / 1e6, 1)
    return row


def _provider(subject: str, case: Case, ran: Output) -> CheckResult:
    if ran.code != 0:
        return CheckResult("provider", subject, "failed", *cause.of_failure(ran), launch_line=ran.line)
    ranks = [said for said in heard(ran.out) if said["kind"] == "rank"]
    hosts = len({rank["host"] for rank in ranks})
    if ranks and ranks[0]["size"] == 1:
        return CheckResult("provider", subject, "not run", "there is no world that talks", launch_line=ran.line)
    expected = case.site.interconnect.provider
    finding = judge_provider(expected, uses(ran.all), max(hosts, 1))
    statuses: dict[str, Status] = {
        "right": "ok",
        "fallback": "failed",
        "slow node": "failed",
        "other": "warning",
        "unknown": "warning",
    }
    fixes = {
        "fallback": "the MPI or NCCL in use cannot reach the network: bind the host's in, or add the site's settings"
        f" for {expected} (deeprc plan shows what is set)",
        "slow node": "does a variable forbid shared memory (UCX_TLS), is /dev/shm small, or is each rank in a namespace"
        " of its own (apptainer: --sharens)?",
        "other": "correct interconnect.provider in the site file, or choose the provider in its settings",
        "unknown": "the library's own documents say how to make it tell",
        "unused": "run within an allocation of two nodes: deeprc doctor --nodes 2" if expected != "shm" else None,
    }
    return CheckResult(
        "provider", subject, statuses.get(finding.state, "not run"), finding.text, fixes.get(finding.state),
        launch_line=ran.line,
    )  # fmt: skip
