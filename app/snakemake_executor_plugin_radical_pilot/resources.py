"""A job's resources, in the names that users of the Slurm plugin know, as ranks, cores and accelerators."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from deeprc.core.errors import DeepRCError

# Who pays and where a job queues: the pilot decides both, for the whole workflow. A rule cannot change them, and its
# results do not depend on them.
OF_THE_PILOT = ("slurm_account", "slurm_partition", "clusters", "qos")
# What else the plugins of batch systems take, and what does it here. It may decide which hardware a job runs on, so a
# rule that asks for it is refused.
ELSEWHERE = {
    "slurm_extra": "ask by `gpu`, `tasks`, `cpus_per_task`, `mem_mb`; options of the allocation stand in the site file",
    "constraint": "take such nodes for the whole pilot (--radical-pilot-constraint, --radical-pilot-partition)",
    "reservation": "take it for the whole pilot (--radical-pilot-reservation)",
    "exclusive": "ask for all cores of a node, by `cpus_per_task`; for the whole pilot, --radical-pilot-exclusive",
    "mpi": "take the launcher out of the command: the pilot's starts the ranks",
    "cpus_per_gpu": "ask by `cpus_per_task`",
    "tasks_per_gpu": "ask by `tasks` and `gpus_per_task`",
}
UNKNOWN = "<TBD>"  # Snakemake's word for a value that depends on a file which is not there yet
GRES = re.compile(r"(?:gpu:)?(?:(?P<model>[A-Za-z][\w.-]*):)?(?P<count>\d+)")
COMMS = ("mpi", "ccl", "both")


class Resources(Protocol):
    """What is used of a job's resources. Snakemake's are a list of named values, so `name in …` looks at values."""

    def get(self, name: str, default: object = None, /) -> object:
        """The value of that name."""


class PlacementError(DeepRCError):
    """A request that the pilot can never satisfy, or that contradicts itself."""


@dataclass(frozen=True)
class Request:
    """What one job asks for; `memory_mb` is the whole job's; it, `minutes` and `nodes` are 0 where not asked for.

    `models` are the accelerator models that it names.
    """

    ranks: int = 1
    cores_per_rank: int = 1
    gpus_per_rank: int = 0
    memory_mb: int = 0
    minutes: float = 0
    warm: tuple[str, ...] = ()
    nodes: int = 0
    comm: str = "mpi"
    models: tuple[str, ...] = ()

    @property
    def cores(self) -> int:
        """Cores of the whole job."""
        return self.ranks * self.cores_per_rank

    @property
    def gpus(self) -> int:
        """Accelerators of the whole job."""
        return self.ranks * self.gpus_per_rank


def request(rule: str, resources: Resources, threads: int, raw: Mapping[str, float] | None = None) -> Request:
    """Read a job's request.

    ranks = `tasks`, or `nodes` x `tasks_per_node`; cores per rank = `cpus_per_task`, or the rule's threads;
    accelerators per rank = `gpus_per_task`, or `gpu` (`gpus`), the job's total, or `gres`, a node's, over its ranks;
    memory = `mem_mb`, or `mem_mb_per_cpu` x cores; `runtime` is in minutes; `warm` names modules, separated by commas;
    `comm` is what ranks talk through, as in `deeprc plan`. A model may precede the number of accelerators: `a100:2`.

    Parameters
    ----------
    raw
        The numbers that Snakemake has rounded, as the rule has them.
    """

    aim = "RULE" if rule.startswith("group ") else rule  # --set-resources does not know groups

    def given(name: str) -> object:
        value = (raw or {}).get(name, resources.get(name))
        return None if value in (UNKNOWN, "") else value

    def refuse(name: str, expected: str) -> PlacementError:
        return PlacementError(
            f"rule {rule}: the resource {name} is not understood", found=f"{name}={given(name)}", expected=expected,
            fix=f"mend it in the rule, or for this run by --set-resources {aim}:{name}=…",
        )  # fmt: skip

    def number(name: str, default: int = 0) -> int:
        value = given(name)
        if value is None:
            return default
        if isinstance(value, str) and re.fullmatch(r"\s*-?\d+\s*", value):
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
            raise refuse(name, "a whole number")
        if value < 0:
            raise PlacementError(f"rule {rule}: the resource {name} is negative", found=value, expected="0 or more")
        return int(value)

    def accelerators(name: str) -> int:
        value = given(name)
        parts = GRES.fullmatch(value.strip()) if isinstance(value, str) else None
        if name == "gres" and value not in (None, 0) and not (parts and value.strip().startswith("gpu:")):
            raise refuse(name, "gpu:2 or gpu:a100:2")
        if parts is None:
            return number(name)
        models.update(filter(None, [parts["model"]]))
        return int(parts["count"])

    for name, fix in ELSEWHERE.items():
        if given(name) not in (None, 0, False):
            if name != "mpi":  # a command with `{resources.mpi}` would not run without it
                fix = f"{fix}; or leave it out for this run: --set-resources {aim}:{name}=0"
            raise PlacementError(
                f"rule {rule}: the resource {name} cannot be had within a pilot", found=f"{name}={given(name)}", fix=fix
            )
    models: set[str] = set(filter(None, [str(given("gpu_model") or "")]))
    ranks = number("tasks") or number("nodes", 1) * number("tasks_per_node", 1) or 1
    cores = number("cpus_per_task") or threads
    total = accelerators("gpu") or accelerators("gpus") or accelerators("gres") * max(1, number("nodes"))
    each = accelerators("gpus_per_task")
    if total % ranks and not each:
        raise PlacementError(
            f"rule {rule}: {total} accelerators cannot be shared evenly by {ranks} ranks",
            fix="ask for a multiple of the ranks, or use gpus_per_task",
        )
    memory = number("mem_mb") or number("mem_mb_per_cpu") * ranks * cores
    warm = tuple(filter(None, str(given("warm") or "").replace(" ", "").split(",")))
    comm = str(given("comm") or COMMS[0])
    if comm not in COMMS:
        raise PlacementError(f"rule {rule}: unknown comm", found=comm, expected=f"one of {', '.join(COMMS)}")
    minutes = given("runtime")
    if not isinstance(minutes, float) or minutes < 0:  # fractions of a minute are kept to the second
        minutes = number("runtime")
    nodes = number("nodes") if ranks > 1 else 0
    return Request(ranks, cores, each or total // ranks, memory, minutes, warm, nodes, comm, tuple(sorted(models)))


def check_models(rule: str, asked: Request, there: str | None) -> None:
    """Raise a PlacementError where a rule names an accelerator model that the pilot does not have."""
    for model in asked.models if asked.gpus else ():
        words = set(re.findall(r"[a-z]+\d*|\d+[a-z]*", (there or "").lower()))
        if not set(re.findall(r"[a-z]+\d*|\d+[a-z]*", model.lower())) <= words | {"nvidia", "amd", "intel"}:
            raise PlacementError(
                f"rule {rule} asks for accelerators of another model than the pilot's",
                found=model,
                expected=there,
                fix="leave the model out, or take a partition that has it (--radical-pilot-partition)",
            )


def without_effect(resources: Resources) -> list[str]:
    """The resources that a rule names without any effect."""
    return [f"{name}={value}" for name in OF_THE_PILOT if (value := resources.get(name)) is not None]


def check(rule: str, asked: Request, *, cores: int, gpus: int, memory_mb: int, minutes: int) -> None:
    """Raise a PlacementError where `asked` is more than the whole pilot has."""
    knob = f"--cores {cores}" if rule.startswith("group ") else "`threads` or --max-threads, `cpus_per_task`, `tasks`"
    rows = (
        ("cores", asked.cores, cores, f"{asked.ranks} ranks x {asked.cores_per_rank} cores", knob),
        ("accelerators", asked.gpus, gpus, f"{asked.ranks} ranks x {asked.gpus_per_rank}", "`gpu`, `gpus_per_task`"),
        ("minutes", asked.minutes, minutes, f"runtime = {asked.minutes}", "`runtime`"),
        ("MB of memory", asked.memory_mb, memory_mb, f"{asked.memory_mb} MB", "`mem_mb`"),
    )
    for what, wanted, there, found, knob in rows:
        if wanted > there:
            settings = ("runtime",) if what == "minutes" else ("nodes", "partition")
            pilot = ", ".join(f"--radical-pilot-{name}" for name in settings)
            raise PlacementError(
                f"rule {rule} asks for {wanted} {what}, the pilot has {there}",
                found=found,
                expected=f"at most {there} {what}",
                fix=f"ask for less ({knob}), or take a larger pilot ({pilot})",
            )
