"""The MPI libraries of this machine: found by their names, and asked what they are in a process of their own."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from deeprc.core.ask import ask
from deeprc.sites.detect.elf import soname as soname_of

NAMES = ("libmpi.so.12", "libmpi.so.40", "libmpich.so.12", "libmpi_abi.so.1", "libmpi_cray.so.12", "libmpi.so")
PREFIXES = ("CRAY_MPICH_DIR", "I_MPI_ROOT", "MPI_HOME", "MPI_ROOT", "OMPI_DIR", "EBROOTOPENMPI", "TACC_IMPI_DIR")
BELOW = ("lib", "lib64", "lib/release", "lib-abi-mpich")
FAMILIES = {"libmpi.so.12": "mpich", "libmpich.so.12": "mpich", "libmpi.so.40": "openmpi", "libmpi_abi.so.1": "mpi-abi"}
SPEAKS = {  # by themselves; MPICH and MVAPICH can be built with other PMIs as well
    "mpich": ["pmi2", "pmi1"], "intel-mpi": ["pmi2", "pmi1"], "mvapich": ["pmi2", "pmi1"], "cray-mpich": ["cray"],
    "openmpi": ["pmix"], "parastation": ["pmix"], "spectrum-mpi": ["pmix"],
}  # fmt: skip
# MPI_Get_library_version may be called before MPI_Init. A library that cannot be loaded, or that ends the process, is
# then without an answer, and does no harm here.
QUESTION = """
import ctypes, sys
library = ctypes.CDLL(sys.argv[1], mode=ctypes.RTLD_GLOBAL)
text, length = ctypes.create_string_buffer(1 << 16), ctypes.c_int()
library.MPI_Get_library_version(text, ctypes.byref(length))
print(text.value.decode(errors="replace"))
"""


@dataclass(frozen=True)
class MpiLibrary:
    """An MPI library: where it is, the soname that decides about its ABI family, and what it says of itself."""

    path: str
    soname: str | None
    family: str | None
    implementation: str | None = None
    version: str | None = None
    abi_version: str | None = None
    says: str | None = None

    @property
    def own(self) -> bool:
        """Whether it came with Deep RC's environment, not with the machine."""
        return Path(self.path).is_relative_to(sys.prefix)

    @property
    def pmi(self) -> list[str]:
        """What it speaks to launchers, as its documents have it."""
        return SPEAKS.get(self.implementation or "", [])


def mpi_libraries(environment: Mapping[str, str] = os.environ) -> list[MpiLibrary]:
    """Every MPI library that the environment, the programs on the PATH and the linker's cache lead to."""
    found: dict[Path, MpiLibrary] = {}
    for path in _candidates(environment):
        real = path.resolve()
        if real not in found and soname_of(path):  # `libmpi.so` may be a linker's script
            found[real] = examine(path)
    return list(found.values())


def examine(path: Path) -> MpiLibrary:
    """What the library at `path` is."""
    name = soname_of(path)
    says = (ask([sys.executable, "-c", QUESTION, str(path)]) or "").replace("\0", "").strip()
    if not says:
        return MpiLibrary(str(path), name, FAMILIES.get(name or ""))
    return MpiLibrary(str(path), name, FAMILIES.get(name or ""), *what_it_is(says), says)


def _candidates(environment: Mapping[str, str]) -> Iterator[Path]:
    folders = [Path(folder) for folder in environment.get("LD_LIBRARY_PATH", "").split(":") if folder]
    for program in ("mpiexec", "mpirun", "mpicc"):
        if path := shutil.which(program, path=environment.get("PATH")):
            folders += [Path(path).parent.parent / name for name in BELOW]  # as called, and where links lead to
            folders += [Path(path).resolve().parent.parent / name for name in BELOW]
    for prefix in (*(environment[name] for name in PREFIXES if environment.get(name)), sys.prefix):
        folders += [Path(prefix) / name for name in BELOW]
    for folder in dict.fromkeys(folders):
        yield from (folder / name for name in NAMES if (folder / name).is_file())
    for name, path in re.findall(r"^\s*(\S+) .*=> (\S+)$", ask(["ldconfig", "-p"]) or "", re.M):
        if name in NAMES:
            yield Path(path)


def what_it_is(says: str) -> tuple[str | None, str | None, str | None]:
    """Implementation, version, and version of MPICH's ABI, from the answer of MPI_Get_library_version.

    MPICH's descendants name MPICH too, so that they are looked for first.
    """
    base = re.search(r"ANL base (\d+\.\d+)", says)
    for pattern, name in (
        (r"CRAY MPICH version\s+(\d+(?:\.\d+)*)", "cray-mpich"),
        (r"Intel\(R\) MPI Library\s+(\d+(?:\.\d+)*)", "intel-mpi"),
        (r"MVAPICH2?(?:-GDR)? Version\s*:\s*(\d+(?:\.\d+)*)", "mvapich"),
        (r"ParaStation ?MPI\s+(\d+(?:\.\d+)*)", "parastation"),
        (r"Spectrum MPI v?(\d+(?:\.\d+)*)", "spectrum-mpi"),
        (r"Open MPI v?(\d+(?:\.\d+)*)", "openmpi"),
        (r"MPICH Version:\s*(\d+(?:\.\d+)*)", "mpich"),
    ):
        if match := re.search(pattern, says, re.I):
            return name, match.group(1), base.group(1) if base else None
    return None, None, None
