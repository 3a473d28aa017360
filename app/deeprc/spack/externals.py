"""A site's own software as Spack externals, so that the facility's modules are used and never rebuilt."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import yaml

from deeprc.sites import Partition, Site
from deeprc.sites.software import Mpi

# Site file's MPI -> Spack's package.
MPI_PACKAGES = {
    "mpich": "mpich",
    "aurora-mpich": "mpich",
    "cray-mpich": "cray-mpich",
    "intel-mpi": "intel-oneapi-mpi",
    "openmpi": "openmpi",
    "mvapich": "mvapich",
    "hpcx": "hpcx-mpi",
    "spectrum-mpi": "spectrum-mpi",
}
EXTERNAL_MPI = {"cray-mpich", "intel-oneapi-mpi", "hpcx-mpi", "spectrum-mpi"}  # Spack cannot build these, or should not
ROCM = [
    *("hip", "hsa-rocr-dev", "llvm-amdgpu", "rocm-core", "comgr", "rccl", "rocblas", "rocrand", "rocprim", "hipblas"),
    *("hipblaslt", "hipcub", "hipfft", "hiprand", "hipsolver", "hipsparse", "rocfft", "rocsolver", "rocsparse"),
    *("rocthrust", "rocprofiler-dev", "roctracer-dev", "rocm-smi-lib", "miopen-hip"),
]
# Modules that stand for packages: the name of the module -> Spack's packages.
MODULE_PACKAGES = {
    "cuda": ["cuda"],
    "cudatoolkit": ["cuda"],
    "rocm": ROCM,
    "libfabric": ["libfabric"],
    "ucx": ["ucx"],
    "slurm": ["slurm"],
    "pmix": ["pmix"],
    "openpmix": ["pmix"],
    "nccl": ["nccl"],
    "rccl": ["rccl"],
}


@dataclass
class Externals:
    """What a site has already.

    Attributes
    ----------
    packages
        The content of packages.yaml.
    left_out
        What the site file names without saying enough for Spack, a line each.
    before
        `module use` lines that the modules need; Spack cannot be told of them.
    """

    packages: dict[str, dict] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    before: list[str] = field(default_factory=list)

    def text(self, site: Site, partition: Partition) -> str:
        """The file."""
        head = [f"What {site.name} (partition {partition.name}) has already. Written by `deeprc spack externals`."]
        head += [f"Before Spack is started: module {line}" for line in self.before]
        head += [f"Left out: {line}" for line in self.left_out]
        body = yaml.safe_dump({"packages": self.packages}, sort_keys=False, width=120)
        return "".join(f"# {line}\n" for line in head) + body


def externals(site: Site, partition: Partition, family: str | None = None) -> Externals:
    """The site's MPI, and what its modules tell of CUDA, ROCm, libfabric, UCX, Slurm and PMIx.

    The MPI is of the ABI `family` (`choose` says which the variant has); of the site's first one, if none is given.
    """
    found = Externals(before=[m for m in _modules(site, partition) if m.startswith("use ")])
    used = chosen_mpi(site, partition, family or site.families[0])
    for mpi in site.mpi:
        external = mpi_external(site, partition, mpi)
        if external is None:
            found.left_out.append(_reason(mpi))
        elif mpi is not used:
            found.left_out.append(f"{mpi.title}: programs are built against another MPI")
        else:
            package = external["spec"].partition("@")[0]
            _add(found.packages, package, external)
            # `require::` takes the place of what the layers below require: another release, or another MPI.
            found.packages["mpi"] = {"buildable": False, "require:": [package]}
    for module in dict.fromkeys(_modules(site, partition)):
        name, _, version = module.partition("/")
        packages, number = MODULE_PACKAGES.get(name.lower(), []), _version(version)
        if packages and number is None:
            found.left_out.append(f"module {module}: it names no version of {packages[0]}")
            continue
        for package in packages:
            provider = site.interconnect.provider
            fabric = f" fabrics={provider}" if package == "libfabric" and provider in ("cxi", "efa") else ""
            _add(found.packages, package, {"spec": f"{package}@{number}{fabric}", "modules": [module]})
    return found


def chosen_mpi(site: Site, partition: Partition, family: str) -> Mpi | None:
    """The MPI of the site that programs of an ABI family are built against: the first that Spack can use as it is
    there, else the first that it can build; None where it can do neither.
    """
    known = [mpi for mpi in site.mpi if mpi.family == family and mpi.implementation in MPI_PACKAGES]
    there = [mpi for mpi in known if mpi_external(site, partition, mpi)]
    return next(iter(there + [mpi for mpi in known if MPI_PACKAGES[mpi.implementation] not in EXTERNAL_MPI]), None)


def mpi_external(site: Site, partition: Partition, mpi: Mpi) -> dict | None:
    """An MPI of the site as an external; None where Spack has no such package or the site file says too little."""
    package = MPI_PACKAGES.get(mpi.implementation)
    modules = [module for module in mpi.modules if not module.startswith("use ")]
    versions = [_version(module.partition("/")[2]) for module in modules if "/" in module]
    version = mpi.version or next(filter(None, reversed(versions)), None)
    if package is None or version is None or not (mpi.prefix or modules):
        return None
    external: dict = {"spec": f"{package}@{version}"}
    if mpi.prefix:
        external["prefix"] = mpi.prefix
    if modules:
        external["modules"] = modules
    return external


def _add(packages: dict[str, dict], package: str, external: dict) -> None:
    entry = packages.setdefault(package, {"buildable": False, "require:": [], "externals": []})
    entry["externals"].append(external)
    versions = [each["spec"].partition("@")[2].partition(" ")[0] for each in entry["externals"]]
    entry["require:"] = ["@" + ",".join(f"={v}" for v in dict.fromkeys(versions))]


def _modules(site: Site, partition: Partition) -> list[str]:
    return [*site.modules, *partition.modules, *(module for mpi in site.mpi for module in mpi.modules)]


def _version(text: str) -> str | None:
    """The package's version in a module's: `12.6` in Cray's `24.11_12.6`; None where there is none."""
    match = re.fullmatch(r"(?:[\d.]+_)?v?(\d+(?:\.\d+)*)", text)
    return match.group(1) if match else None


def _reason(mpi: Mpi) -> str:
    if mpi.implementation not in MPI_PACKAGES:
        return f"{mpi.title}: Spack has no such package"
    lacking = "version" if not mpi.version else "module or prefix"
    return f"{mpi.title}: the site file names no {lacking} of it"
