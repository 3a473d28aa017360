"""The runtime's program as a child: it ends with us, and its log is read for what it could not write."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from deeprc.images import apptainer
from deeprc.images.errors import ImageError

RUN = "from deeprc.images import apptainer; apptainer.run('build', what='building')"


@pytest.fixture
def program(tmp_path, monkeypatch):
    """A function that writes what stands in for apptainer."""

    def write(text: str) -> Path:
        path = tmp_path / "apptainer"
        path.write_text(f"#!/bin/bash\n{text}\n")
        path.chmod(0o755)
        return path

    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return write


def test_it_ends_when_we_are_killed(program, tmp_path):
    """An orphan would write on into a file that the next command takes for abandoned."""
    program(f"echo $$ > {tmp_path}/new; mv {tmp_path}/new {tmp_path}/pid; exec sleep 120")
    ours = subprocess.Popen([sys.executable, "-c", RUN])
    until = time.monotonic() + 60
    while not (tmp_path / "pid").exists() and time.monotonic() < until:
        time.sleep(0.02)
    child = Path("/proc", (tmp_path / "pid").read_text().strip())
    assert child.exists()
    ours.kill()
    ours.wait()
    while child.exists() and "Z" not in (child / "stat").read_text() and time.monotonic() < until:
        time.sleep(0.02)
    assert not child.exists() or "Z" in (child / "stat").read_text()


def test_an_image_sees_nothing_of_the_callers(program, monkeypatch):
    """Neither variables of Python, nor what Apptainer takes for options or puts into %post."""
    program("env")
    for name in (
        "PYTHONPATH", "PYTHONHOME", "LD_PRELOAD_X", "APPTAINERENV_PYTHONPATH", "SINGULARITYENV_X", "APPTAINER_BIND",
        "APPTAINER_BINDPATH", "SINGULARITY_BIND", "APPTAINER_NV", "MPI4PY_MPIABI",
    ):  # fmt: skip
        monkeypatch.setenv(name, "no")
    for name in ("APPTAINER_TMPDIR", "APPTAINER_KEYSDIR", "APPTAINER_DOCKER_USERNAME", "https_proxy", "LC_ALL"):
        monkeypatch.setenv(name, "yes")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    said = dict(line.split("=", 1) for line in apptainer.run(what="x", APPTAINERENV_OURS="1").splitlines())
    assert "no" not in said.values()
    assert {"APPTAINERENV_OURS", "APPTAINER_TMPDIR", "APPTAINER_KEYSDIR", "https_proxy", "LC_ALL", "PATH"} <= {*said}


@pytest.mark.parametrize("said", ["write /tmp/x: no space left on device", "Read-only file system", "FATAL: odd"])
def test_a_full_disk_has_its_advice(program, said):
    program(f"echo 'FATAL: {said}' >&2; exit 255")
    with pytest.raises(ImageError, match="apptainer ended with 255") as caught:
        apptainer.run("build", what="building")
    assert ("APPTAINER_TMPDIR" in str(caught.value.fix)) == (said != "FATAL: odd")
