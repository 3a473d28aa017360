"""Proves, inside an image, that it is what its labels say; `apptainer test IMAGE` runs it, and so does every build.

It needs Python's standard library only, from 3.8 on, since it is in images that hold no deeprc.
"""

import importlib
import json
import os
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

FACTS = "/opt/deeprc/image.json"
SONAME = {"mpich": "libmpi.so.12", "openmpi": "libmpi.so.40"}


def imports(facts):
    """The versions are those that were put in, and every package of its stages can be imported."""
    for name, wanted in facts["packages"].items():  # first: ray puts packages of its own before others on the path
        equal(f"the version of {name}", version(name), wanted)
    for name in dict.fromkeys(name for stage in facts["stages"] for name in facts["imports"][stage]):
        if facts["bound"] and name == "deeprc.frames":  # opens MPI, which does not start without the host's libraries
            continue
        importlib.import_module(name)


def processor(facts):
    """The processor and the C library are the ones of the labels."""
    equal("the architecture", platform.machine(), facts["architecture"])
    equal("glibc", platform.libc_ver()[1], facts["glibc"])


def mpi(facts):
    """Each MPI starts, is of the family and version that the labels name, and other families are absent."""
    for wanted in facts["mpi"]:
        if not wanted["fabrics"]:
            misses_only_the_hosts(facts, wanted)
            continue
        script = "from mpi4py import MPI; print(MPI.Get_library_version()); print(MPI.COMM_WORLD.Get_size())"
        own = dict(os.environ, MPI4PY_MPIABI=wanted["family"])
        found = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, check=True, timeout=120, env=own)
        text = found.stdout.decode()
        for word in (wanted["version"], {"mpich": "MPICH", "openmpi": "Open MPI"}[wanted["implementation"]]):
            if word not in text:
                fail(f"MPI's own name has no {word!r}: {text.splitlines()[0]}")
    if facts["bound"]:
        return
    families = [wanted["family"] for wanted in facts["mpi"]]
    for family, name in SONAME.items():
        equal(f"whether {name} can be loaded", loads(name), family in families)
    standard = any(wanted["standard_abi"] for wanted in facts["mpi"])
    equal("whether libmpi_abi.so.1 can be loaded", loads("libmpi_abi.so.1"), standard)


def misses_only_the_hosts(facts, mpi):
    """An MPI for the host's to be bound over is there, and misses nothing but what the host brings."""
    library = Path("/opt/view/lib") / SONAME[mpi["family"]]
    if not library.exists():
        fail(f"no {library}")
    found = subprocess.run(["ldd", str(library)], stdout=subprocess.PIPE, check=True, timeout=60).stdout.decode()
    missing = [line.split()[0] for line in found.splitlines() if "not found" in line]
    strange = [name for name in missing if name.split(".so")[0] not in facts["host_libraries"]]
    equal("what the MPI library misses besides the host's", strange, [])


def host_libraries(facts):
    """Libraries that a host's MPI brings are not where they would be found instead of the host's."""
    folders = ["/lib", "/usr/lib", "/usr/local/lib", "/opt/view/lib", *map(str, Path("/usr/lib").glob("*-linux-gnu"))]
    folders += ["/opt/software"] if facts["bound"] else []
    for folder in folders:
        for path, inner, files in os.walk(folder):
            if folder != "/opt/software":
                inner.clear()
            for file in files:
                if any(file.startswith(name + ".so") for name in facts["host_libraries"]):
                    fail(f"{path}/{file} would hide the host's")


def loads(name):
    """Whether the loader finds the library; in a process of its own, since two MPIs in one would clash."""
    script = f"import ctypes; ctypes.CDLL({name!r})"
    return subprocess.run([sys.executable, "-c", script], stderr=subprocess.DEVNULL, timeout=60).returncode == 0


def equal(what, found, wanted):
    """Fail unless the two are the same."""
    if found != wanted:
        fail(f"{what}: found {found}, expected {wanted}")


def fail(problem):
    """Say what is wrong, and leave."""
    sys.exit(f"this image does not work: {problem}")


if __name__ == "__main__":
    facts = json.loads(Path(FACTS).read_text())
    for check in (processor, imports, mpi, host_libraries):
        check(facts)
    print(f"{facts['name']}: imports, MPI, versions and libraries are as its labels say")
