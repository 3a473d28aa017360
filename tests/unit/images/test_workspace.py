"""Folders of builds: the next build removes those of killed ones, and no other."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from deeprc.core.files import StorageError
from deeprc.images import workspace as module
from deeprc.images.workspace import sweep, workspace

BUILD = """\
import time
from deeprc.images.workspace import workspace
with workspace() as folder:
    (folder / "root" / "bin").mkdir(parents=True)
    print(folder, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("APPTAINER_TMPDIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def build(place):
    """A function that starts something that builds; its folder, an hour old, and its process."""
    processes = []

    def start() -> tuple[Path, subprocess.Popen]:
        process = subprocess.Popen([sys.executable, "-c", BUILD], stdout=subprocess.PIPE, text=True)
        processes.append(process)
        folder = Path(process.stdout.readline().strip())
        os.utime(folder, (time.time() - 3600,) * 2)
        return folder, process

    yield start
    for process in processes:
        process.kill()
        process.wait()


def end(process: subprocess.Popen, number: int) -> None:
    process.send_signal(number)
    process.wait(20)


def test_it_is_removed_in_the_end(place):
    with workspace() as folder:
        (folder / "file").touch()
        assert folder.parent == place and folder.stat().st_mode & 0o777 == 0o700
    assert list(place.iterdir()) == []


def test_what_a_killed_build_leaves_is_removed_by_the_next(place, build):
    alive, _ = build()
    killed, process = build()
    end(process, signal.SIGKILL)
    assert (killed / "root" / "bin").is_dir()
    with workspace() as own:
        assert set(place.iterdir()) == {alive, own}
    assert sweep() == [] and alive.is_dir()


def test_a_build_that_has_just_begun_is_left_alone(place, build, monkeypatch):
    """Its folder is empty until it has its lock; one that is filled, without a lock, is a killed one's at once."""
    folder, process = build()
    end(process, signal.SIGKILL)
    os.utime(folder)
    (begun := place / "deeprc-build-begun").mkdir()
    assert sweep() == [folder]
    monkeypatch.setattr(module, "YOUNG", -1.0)
    assert sweep() == [begun]


@pytest.mark.requires("tmpfs")
def test_no_room_to_build_in_is_told_with_the_variable_that_names_another(tmpfs, monkeypatch):
    """Neither a traceback, nor `prune`, which would make no room there."""
    monkeypatch.setenv("APPTAINER_TMPDIR", str(tmpfs("64k")))
    told = r"no space left(.*\n)*.*fix: free some space.*APPTAINER_TMPDIR"
    with pytest.raises(StorageError, match=told), workspace() as folder:
        (folder / "wheel").write_bytes(b"x" * 200_000)
    monkeypatch.setenv("APPTAINER_TMPDIR", str(tmpfs("64k", "ro")))
    with pytest.raises(StorageError, match="mounted read-only") as caught, workspace():
        pass
    assert "APPTAINER_TMPDIR" in str(caught.value) and "space" not in str(caught.value)


@pytest.mark.requires("root")
def test_somebody_elses_folder_stays(place):
    (place / "deeprc-build-theirs").mkdir()
    os.utime(place / "deeprc-build-theirs", (0, 0))
    os.chown(place / "deeprc-build-theirs", 65534, 65534)
    (place / "deeprc-build-link").symlink_to(place)
    assert sweep() == [] and len(list(place.iterdir())) == 2
