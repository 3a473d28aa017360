"""The store: names, records, the shared folder, changed files, pruning, locks; on real files."""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path

import pytest

from deeprc.images import load_catalog, sif
from deeprc.images.errors import ImageError
from deeprc.images.store import LEFTOVER, Store

IMAGE = load_catalog(Path(__file__).resolve().parents[3] / "containers" / "catalog.yaml").image("cpu-mpich")


def file_of(folder: Path, content: bytes, code: bytes = b"02") -> Path:
    """A file with a SIF's head, for x86_64 if nothing else is said."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f".{abs(hash(content))}.tmp"
    path.write_bytes(
        b"#!/usr/bin/env run-singularity".ljust(32, b"\n") + b"SIF_MAGIC\0" + b"01\0" + code + b"\0" + content
    )
    return path


def adopt(store: Store, content: bytes = b"1", name: str = "cpu-mpich", **facts: object):
    path = file_of(store.folder, content)
    return store.adopt(path, name, "x86_64", sif.digest(path), **{"source": "built", **facts})


def test_the_newest_is_found_and_older_ones_stay(tmp_path):
    store = Store(tmp_path / "own", [])
    assert store.find(IMAGE, "x86_64") is None
    first = adopt(store, b"1")
    second = adopt(store, b"2")
    assert store.find(IMAGE, "x86_64").digest == second.digest != first.digest
    assert first.path.is_file() and store.find(IMAGE, "aarch64") is None
    assert (tmp_path / "own" / "cpu-mpich.sif").resolve() == second.path
    assert os.access(second.path, os.X_OK)


def test_what_the_catalog_pins_is_what_is_found(tmp_path):
    store = Store(tmp_path, [])
    first, _ = adopt(store, b"1"), adopt(store, b"2")
    pinned = IMAGE.model_copy(update={"digests": {"x86_64": first.digest}})
    assert store.find(pinned, "x86_64").path == first.path
    assert store.find(IMAGE.model_copy(update={"digests": {"x86_64": "sha256:" + "0" * 64}}), "x86_64") is None


def test_the_shared_folder_comes_first_and_is_never_written(tmp_path):
    facility = adopt(Store(tmp_path / "shared", []), b"shared")
    for path in (tmp_path / "shared").iterdir():
        path.chmod(0o444)
    before = sorted((path.name, path.lstat().st_mtime_ns) for path in (tmp_path / "shared").iterdir())
    store = Store(tmp_path / "own", [tmp_path / "shared", tmp_path / "missing"])
    own = adopt(store, b"own")
    found = store.find(IMAGE, "x86_64")
    assert found.path == facility.path and found.shared
    assert store.prune([]) == [own.path]
    assert before == sorted((path.name, path.lstat().st_mtime_ns) for path in (tmp_path / "shared").iterdir())


def test_a_changed_file_is_refused(tmp_path):
    store = Store(tmp_path, [])
    held = adopt(store)
    os.utime(held.path)  # touched, not changed
    assert store.find(IMAGE, "x86_64").digest == held.digest
    with held.path.open("r+b") as handle:
        handle.seek(48)
        handle.write(b"X")
    with pytest.raises(ImageError, match="changed after it was put here") as caught:
        store.find(IMAGE, "x86_64")
    assert held.digest in str(caught.value) and "remove it, then `deeprc image build cpu-mpich`" in str(caught.value)
    state = held.path.stat()
    os.utime(held.path, ns=(state.st_atime_ns, held.mtime_ns))  # hidden from a look at size and time, not from reading
    with pytest.raises(ImageError):
        store.unchanged(held, read=True)


def test_files_without_a_readable_record_are_no_images(tmp_path):
    store = Store(tmp_path, [])
    held = adopt(store)
    record = held.path.with_name(held.path.name + ".json")
    text = record.read_text()
    for broken in ("", "{", "[]", json.dumps({"name": "cpu-mpich"})):
        record.write_text(broken)
        assert store.held() == []
    record.write_text(json.dumps({**json.loads(text), "of a later release": 1}))
    assert [held.digest for held in store.held()] == [held.digest]


def test_prune_removes_what_nobody_keeps_and_old_leftovers(tmp_path):
    store = Store(tmp_path, [])
    old, new = adopt(store, b"1"), adopt(store, b"2")
    fresh, stale = tmp_path / ".sha256:1.part", tmp_path / ".sha256:2.part"
    for path in (fresh, stale):
        path.touch()
    os.utime(stale, (time.time() - LEFTOVER - 60,) * 2)
    assert set(store.prune([new])) == {old.path, stale}
    assert new.path.exists() and fresh.exists() and (tmp_path / "cpu-mpich.sif").exists()
    store.prune([])
    assert not os.path.lexists(tmp_path / "cpu-mpich.sif")


def test_one_at_a_time_has_the_lock(tmp_path):
    store, order, started = Store(tmp_path, []), [], threading.Event()

    def second():
        started.set()
        with Store(tmp_path, []).lock("pull") as alone:
            order.append(("second", alone))

    with store.lock("pull") as alone:
        thread = threading.Thread(target=second)
        thread.start()
        started.wait(10)
        time.sleep(0.2)
        order.append(("first", alone))
    thread.join(10)
    assert order == [("first", True), ("second", True)]


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(Exception, match="DEEPRC_IMAGES"), Store(tmp_path / "file" / "images", []).lock("x"):
        pass


def test_the_folders_come_from_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("DEEPRC_IMAGES", str(tmp_path / "own"))
    monkeypatch.setenv("DEEPRC_SHARED_IMAGES", f"{tmp_path}/a:{tmp_path}/b")
    assert (Store().folder, Store().shared) == (tmp_path / "own", [tmp_path / "a", tmp_path / "b"])
    monkeypatch.delenv("DEEPRC_IMAGES")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert Store().folder == tmp_path / "cache" / "deeprc" / "images"


def test_the_head_of_a_file_says_for_which_processor(tmp_path):
    assert sif.architecture(file_of(tmp_path, b"x")) == "x86_64"
    assert sif.architecture(file_of(tmp_path, b"y", b"04")) == "aarch64"
    assert "09" in sif.architecture(file_of(tmp_path, b"z", b"09"))
    (tmp_path / "no.sif").write_bytes(b"<html>not found")
    with pytest.raises(ImageError, match="not a SIF image"):
        sif.architecture(tmp_path / "no.sif")
