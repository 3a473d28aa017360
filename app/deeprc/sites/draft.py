"""A draft of a site file for this machine: valid, and every guess in it marked as one."""

from __future__ import annotations

import datetime
import re
from pathlib import Path

import yaml

from deeprc.core.errors import ConfigError
from deeprc.core.files import write_text
from deeprc.core.validation import validate
from deeprc.schedulers import known_schedulers, scheduler, schedulers
from deeprc.sites.detect.machine import Machine
from deeprc.sites.detect.mpi import MpiLibrary
from deeprc.sites.draft_partitions import FILL_IN, partitions
from deeprc.sites.model import Site

HEAD = """# yaml-language-server: $schema=../site.schema.json
# {name}: a draft, made by `deeprc site detect`. Marks: V read in the facility's own documents, V2 in another
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
        "scheduler": {"name": machine.scheduler.name, **_facts(machine), **guess},
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
        "partitions": [{**part, **guess} for part in partitions(machine)],
    }


def write_draft(machine: Machine, folder: Path) -> Path:
    """Write the draft to `folder/<name>/site.yaml`; what stands there is kept, and is an error."""
    if machine.scheduler.name not in known_schedulers():
        raise ConfigError(
            "no draft can be made: Deep RC has no scheduler for the batch system here", where="deeprc site detect",
            found=f"{machine.scheduler.name} {machine.scheduler.version or ''}".strip(),
            fix=f"it knows {', '.join(one.name for one in schedulers() if one.batch)}, and machines without any (fork)",
        )  # fmt: skip
    content = draft(machine)
    path = folder / content["name"] / "site.yaml"
    if path.exists():
        raise ConfigError("there is a site file already", where=path, fix="give another folder with --draft")
    validate(Site, content, where=path)
    text = yaml.dump(_without_empty(content), Dumper=_Plain, sort_keys=False, width=110, allow_unicode=True)
    left_out = "".join(f"# Left out: {why}\n" for why in machine.scheduler.left_out)
    write_text(path, HEAD.format(name=content["name"]) + left_out + text)
    return path


def _without_empty(value: object) -> object:
    """Without lists that have no members, which a site file may not have."""
    if isinstance(value, dict):
        return {key: _without_empty(inner) for key, inner in value.items() if inner != []}
    return [_without_empty(inner) for inner in value] if isinstance(value, list) else value


def site_name(machine: Machine) -> str:
    """The cluster's name, else the host's, in the letters of sites' names."""
    cluster = machine.scheduler.cluster
    for one in schedulers():
        cluster = cluster or machine.variables.get(one.cluster_variable or "")
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


def _facts(machine: Machine) -> dict:
    """What the batch system's own keys are to say."""
    return scheduler(machine.scheduler.name).facts_of(program.launcher for program in machine.launchers)


def _launcher(machine: Machine) -> dict:
    """The machine's launcher; that of Deep RC's own environment starts nothing on a cluster."""
    batch = scheduler(machine.scheduler.name)
    usual = batch.launcher
    others = {one.own_launcher for one in schedulers() if one.name != batch.name}
    there = [program for program in machine.launchers if not program.own or not batch.batch]
    there = [program for program in there if program.launcher not in others]
    by_name = {program.launcher: program for program in sorted(there, key=lambda program: program.own, reverse=True)}
    name = next((name for name in ("ibrun", "jsrun", usual, *by_name) if name in by_name), usual)
    found: dict = {"name": name, "pmi": list(by_name[name].pmi) if name in by_name else []}
    if name not in by_name:
        found["note"] = f"{FILL_IN}: it was not found here, and may come with a module"
    if name == batch.own_launcher and (default := machine.scheduler.default_pmi):
        found["default_pmi"] = default
        found["pmi"].sort(key=lambda pmi: pmi != default)
    return found | {"alternatives": [other for other in by_name if other != name and not by_name[other].own]}


def _host_libraries(machine: Machine) -> list[MpiLibrary]:
    """One for each family and implementation; the standard ABI is a mark of the library beside it.

    That of Deep RC's own environment counts where the machine has none: it is what tasks without an image run with.
    """
    known = [library for library in machine.mpi if library.family in ("mpich", "openmpi") and library.implementation]
    chosen: dict[tuple, MpiLibrary] = {}
    for library in [library for library in known if not library.own] or known:
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
        "pmi": library.pmi,
    }
    if library.own:
        found |= {"bindable": False, "note": "of Deep RC's own environment: no MPI of the machine was found"}
    else:
        found["library"] = folder
    return {key: value for key, value in found.items() if value is not None}


def _runtime(machine: Machine) -> dict:
    if not machine.runtimes:
        return {"kind": "none", "note": "none was found here: it may come with a module, or be on compute nodes only"}
    program = machine.runtimes[0]
    return {"kind": program.name, **({"version": program.version} if program.version else {})}
