"""A working directory with a run in it, as they should be."""

import pytest

from deeprc.doctor.security import folders as ours
from deeprc.doctor.security.place import Place
from deeprc.images.store import Store

RUN = "20260101T000000-999999999"  # of a process that is none: numbers end below


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A private folder with a run and its keys, images and cache, all as they should be."""
    monkeypatch.setenv("DEEPRC_CACHE", str(tmp_path / "cache"))
    pilot = tmp_path / ".deeprc" / "runs" / RUN / "pilot-1"
    for folder in [*reversed([pilot, *list(pilot.parents)[:3]]), tmp_path / "images", tmp_path / "cache"]:
        folder.mkdir(mode=0o700)
    for name in ours.KEYS:
        (pilot / name).touch(mode=0o600)
    return Place(tmp_path / ".deeprc", [], [], Store(tmp_path / "images", []))
