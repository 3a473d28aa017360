"""What a task needs under a condition: environment, modules, binds and options that belong together."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from deeprc.sites.fact import Fact, Strict, Switch
from deeprc.sites.options import Option
from deeprc.sites.software import Module, Pmi

Comm = Literal["mpi", "ccl", "both"]
RENDEZVOUS = "FI_CXI_RDZV_PROTO"
# By these each rank is told what is its own, and only its own: one value for all would be shared without a word.
OF_RANKS = re.compile(
    r"(APPTAINERENV_|SINGULARITYENV_)?((CUDA|HIP|ROCR)_VISIBLE_DEVICES|GPU_DEVICE_ORDINAL|ZE_AFFINITY_MASK"
    r"|(PMI|PMIX|PALS|SLURM|OMPI_COMM_WORLD|MPI|FLUX_TASK)_(RANK|PROCID|RANKID|LOCAL_?(RANK|ID|RANKID)|SIZE|FD|NTASKS|NPROCS)"
    r"|SLURM_(NTASKS_PER_NODE|NNODES|TASKS_PER_NODE|CPUS_PER_TASK|GPUS_PER_TASK|GPU_BIND|MPI_TYPE))"
)

# By these launchers lay ranks out otherwise than their line says, or find other nodes.
PLACED = re.compile(
    r"(OMPI|PRTE)_MCA_(rmaps_\w+|ras_\w+|\w*hostfile|mapby|orte_hostfile)|I_MPI_(PERHOST|HYDRA_HOST_FILE)"
    r"|HYDRA_(HOST_FILE|LAUNCHER_AUTO_HOSTS)|IBRUN_TASKS_PER_NODE|I_MPI_JOB_RESPECT_PROCESS_PLACEMENT"
    r"|SLURM_(HOSTFILE|NTASKS_PER_\w+|NPROCS|GRES|STEP_GRES|GPUS\w*)|PALS_(HOSTFILE|PPN|NRANKS)"
)
EXPORTED = ("SLURM_EXPORT_ENV", "SRUN_EXPORT_ENV")


def _shared(name: str) -> str:
    if PLACED.fullmatch(name):
        raise ValueError(f"{name} lays ranks out otherwise than the launch line says: leave it out")
    if OF_RANKS.fullmatch(name):
        raise ValueError(f"{name} is told to each rank by its launcher, or by Deep RC: one value would stand for all")
    return name


Variable = Annotated[str, Field(pattern=r"^[A-Za-z_]\w*$"), AfterValidator(_shared)]
Environment = dict[Variable, str]


def _string_values(data: object) -> object:
    """YAML reads 1 and true where a variable's text is meant."""
    if not isinstance(data, dict):
        return data
    words = {True: "true", False: "false"}
    return {
        k: words[v] if isinstance(v, bool) else str(v) if isinstance(v, int | float) else v for k, v in data.items()
    }


def _absolute(bind: str) -> str:
    if not bind.startswith(("/", "$")) or "," in bind:
        raise ValueError(f"{bind!r} is not `/path`, `/path:/inside` or `/path:/inside:ro`")
    return bind


Bind = Annotated[str, AfterValidator(_absolute)]  # `/path`, `/path:/inside`, `/path:/inside:ro`; may begin with $NAME


class When(Strict):
    """A condition; what is left out does not matter.

    Attributes
    ----------
    comm
        What ranks talk through: MPI, NCCL/RCCL/oneCCL (`ccl`), or both.
    nodes
        Whether the task lies on one node or on several.
    gpus
        Whether its ranks have accelerators.
    model
        How its image gets its MPI, see `deeprc.launch.verdict`.
    pmi
        What launcher and ranks speak.
    """

    comm: list[Comm] | None = None
    nodes: Literal["one", "several"] | None = None
    gpus: Switch | None = None
    model: list[Literal["bind", "hybrid", "translate"]] | None = None
    pmi: list[Pmi] | None = None
    partitions: list[str] | None = None


class Setting(Fact):
    """What a task needs `when` the condition holds.

    Attributes
    ----------
    environment
        Variables of the launcher and the ranks. `$NAME` in a value is the variable as it stands in the job.
    container
        Variables that are set within the container only; LD_LIBRARY_PATH adds to what other settings give it.
    launcher_options, scheduler_options, flags
        Options of the launcher, of the allocation, of the container runtime.
    """

    description: str | None = None
    when: When = Field(default_factory=When)
    environment: Environment = Field(default_factory=dict)
    container: Environment = Field(default_factory=dict)
    modules: list[Module] = Field(default_factory=list)
    binds: list[Bind] = Field(default_factory=list)
    launcher_options: list[str] = Field(default_factory=list)
    scheduler_options: list[Option] = Field(default_factory=list)
    flags: list[str] = Field(default_factory=list)

    @property
    def alt_read(self) -> bool:
        """Whether it chooses the rendezvous protocol of Slingshot that wants rendezvous gets switched off."""
        return "alt_read" in (self.environment.get(RENDEZVOUS), self.container.get(RENDEZVOUS))

    @property
    def gets_off(self) -> bool:
        """Whether its options switch rendezvous gets off, `--network=disable_rdzv_get` or PALS's own word."""
        return any("disable_rdzv_get" in option for option in [*self.scheduler_options, *self.launcher_options])

    @model_validator(mode="before")
    @classmethod
    def _texts(cls, data: object) -> object:
        if not isinstance(data, dict):
            return data
        return {k: _string_values(v) if k in ("environment", "container") else v for k, v in data.items()}

    @model_validator(mode="after")
    def _pairs(self) -> Setting:
        """Rules that hold on every machine."""
        for name in EXPORTED:
            if self.environment.get(name, "ALL").split(",")[0] != "ALL":
                raise ValueError(
                    f"{name}={self.environment[name]} keeps the plan's variables, and PATH, from ranks: leave it out"
                )
        if self.gets_off and not self.alt_read:
            # OLCF frontier_user_guide.rst: one without the other hangs or fails.
            raise ValueError("disable_rdzv_get comes together with FI_CXI_RDZV_PROTO=alt_read or not at all")
        if self.environment.get("FI_MR_CACHE_MONITOR") == "memhooks" and self.when.comm != ["mpi"]:
            raise ValueError(
                "FI_MR_CACHE_MONITOR=memhooks deadlocks with NCCL and RCCL: it may stand for comm: [mpi] only"
            )
        return self
