"""A job's resources, in the names that users of the Slurm plugin know, as ranks, cores and accelerators."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from deeprc.errors import DeepRCError

# The pilot's own, for the whole workflow: a rule cannot change them.
OF_THE_PILOT = ("slurm_account", "slurm_partition", "qos", "constraint", "gpu_model")
COMMS = ("mpi", "ccl", "both")


class Resources(Protocol):
    """What is asked of a job's resources. Snakemake's are a list of values with names: `name in …` looks at values."""

    def get(self, name: str, default: object = None, /) -> object:
        """The value of that name."""


class PlacementError(DeepRCError):
    """A request that the pilot can never satisfy, or that contradicts itself."""


@dataclass(frozen=True)
class Request:
    """What one job asks for; `memory_mb` is the whole job's; it, `minutes` and `nodes` are 0 where nothing is asked."""

    ranks: int = 1
    cores_per_rank: int = 1
    gpus_per_rank: int = 0
    memory_mb: int = 0
    minutes: int = 0
    warm: tuple[str, ...] = ()
    nodes: int = 0
    comm: str = "mpi"

    @property
    def cores(self) -> int:
        """Cores of the whole job."""
        return self.ranks * self.cores_per_rank

    @property
    def gpus(self) -> int:
        """Accelerators of the whole job."""
        return self.ranks * self.gpus_per_rank


def request(rule: str, resources: Resources, threads: int) -> Request:
    """Read a job's request.

    ranks = `tasks`, or `nodes` x `tasks_per_node`; cores per rank = `cpus_per_task`, or the rule's threads;
    accelerators per rank = `gpus_per_task`, or `gpu` (`gpus`), the job's total, over its ranks; memory = `mem_mb`, or
    `mem_mb_per_cpu` x cores; `runtime` is in minutes; `warm` names modules, separated by commas; `comm` is what ranks
    talk through, as in `deeprc plan`.
    """

    def number(name: str, default: int = 0) -> int:
        value = resources.get(name, default)
        if isinstance(value, str) and not value.isdigit():
            return default  # `<TBD>`: not known yet
        if int(value) < 0:
            raise PlacementError(f"rule {rule}: the resource {name} is negative", found=value, expected="0 or more")
        return int(value)

    ranks = number("tasks") or number("nodes", 1) * number("tasks_per_node", 1) or 1
    cores = number("cpus_per_task") or threads
    total = number("gpu") or number("gpus")
    if total % ranks:
        raise PlacementError(
            f"rule {rule}: {total} accelerators cannot be shared evenly by {ranks} ranks",
            fix="ask for a multiple of the ranks, or use gpus_per_task",
        )
    memory = number("mem_mb") or number("mem_mb_per_cpu") * ranks * cores
    warm = tuple(filter(None, str(resources.get("warm", "")).replace(" ", "").split(",")))
    if warm and ranks > 1:
        raise PlacementError(f"rule {rule}: only a job of one rank can be warm", found=f"{ranks} ranks")
    comm = str(resources.get("comm", COMMS[0]))
    comm = COMMS[0] if comm == "<TBD>" else comm
    if comm not in COMMS:
        raise PlacementError(f"rule {rule}: unknown comm", found=comm, expected=f"one of {', '.join(COMMS)}")
    gpus = number("gpus_per_task") or total // ranks
    return Request(ranks, cores, gpus, memory, number("runtime"), warm, number("nodes") if ranks > 1 else 0, comm)


def without_effect(resources: Resources) -> list[str]:
    """The resources that a rule names in vain."""
    return [f"{name}={value}" for name in OF_THE_PILOT if (value := resources.get(name)) is not None]


def check(rule: str, asked: Request, *, cores: int, gpus: int, memory_mb: int, minutes: int) -> None:
    """Raise a PlacementError where `asked` is more than the whole pilot has."""
    rows = (
        ("cores", asked.cores, cores, f"{asked.ranks} ranks x {asked.cores_per_rank} cores", "--max-threads, `tasks`"),
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
