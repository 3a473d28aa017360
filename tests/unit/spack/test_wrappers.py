"""A build asks Spack what it would compile MPI programs with: here with a stand-in for Spack's own modules."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from deeprc.spack.build import PROGRAMS

ENVIRONMENT = """
import os
from types import SimpleNamespace as Thing

def recipe(module, spec):
    mpi.mpicc = os.environ["MPICC"]

mpi = Thing(name="cray-mpich", external=os.environ["EXTERNAL"] == "yes", prefix=os.environ["MPI"])
mpi.package = Thing(setup_dependent_package=recipe)
zlib = Thing(name="zlib", edges_to_dependencies=lambda: [])
edges = [Thing(spec=zlib, virtuals=("zlib-api",)), Thing(spec=mpi, virtuals=("mpi",))]
mpi4py = Thing(name="py-mpi4py", edges_to_dependencies=lambda: edges)

def active_environment():
    return Thing(all_specs=lambda: [zlib, mpi4py])
"""


@pytest.mark.parametrize(
    ("mpicc", "external", "said"),
    [
        ("{prefix}/bin/mpicc", "yes", None),
        ("{prefix}/bin/mpiicx", "yes", "found: {prefix}/bin/mpiicx"),  # Intel 2019: no such file
        ("/usr/bin/env", "yes", "found: /usr/bin/env"),  # cray-mpich@8.1: gcc
        ("{prefix}-other/bin/mpicc", "yes", "expected: a program below {prefix}"),
        ("/no/such", "no", None),  # Spack builds it: nothing is there yet
    ],
)
def test_another_thing_than_the_facilitys_wrapper_stops_the_build(tmp_path: Path, mpicc, external, said) -> None:
    prefix = tmp_path / "mpi"
    for folder in (prefix, tmp_path / "mpi-other"):
        (folder / "bin").mkdir(parents=True)
        (folder / "bin" / "mpicc").touch(mode=0o755)
    (tmp_path / "spack").mkdir()
    (tmp_path / "spack" / "__init__.py").touch()
    (tmp_path / "spack" / "environment.py").write_text(ENVIRONMENT)
    env = {"MPICC": mpicc.format(prefix=prefix), "EXTERNAL": external, "MPI": str(prefix), "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, PROGRAMS / "wrappers.py"]
    done = subprocess.run(command, env=os.environ | env, capture_output=True, text=True)
    assert done.returncode == (said is not None), done.stderr
    if said:
        assert "error: Spack would compile py-mpi4py with another thing than the wrappers of cray-mpich" in done.stderr
        assert said.format(prefix=prefix) in done.stderr
