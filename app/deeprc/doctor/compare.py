"""What was found on this machine, beside what its site file says."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

from deeprc.launch.verdict import version
from deeprc.schedulers import Remark
from deeprc.sites import Partition, Site
from deeprc.sites.allocation import job_of
from deeprc.sites.detect.machine import Machine
from deeprc.sites.software import Mpi

ROOM = 0.9  # a node offers somewhat less memory than is built in: the kernel takes its share


def compare(machine: Machine, site: Site, partition: Partition, node: Machine | None) -> list[Remark]:
    """All that can be compared: the software of `machine`, and the hardware of `node`, which is one of the partition's;
    None where none could be looked at.
    """
    lines = [*_hardware(node, partition), *_network(node, site)] if node else []
    return [*lines, *_software(machine, site, partition)]


def _hardware(machine: Machine, part: Partition) -> Iterator[Remark]:
    yield Remark(
        "architecture", machine.architecture, part.architecture, machine.architecture == part.architecture, grave=True
    )
    cores = f"{machine.cores} usable of {machine.physical_cores}"
    enough = part.cores in (machine.cores, machine.physical_cores)
    fix = None if enough else "does the job have the whole node? If so, correct partitions.cores"
    yield Remark("cores", cores, str(part.cores), enough, fix=fix)
    if part.memory_mb:
        enough = machine.memory_mb >= ROOM * part.memory_mb
        fix = None if enough else "does the job have the whole node? If so, correct partitions.memory_mb"
        yield Remark("memory", f"{machine.memory_mb} MB", f"{part.memory_mb} MB", enough, fix=fix)
    yield from _accelerators(machine, part)


def _accelerators(machine: Machine, part: Partition) -> Iterator[Remark]:
    has, there = part.accelerator, machine.accelerators
    found = ", ".join(f"{card.count} x {card.vendor} {card.model}" for card in there) or "none"
    if has is None:
        if there:
            yield Remark(
                "accelerators", found, "none", False, fix="add partitions.accelerator, or take another partition"
            )
        return
    says = f"{has.count} x {has.vendor} {has.model}"
    count = sum(card.count for card in there if card.vendor == has.vendor)
    fix = (
        None if count else f"no {has.vendor} accelerator is seen: ask the scheduler for one, or is the driver missing?"
    )
    if count and count != has.count:
        fix = "does the job have all of the node's? If so, correct partitions.accelerator.count"
    yield Remark("accelerators", found, says, count == has.count, grave=count == 0, fix=fix)
    drivers = [card.driver for card in there if card.vendor == has.vendor and card.driver]
    if has.driver and drivers:
        newer = version(drivers[0]) >= version(has.driver)
        fix = None if newer else "correct partitions.accelerator.driver: images are chosen by it"
        yield Remark("driver", drivers[0], has.driver, newer, grave=not newer, fix=fix)


def _network(machine: Machine, site: Site) -> Iterator[Remark]:
    fabric, provider = machine.fabric
    says = f"{site.interconnect.fabric} ({site.interconnect.provider})"
    if site.interconnect.provider == "shm":
        yield Remark("network", f"{fabric} ({provider}); ranks stay on this node, as the site file says", says, True)
        return
    present = {nic.provider for nic in machine.nics if nic.active}
    same = site.interconnect.provider in present
    fix = (
        None if same else "no such card is seen here: is this a login node, or is the driver missing in this container?"
    )
    yield Remark("network", f"{fabric} ({provider})", says, same, fix=fix)


def _software(machine: Machine, site: Site, part: Partition) -> Iterator[Remark]:
    batch = machine.scheduler
    same = batch.name == site.scheduler.name
    fix = None if same else "is this the right machine? (deeprc site detect)"
    found = f"{batch.name} ({batch.remark})" if batch.remark else batch.name
    yield Remark("scheduler", found, site.scheduler.name, same, grave=not same, fix=fix)
    if same:
        yield from site.scheduler.system.checks(job_of(site, part, part.nodes, part.usable_cores))
    yield _launcher(machine, site, part)
    there = site.launcher_on(part)
    if there.name == "srun" and (seen := [one for one in machine.launchers if one.launcher == "srun"]):
        offered = list(seen[0].pmi)
        missing = [pmi for pmi in there.pmi if pmi not in offered]
        fix = f"srun has no plugin for {', '.join(missing)}: correct launcher.pmi" if missing else None
        if missing and not offered:  # without a slurm.conf, or a controller that has one, it lists nothing
            fix = (
                "`srun --mpi=list` names none here: launcher.pmi may be right; has srun its slurm.conf on this machine?"
            )
        says = ", ".join(there.pmi) or "nothing"
        yield Remark("PMI", ", ".join(offered) or "nothing", says, not missing, fix=fix)
    yield from (_mpi(machine, mpi) for mpi in site.mpi)
    yield _runtime(machine, site)
    if site.glibc:
        same = machine.glibc == site.glibc
        fix = None if same else "correct glibc: whether the host's MPI can be bound into an image depends on it"
        yield Remark("C library", machine.glibc or "not glibc", site.glibc, same, fix=fix)


def _launcher(machine: Machine, site: Site, part: Partition) -> Remark:
    there = site.launcher_on(part)
    name = there.name
    known = [one for one in machine.launchers if one.launcher == name]
    found = ", ".join(f"{one.path} {one.version or ''}".strip() for one in known)
    if known or (there.program and shutil.which(there.program)):
        return Remark("launcher", found or there.program or "", name, True)
    others = ", ".join(one.launcher for one in machine.launchers) or "none"
    if brought := [*site.modules, *(module for mpi in site.mpi for module in mpi.modules)]:
        return Remark("launcher", f"{others} without modules", name, None, fix=f"may come with {', '.join(brought)}")
    return Remark("launcher", others, name, False, grave=True, fix="correct launcher.name, or put it on the PATH")


def _mpi(machine: Machine, mpi: Mpi) -> Remark:
    says = f"{mpi.title}, {mpi.family} family"
    names = {"mpich", "cray-mpich", "intel-mpi", "mvapich", "parastation"} if mpi.family == "mpich" else {"openmpi"}
    same = [library for library in machine.mpi if library.implementation == mpi.implementation]
    family = [library for library in machine.mpi if library.family == mpi.family or library.implementation in names]
    titles = [f"{one.implementation or one.soname} {one.version or ''}".strip() for one in same or family]
    found = ", ".join(dict.fromkeys(titles))
    subject = f"MPI {mpi.implementation}"
    if same:
        fits = mpi.version is None or any((one.version or "").startswith(mpi.version) for one in same)
        return Remark(subject, found, says, fits, fix=None if fits else "correct mpi.version: images are chosen by it")
    if mpi.modules or mpi.path:
        brought = f"may come with {', '.join(mpi.modules or mpi.path)}: load it, and run the doctor again"
        return Remark(subject, found or "none without modules", says, None, fix=brought)
    return Remark(subject, found or "none", says, False, grave=not found, fix="correct mpi, or put it on the PATH")


def _runtime(machine: Machine, site: Site) -> Remark:
    found = ", ".join(f"{one.name} {one.version or ''}".strip() for one in machine.runtimes) or "none"
    kind = site.runtime.kind
    if kind == "none":
        return Remark("runtime", f"{found}; tasks run without one, as the site file says", kind, True)
    there = [one for one in machine.runtimes if one.name == kind]
    if not there and (site.runtime.modules or site.runtime.where == "compute" or kind == "container-engine"):
        why = "on compute nodes only" if site.runtime.where == "compute" else "with a module, or as an option of srun"
        return Remark("runtime", found, kind, None, fix=f"may be there {why}")
    wanted = site.runtime.version
    if there and wanted and there[0].version:
        same = there[0].version == wanted
        return Remark("runtime", found, f"{kind} {wanted}", same, fix=None if same else "correct runtime.version")
    return Remark("runtime", found, kind, bool(there), grave=not there, fix=None if there else f"install {kind}")
