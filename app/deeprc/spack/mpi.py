"""A site's MPI as a Spack external: only where Spack would compile with that MPI's own wrappers.

The package's recipe decides from version, variants and prefix which wrappers Spack takes; a wrong choice is no error
there: for `cray-mpich@8.1`, which sorts below 8.1.7, it is gcc without MPI. A build asks Spack itself (`wrappers.py`);
these are the rules for where no Spack is at hand.
"""

from __future__ import annotations

import re

from deeprc.sites import Partition, Site
from deeprc.sites.software import Mpi

# Site file's MPI -> Spack's package.
PACKAGES = {
    "mpich": "mpich",
    "aurora-mpich": "mpich",
    "cray-mpich": "cray-mpich",
    "intel-mpi": "intel-oneapi-mpi",
    "openmpi": "openmpi",
    "mvapich": "mvapich",
    "hpcx": "hpcx-mpi",
    "spectrum-mpi": "spectrum-mpi",
}
# Spack cannot build these, or should not; mpi/ has a layer named after each.
FACILITYS = {"cray-mpich", "intel-mpi", "intel-oneapi-mpi", "hpcx-mpi", "spectrum-mpi"}
NUMBERS = {
    "intel-mpi": 2,
    "hpcx-mpi": 2,
    "spectrum-mpi": 2,
}  # how many numbers a full version has at least; three where not listed
# Asked for explicitly, though these are defaults: Spack may drop a default without a word.
VARIANTS = {"cray-mpich": " +wrappers", "intel-oneapi-mpi": " +generic-names"}
MODULE_NAMES = {"intel-mpi": {"impi", "intel-mpi"}, "openmpi": {"openmpi", "ompi"}, "aurora-mpich": {"mpich"}}


def package_for(mpi: Mpi) -> str | None:
    """Spack's package of it; Intel MPI before oneAPI uses other folders, so it has our own recipe (`intel-mpi`)."""
    if mpi.implementation == "intel-mpi":
        release = re.match(r"(?:20)?(\d\d)\b", _version(mpi, mpi.build.modules if mpi.build else mpi.modules) or "2021")
        return "intel-mpi" if release and int(release[1]) < 21 else "intel-oneapi-mpi"
    return PACKAGES.get(mpi.implementation)


def mpi_external(partition: Partition, mpi: Mpi) -> dict | str:
    """An MPI of the site as a Spack external, or a text that says why it cannot be one."""
    package, where = package_for(mpi), mpi.build or mpi
    if package is None:
        return "Spack has no such package"
    modules = without_use(where.modules)
    version = _version(mpi, modules)
    if not (where.prefix or modules) and any(_is_of(mpi, module) for module in partition.modules):
        modules = without_use(partition.modules)  # only these modules are known to exist
        version = module_version([module for module in modules if _is_of(mpi, module)][-1]) or version
    if version is None:
        return "the site file names no version of it"
    if not (where.prefix or modules):
        return "the site file names no module or prefix of it"
    if package == "intel-oneapi-mpi" and int(version.split(".")[0]) < 100:  # TACC's modules: impi/21.9.0
        version = f"20{version}"
    if fault := _fault(package, version, where.prefix, modules):
        return fault
    external: dict = {"spec": f"{package}@{version}{VARIANTS.get(package, '')}"}
    if where.prefix:
        # Spack's recipe adds mpi/<version> itself.
        strip = r"/mpi/[^/]+/?$" if package == "intel-oneapi-mpi" else r"/$"
        external["prefix"] = re.sub(strip, "", where.prefix)
    if modules:
        external["modules"] = modules
    return external


def _fault(package: str, version: str, prefix: str | None, modules: list[str]) -> str | None:
    """Why Spack would not find its compilers."""
    running = [module for module in modules if module.partition("/")[0].endswith("-abi")]
    if running:
        return (
            f"module {running[0]} is for running, not for compiling: name what compiles in mpi.build of the site file"
        )
    numbers = tuple(map(int, version.split(".")))
    if len(numbers) < (whole := NUMBERS.get(package, 3)):
        return f"{version} is not its whole version ({whole} numbers), by which Spack decides what compiles with it"
    if package == "cray-mpich" and numbers < (8, 1, 7):
        return f"cray-mpich {version} has no compiler wrappers; those from 8.1.7 on have"
    if package == "intel-oneapi-mpi" and not prefix:
        return "its prefix must be named (the folder that mpi/2021.9.0 lies in): Spack takes a module's folder for that"
    return None


def chosen_mpi(site: Site, partition: Partition, family: str) -> Mpi | None:
    """The MPI of the site that programs of an ABI family are built against: the first that Spack can use as
    installed, else the first that it can build; None where it can do neither.
    """
    known = [mpi for mpi in site.mpi if mpi.family == family and package_for(mpi)]
    there = [mpi for mpi in known if isinstance(mpi_external(partition, mpi), dict)]
    return next(iter(there + [mpi for mpi in known if package_for(mpi) not in FACILITYS]), None)


def without_use(modules: list[str]) -> list[str]:
    """The modules without `use /a/folder`, which Spack has no setting for."""
    return [module for module in modules if not module.startswith("use ")]


def module_version(module: str) -> str | None:
    """The package's version in a module's: `12.6` in Cray's `24.11_12.6`, `4.0.5` in `4.0.5-gcc10.2.0`."""
    match = re.fullmatch(r"[^/]+(?:/[^/]+)*/(?:[\d.]+_)?v?(\d+(?:\.\d+)*)(?:[-_+][A-Za-z].*)?", module)
    return match.group(1) if match else None


def _version(mpi: Mpi, modules: list[str]) -> str | None:
    """The most precise version known: a module's may be longer than the site file's (4.1, openmpi/4.1.6)."""
    told = (mpi.build.version if mpi.build else None) or mpi.version
    loaded = next(filter(None, map(module_version, reversed(without_use(modules)))), None)
    if told is None:
        return loaded
    own = [module_version(module) for module in modules if _is_of(mpi, module)]
    return next((version for version in own if version and version.startswith(f"{told}.")), told)


def _is_of(mpi: Mpi, module: str) -> bool:
    name = module.partition("/")[0].lower()
    return name in MODULE_NAMES.get(mpi.implementation, {mpi.implementation})
