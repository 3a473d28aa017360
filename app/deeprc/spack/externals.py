"""A site's own software as Spack externals, so that the facility's modules are used and never rebuilt."""

from __future__ import annotations

from dataclasses import dataclass, field

import yaml

from deeprc.sites import Partition, Site
from deeprc.spack.mpi import chosen_mpi, module_version, mpi_external

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
    family
        The ABI family of the MPI in it.
    packages
        The content of packages.yaml.
    left_out
        What the site file names without saying enough for Spack, a line each.
    before
        `module use` lines that the modules need; Spack cannot be told of them.
    """

    family: str
    packages: dict[str, dict] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    before: list[str] = field(default_factory=list)

    def text(self, site: Site, partition: Partition) -> str:
        """The file."""
        head = [f"What {site.name} (partition {partition.name}) has already. Written by `deeprc spack externals`."]
        head += [f"MPI: of the ABI family {self.family}."]
        head += [f"Before Spack is started: module {line}" for line in self.before]
        head += [f"Left out: {line}" for line in self.left_out]
        body = yaml.safe_dump({"packages": self.packages}, sort_keys=False, width=120)
        return "".join(f"# {line}\n" for line in head) + body


def externals(site: Site, partition: Partition, family: str | None = None) -> Externals:
    """The site's MPI, and what its modules say about CUDA, ROCm, libfabric, UCX, Slurm and PMIx.

    The MPI is of the ABI `family` (`choose` says which the variant has); of the site's first one, if none is given.
    """
    family = family or site.families[0]
    found = Externals(family, before=[m for m in _modules(site, partition) if m.startswith("use ")])
    used = chosen_mpi(site, partition, family)
    for mpi in site.mpi:
        external = mpi_external(partition, mpi)
        if isinstance(external, str):
            found.left_out.append(f"{mpi.title}: {external}")
        elif mpi is not used:
            found.left_out.append(f"{mpi.title}: programs are built against another MPI")
        else:
            package = external["spec"].partition("@")[0]
            _add(found.packages, package, external)
            # `require::` takes the place of what the layers below require: another release, or another MPI.
            found.packages["mpi"] = {"buildable": False, "require:": [package]}
    for module in dict.fromkeys(_modules(site, partition)):
        packages = MODULE_PACKAGES.get(module.partition("/")[0].lower(), [])
        number = module_version(module)
        if packages and number is None:
            found.left_out.append(f"module {module}: it names no version of {packages[0]}")
            continue
        for package in packages:
            provider = site.interconnect.provider
            fabric = f" fabrics={provider}" if package == "libfabric" and provider in ("cxi", "efa") else ""
            _add(found.packages, package, {"spec": f"{package}@{number}{fabric}", "modules": [module]})
    return found


def _add(packages: dict[str, dict], package: str, external: dict) -> None:
    entry = packages.setdefault(package, {"buildable": False, "require:": [], "externals": []})
    entry["externals"].append(external)
    versions = [each["spec"].partition("@")[2].partition(" ")[0] for each in entry["externals"]]
    entry["require:"] = ["@" + ",".join(f"={v}" for v in dict.fromkeys(versions))]


def _modules(site: Site, partition: Partition) -> list[str]:
    return [
        *site.modules,
        *partition.modules,
        *(module for mpi in site.mpi for module in mpi.modules + (mpi.build.modules if mpi.build else [])),
    ]
