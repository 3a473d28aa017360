"""All that can be found out about this machine, in one record."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from deeprc import schedulers
from deeprc.schedulers import Queue, SchedulerFound
from deeprc.sites.detect.accelerators import Accelerators, accelerators
from deeprc.sites.detect.launchers import LauncherProgram, launchers
from deeprc.sites.detect.mpi import MpiLibrary, mpi_libraries
from deeprc.sites.detect.nics import Nic, nics
from deeprc.sites.detect.processor import architecture, cores, memory_mb, processor
from deeprc.sites.detect.software import Program, glibc, loaded_modules, modules_system, runtimes
from deeprc.sites.identity import host_names

# Variables by which sites are known; the value of one is what a new site's file may look for.
TELLING = (
    "LMOD_SYSTEM_NAME", "TACC_SYSTEM", "NERSC_HOST", "OLCF_MODULEPATH_ROOT", "CLUSTER_NAME", "SYSTEMNAME",
    "RCAC_CLUSTER", "SITE_NAME", *(name for one in schedulers.schedulers() for name in one.known_by),
)  # fmt: skip


@dataclass(frozen=True)
class Machine:
    """This machine, as found. `cores` and `memory_mb` are what this process may use of it."""

    hosts: list[str]
    variables: dict[str, str]
    architecture: str
    cpu: str | None
    sockets: int
    physical_cores: int
    cores: int
    memory_mb: int
    accelerators: list[Accelerators]
    nics: list[Nic]
    scheduler: SchedulerFound
    launchers: list[LauncherProgram]
    mpi: list[MpiLibrary]
    modules: Program | None
    loaded_modules: list[str]
    runtimes: list[Program]
    glibc: str | None

    @property
    def fabric(self) -> tuple[str, str]:
        """Fabric and provider of the best network that is here."""
        order = ("slingshot", "efa", "omnipath", "infiniband", "ethernet")
        cards = sorted((nic for nic in self.nics if nic.active), key=lambda nic: order.index(nic.fabric))
        return (cards[0].fabric, cards[0].provider) if cards else ("shared-memory", "shm")

    def record(self) -> dict:
        """As JSON has it."""
        return asdict(self)

    @classmethod
    def from_record(cls, record: dict) -> Machine:
        """The machine that another process has found: the inverse of `record`."""
        lists = {"accelerators": Accelerators, "nics": Nic, "mpi": MpiLibrary, "runtimes": Program}
        facts = record | {name: [kind(**one) for one in record[name]] for name, kind in lists.items()}
        facts["launchers"] = [LauncherProgram(**one | {"pmi": tuple(one["pmi"])}) for one in record["launchers"]]
        batch = record["scheduler"]
        facts["scheduler"] = SchedulerFound(**batch | {"queues": [Queue(**queue) for queue in batch["queues"]]})
        facts["modules"] = Program(**record["modules"]) if record["modules"] else None
        return cls(**facts)


def find_out(root: Path = Path("/"), environment: Mapping[str, str] = os.environ) -> Machine:
    """Look at everything; some seconds where programs have to be asked."""
    chips = processor(root)
    return Machine(
        hosts=host_names(),
        variables={name: environment[name] for name in TELLING if environment.get(name)},
        architecture=architecture(),
        cpu=chips.model,
        sockets=chips.sockets,
        physical_cores=chips.physical_cores,
        cores=cores(root),
        memory_mb=memory_mb(root),
        accelerators=accelerators(root),
        nics=nics(root),
        scheduler=schedulers.detect(),
        launchers=launchers(),
        mpi=mpi_libraries(environment),
        modules=modules_system(environment, root),
        loaded_modules=loaded_modules(environment),
        runtimes=runtimes(),
        glibc=glibc(),
    )
