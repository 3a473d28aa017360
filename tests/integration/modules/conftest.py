"""Login shells with Lmod or with Environment Modules, and a prefix with two published releases."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
OLD, NEW = "0.1.0", "0.2.0"
# Root may write everywhere; without these rights it is a user like any other.
POWERLESS = ["setpriv", "--bounding-set=-dac_override,-dac_read_search,-fowner"]


@dataclass
class Shell:
    """A fresh login shell of a user, with a module system."""

    system: str
    home: Path
    init: str

    def run(self, script: str, *, timeout: float = 120, powerless: bool = False) -> subprocess.CompletedProcess:
        """Run lines of bash; both outputs are in `stdout`."""
        env = {"HOME": str(self.home), "TERM": "dumb", "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
        command = [
            *(POWERLESS if powerless and os.geteuid() == 0 else []),
            "bash",
            "-l",
            "-c",
            f"{self.init}\n{script}",
        ]
        process = subprocess.Popen(
            command,
            env=env,
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            output, _ = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGINT)  # Snakemake ends its pilot; what is left a minute later goes, too
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.communicate(timeout=60)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            raise
        return subprocess.CompletedProcess(command, process.returncode, output)


@pytest.fixture(
    params=[
        pytest.param("lmod", marks=pytest.mark.requires("lmod")),
        pytest.param("tcl", marks=pytest.mark.requires("tcl-modules")),
    ]
)
def shell(request: pytest.FixtureRequest, tmp_path: Path) -> Shell:
    """A login shell in an empty home folder."""
    home = tmp_path / "home"
    home.mkdir()
    if request.param == "lmod":
        return Shell("lmod", home, ". /usr/share/lmod/lmod/init/bash")
    program = next((ROOT / ".cache" / "environment-modules").glob("usr/lib/*/modulecmd.tcl"))
    return Shell("tcl", home, f'unset -f module ml; module() {{ eval "$(tclsh \'{program}\' bash "$@")"; }}')


def deeprc_module(*arguments: object) -> subprocess.CompletedProcess:
    """`deeprc module …`."""
    command = [str(Path(sys.executable).parent / "deeprc"), "module", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="session")
def deeprc() -> Callable[..., subprocess.CompletedProcess]:
    return deeprc_module


@pytest.fixture(scope="session")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A facility's prefix with two versions, the newer one the default; tests do not change it."""
    folder = tmp_path_factory.mktemp("facility") / "apps" / "deeprc"
    for version in (OLD, NEW):
        done = deeprc_module(
            "install", "--site", "localhost", "--prefix", folder, "--version", version, "--venv", sys.prefix
        )
        assert done.returncode == 0, done.stderr
    return folder
