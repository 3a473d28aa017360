"""What runs on the nodes: scheduler, launcher, MPI, container runtime."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from deeprc.core.errors import unknown
from deeprc.schedulers import Scheduler, known_schedulers, scheduler, schedulers
from deeprc.sites.fact import Fact, Release, Switch
from deeprc.sites.options import Option

Family = Literal["mpich", "openmpi", "mpi-abi"]
# With the wrong one, images of the other family would be chosen, and each of their ranks be a world of its own.
FAMILY_OF: dict[str, Family] = dict.fromkeys(
    ("openmpi", "hpcx", "spectrum-mpi", "bullx-mpi", "fujitsu-mpi"), "openmpi"
) | dict.fromkeys(("mpich", "cray-mpich", "aurora-mpich", "intel-mpi", "mvapich", "parastation"), "mpich")
SONAMES = {"mpich": "libmpi.so.12", "openmpi": "libmpi.so.40", "mpi-abi": "libmpi_abi.so.1"}


def _module(text: str) -> str:
    if not re.fullmatch(r"(use /\S+|[\w.+/-]+)", text) or re.search(r"[;&|`$<>\\'\"]", text):
        raise ValueError(f"{text!r} is neither the name of a module nor `use /a/folder`")
    return text


def _switch(value: object) -> object:
    """YAML 1.1 reads `on` and `off` as true and false."""
    return ("off", "on")[value] if isinstance(value, bool) else value


Module = Annotated[str, AfterValidator(_module)]  # `name`, `name/version`, or `use /a/folder`
Pmi = Literal["pmi1", "pmi2", "pmix", "cray", "pals", "orte", "prrte", "jsm", "pspmix"]


Part = Literal["gpu", "mpi", "cuda-mpi", "nccl", "openmpi-pmi2", "openmpi-pmix"]


class SchedulerFact(Fact):
    """The batch system.

    Attributes
    ----------
    options
        Go with every allocation. `$NAME` in them is a variable of the user's.
    csm
        LSF: whether IBM's Cluster System Manager gives its nodes, see `deeprc.schedulers.lsf`.
    """

    name: Literal[tuple(known_schedulers())]
    options: list[Option] = Field(default_factory=list)
    csm: Switch | None = None

    @model_validator(mode="after")
    def _of_this_one(self) -> SchedulerFact:
        for one in schedulers():
            for key in one.facts:
                if key not in self.system.facts and getattr(self, key) is not None:
                    raise ValueError(f"{key} is a fact of {one.title}, not of {self.name}")
        return self

    @property
    def system(self) -> Scheduler:
        """What Deep RC knows of it."""
        return scheduler(self.name)

    @property
    def facts(self) -> dict[str, object]:
        """What the file says of it alone."""
        return {key: getattr(self, key) for key in self.system.facts}


class LauncherFact(Fact):
    """What starts ranks.

    Attributes
    ----------
    name
        One of `deeprc.launch`.
    program
        What to call instead of the launcher's own name: the path of one of several `mpirun`, say.
    options
        Given to it for every task.
    pmi
        What it can speak to ranks (`srun --mpi=list`), in any order.
    default_pmi
        What it speaks where nothing is said: `MpiDefault` of `scontrol show config`; `none` is a world of one for each
        rank.
    gpus
        Who tells ranks their accelerators: the launcher, where it can, or a `variable`: where the launcher's control
        groups keep a rank from the accelerators of the others, these cannot talk to each other directly.
    alternatives
        Other launchers, to try where this one does not work (`deeprc doctor` does).
    """

    name: str
    program: str | None = None
    options: list[str] = Field(default_factory=list)
    pmi: list[Pmi] = Field(default_factory=list)
    default_pmi: Literal[Pmi, "none"] | None = None
    gpus: Literal["launcher", "variable"] = "launcher"
    alternatives: list[str] = Field(default_factory=list)

    @model_validator(mode="after")
    def _default_is_offered(self) -> LauncherFact:
        if self.pmi and self.default_pmi not in (None, "none", *self.pmi):
            raise ValueError(
                f"default_pmi {self.default_pmi} is none of what pmi says it offers: {', '.join(self.pmi)}"
            )
        return self

    @property
    def only_named(self) -> bool:
        """Whether nothing is known about it but its name."""
        return self.model_fields_set == {"name"}


def _named(value: object) -> object:
    return {"name": value} if isinstance(value, str) else value


PartitionLauncher = Annotated[LauncherFact, BeforeValidator(_named)]  # a name alone: nothing else is known about it


class MpiBuild(Fact):
    """What programs are compiled with, where that is another thing than what brings the MPI at run time.

    Attributes
    ----------
    version
        The whole version (`8.1.31`).
    modules
        What is loaded for compiling: on Cray machines `cray-mpich/8.1.31`, never `cray-mpich-abi`.
    prefix
        The folder with `bin/mpicc`; of oneAPI, the folder that `mpi/2021.9.0` lies in.
    """

    version: str | None = None
    modules: list[Module] = Field(default_factory=list)
    prefix: str | None = None


class Mpi(Fact):
    """An MPI of the host.

    Attributes
    ----------
    implementation
        One of `FAMILY_OF`; of an MPI that was made from one of these, that one.
    version
        Its own version.
    abi_version
        The version of MPICH or Open MPI whose ABI it has, where that is not `version` (Cray MPICH 8.1.30: 3.4).
    family
        Its ABI: what a program that was built with another member of the family can load instead.
    standard_abi
        Whether it has the standard ABI of MPI 5 (`libmpi_abi.so.1`) as well.
    soname
        The library's name, where that is not the family's own.
    library
        The folder on the host that holds it, to be bound into a container; None where a module or a bind brings it.
    path
        Folders that the container's LD_LIBRARY_PATH needs for it, where no folder is bound; may name variables that
        the modules set (`$CRAY_LD_LIBRARY_PATH`).
    bindable
        Whether it may be bound into containers.
    pmi
        What it speaks to a launcher, its own choice first; `srun` is told the first that it offers.
    pmi_library
        Intel MPI under `srun`: the path of Slurm's PMI library, which it does not find by itself.
    build
        What programs are compiled with; `version`, `modules` and `prefix` of this part, where nothing is said.
    """

    implementation: str
    version: Release | None = None
    abi_version: Release | None = None
    family: Family
    standard_abi: Switch = False
    soname: str | None = None
    modules: list[Module] = Field(default_factory=list)
    prefix: str | None = None
    library: str | None = None
    path: list[str] = Field(default_factory=list)
    bindable: Switch = True
    pmi: list[Pmi] = Field(default_factory=list)
    pmi_library: str | None = Field(default=None, pattern="^/")
    build: MpiBuild | None = None

    @model_validator(mode="after")
    def _of_its_family(self) -> Mpi:
        if self.implementation not in FAMILY_OF and self.family != "mpi-abi":
            raise ValueError(str(unknown("implementation", self.implementation, FAMILY_OF)))
        own = FAMILY_OF.get(self.implementation, self.family)
        if self.family not in (own, "mpi-abi"):
            raise ValueError(f"{self.implementation} is of the {own} family ({SONAMES[own]}), not of {self.family}")
        if self.pmi_library and self.implementation != "intel-mpi":
            raise ValueError(f"pmi_library is a fact of intel-mpi, not of {self.implementation}")
        return self

    @property
    def library_name(self) -> str:
        """Its soname."""
        return self.soname or SONAMES[self.family]

    @property
    def title(self) -> str:
        """For people: `cray-mpich 8.1.30`."""
        return f"{self.implementation} {self.version}" if self.version else self.implementation


class Interconnect(Fact):
    """The network between nodes.

    Attributes
    ----------
    provider
        What MPI and libfabric, UCX call the right way through it: `cxi`, `efa`, `psm2`, `mlx5`, `verbs` (RDMA
        cards of Intel, Broadcom…), `shm`. Any other one that is found in use is a fallback.
    rdzv_get
        Slingshot: `off` where the system has rendezvous gets switched off, so that FI_CXI_RDZV_PROTO=alt_read needs no
        option; `on` where it has not.
    """

    fabric: Literal["infiniband", "slingshot", "efa", "omnipath", "ethernet", "shared-memory"]
    description: str
    provider: Literal["cxi", "efa", "psm2", "mlx5", "verbs", "tcp", "shm"]
    rdzv_get: Annotated[Literal["on", "off"], BeforeValidator(_switch)] | None = None


class Runtime(Fact):
    """What runs images.

    Attributes
    ----------
    where
        `compute`: it exists on compute nodes only, so that pulling and converting are tasks too.
    flags
        Given to it for every task (`--fakeroot`).
    environment
        Variables of the host that containers see beside those of launchers and network (patterns; `*` is all).
    entry
        A command in the container that starts each rank's own: the facility's script, which finds the host's libraries.
    brings
        podman-hpc: the flag of the facility's own for each part of the host that it brings into containers. Where
        nothing is said, those that podman-hpc comes with.
    home, clean_environment
        Whether containers see the user's home folder; whether the host's variables stay outside. The latter hides what
        a launcher tells its ranks, and is for machines without MPI only.
    """

    kind: Literal["none", "apptainer", "singularity", "podman-hpc", "shifter", "container-engine"]
    where: Literal["everywhere", "compute"] = "everywhere"
    version: str | None = None
    modules: list[Module] = Field(default_factory=list)
    flags: list[str] = Field(default_factory=list)
    environment: list[Annotated[str, Field(pattern=r"^[A-Za-z0-9_*?]+$")]] = Field(default_factory=list)
    entry: list[Annotated[str, Field(min_length=1)]] = Field(default_factory=list)
    brings: dict[Part, Annotated[str, Field(pattern="^--")]] = Field(default_factory=dict)
    home: Switch = False
    clean_environment: Switch = False
