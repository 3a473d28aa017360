"""A draft of a site file for this machine: valid, and every guess in it marked as one."""

from __future__ import annotations

import datetime
import re
from pathlib import Path

import yaml

from deeprc.errors import ConfigError
from deeprc.files import write_text
from deeprc.sites.detect.machine import Machine
from deeprc.sites.detect.mpi import MpiLibrary
from deeprc.sites.detect.scheduler import Queue
from deeprc.sites.model import Site
from deeprc.validation import validate

FILL_IN = "FILL IN"
LAUNCHERS = {"slurm": "srun", "pbspro": "mpiexec-pals", "lsf": "jsrun", "fork": "mpiexec-hydra"}
HEAD = """# {name}: a draft, made by `deeprc site detect`. Marks: V read in the facility's own documents, V2 in another
# project's configuration, U unverified, ! the sources disagree. Everything below is a guess from one node until someone
# has read it in the facility's documents: replace each `mark: U` by what you have found, with its source.
"""
NETWORKS = {
    "slingshot": "HPE Slingshot", "efa": "AWS Elastic Fabric Adapter", "omnipath": "Omni-Path",
    "infiniband": "InfiniBand", "ethernet": "Ethernet", "shared-memory": "shared memory",
}  # fmt: skip


class _Plain(yaml.SafeDumper):
    """YAML without anchors: the same date in two places is written twice."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def draft(machine: Machine) -> dict:
    """The content of a site file for `machine`."""
    name = site_name(machine)
    today = datetime.date.today()
    guess = {"mark": "U", "source": f"deeprc site detect on {machine.hosts[0]}", "date": today}
    fabric, provider = machine.fabric
    cards = [nic for nic in machine.nics if nic.fabric == fabric]
    return {
        "name": name,
        "description": f"{FILL_IN}: a line about {name}",
        "status": {"state": "active", **guess},
        "contact": f"{FILL_IN}: whom users ask",
        "url": f"{FILL_IN}: the facility's page",
        "identity": {**_identity(machine, name), **guess},
        "scheduler": {"name": machine.scheduler.name, **guess},
        "launcher": {**_launcher(machine), **guess},
        "interconnect": {
            "fabric": fabric,
            "description": NETWORKS[fabric] + (f", {len(cards)} x {cards[0].name}" if cards else ""),
            "provider": provider,
            **guess,
        },
        "mpi": [{**_mpi(library, machine), **guess} for library in _host_libraries(machine)]
        or [{"implementation": "mpich", "family": "mpich", "note": f"{FILL_IN}: no MPI was found here", **guess}],
        "runtime": {**_runtime(machine), **guess},
        "partitions": [{**_partition(machine, queue), **guess} for queue in machine.scheduler.queues or [None]],
    }


def write_draft(machine: Machine, folder: Path) -> Path:
    """Write the draft to `folder/<name>/site.yaml`; what stands there is kept, and is an error."""
    content = draft(machine)
    path = folder / content["name"] / "site.yaml"
    if path.exists():
        raise ConfigError("there is a site file already", where=path, fix="give another folder with --draft")
    validate(Site, content, where=path)
    text = yaml.dump(content, Dumper=_Plain, sort_keys=False, width=110, allow_unicode=True)
    write_text(path, HEAD.format(name=content["name"]) + text)
    return path


def site_name(machine: Machine) -> str:
    """The cluster's name, else the host's, in the letters of sites' names."""
    cluster = machine.scheduler.cluster or machine.variables.get("SLURM_CLUSTER_NAME")
    words = cluster or _domain(machine) or machine.hosts[0]
    return re.sub(r"[^a-z0-9-]+", "-", words.lower()).strip("-") or "site"


def _domain(machine: Machine) -> str | None:
    """`frontera` of `login1.frontera.example.edu`: the first part that the hosts of a machine have in common."""
    parts = machine.hosts[-1].split(".")
    return parts[1] if len(parts) > 2 else None


def _identity(machine: Machine, name: str) -> dict:
    telling = {key: re.escape(value) for key, value in machine.variables.items() if name in value.lower()}
    full = next((host for host in machine.hosts if host.count(".") > 1), None)
    hosts = [r".*\." + re.escape(full.partition(".")[2])] if full else []
    if not telling and not hosts:
        hosts = [re.sub(r"\d+", r"\\d+", re.escape(machine.hosts[0]))]  # node0123: any number
    return {"environment": telling, "hostnames": hosts}


def _launcher(machine: Machine) -> dict:
    own = LAUNCHERS[machine.scheduler.name]
    by_name = {program.launcher: program for program in machine.launchers}
    name = next((name for name in ("ibrun", own, *by_name) if name in by_name), own)
    program = by_name.get(name)
    others = [other for other in by_name if other != name and (other != "srun" or machine.scheduler.name == "slurm")]
    return {"name": name, "pmi": list(program.pmi) if program else [], "alternatives": others}


def _host_libraries(machine: Machine) -> list[MpiLibrary]:
    """One for each family and implementation; the standard ABI is a mark of the library beside it."""
    chosen = {}
    for library in machine.mpi:
        if library.family in ("mpich", "openmpi") and library.implementation:
            chosen.setdefault((library.implementation, library.version), library)
    return list(chosen.values())


def _mpi(library: MpiLibrary, machine: Machine) -> dict:
    folder = str(Path(library.path).parent)
    found = {
        "implementation": library.implementation,
        "version": library.version,
        "abi_version": library.abi_version,
        "family": library.family,
        "standard_abi": any(
            other.family == "mpi-abi" and str(Path(other.path).parent) == folder for other in machine.mpi
        ),
        "library": folder,
        "pmi": machine.pmi,
    }
    return {key: value for key, value in found.items() if value is not None}


def _runtime(machine: Machine) -> dict:
    if not machine.runtimes:
        return {"kind": "none", "note": "none was found here: it may come with a module, or be on compute nodes only"}
    program = machine.runtimes[0]
    return {"kind": program.name, **({"version": program.version} if program.version else {})}


def _partition(machine: Machine, queue: Queue | None) -> dict:
    """A queue as the scheduler tells of it; what it does not tell is taken from this node."""
    part: dict = {
        "name": re.sub(r"[^\w-]+", "-", queue.name) if queue else "local",
        "nodes": queue.nodes if queue else 1,
        "architecture": machine.architecture,
        "cores": (queue and queue.cores) or machine.physical_cores,
        "memory_mb": (queue and queue.memory_mb) or machine.memory_mb,
    }
    if machine.cpu:
        part["cpu"] = machine.cpu
    if queue:
        part |= {"queue": queue.name, "scheduler_options": _options(machine, queue)}
        part["note"] = "cores may be hardware threads: the scheduler counts them as it was told to"
    elif part["cores"] % machine.sockets == 0:
        part["sockets"] = machine.sockets
    accelerator = _accelerator(machine, queue)
    return {**part, "accelerator": accelerator} if accelerator else part


def _accelerator(machine: Machine, queue: Queue | None) -> dict | None:
    gres = re.search(r"gpu:(?:([^:,(]+):)?(\d+)", (queue and queue.gres) or "")
    here = machine.accelerators[0] if machine.accelerators else None
    if queue and not gres:
        return None
    if here is None:
        model = gres.group(1) if gres and gres.group(1) else FILL_IN
        return {"vendor": "nvidia", "model": model, "count": int(gres.group(2))} if gres else None
    found = {"vendor": here.vendor, "model": here.model, "arch": here.arch, "memory_gb": here.memory_gb}
    found |= {"count": int(gres.group(2)) if gres else here.count, "driver": here.driver}
    return {key: value for key, value in found.items() if value is not None}


def _options(machine: Machine, queue: Queue) -> list[str]:
    if machine.scheduler.name == "slurm":
        return [f"--partition={queue.name}", "--nodes={nodes}", "--ntasks-per-node={ranks_per_node}"]
    return ["-q", queue.name, "-l", "select={nodes}"] if machine.scheduler.name == "pbspro" else ["-q", queue.name]
