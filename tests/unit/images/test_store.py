"""The store: names, records, the shared folder, changed files, pruning, locks; on real files."""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deeprc.commands.image import app
from deeprc.images import leftovers, listing, load_catalog, sif
from deeprc.images.catalog import Catalog
from deeprc.images.errors import ImageError
from deeprc.images.leftovers import OLD, OLD_BASE
from deeprc.images.shared import unreadable
from deeprc.images.site import require
from deeprc.images.store import Store

CATALOG = Path(__file__).resolve().parents[3] / "containers" / "catalog.yaml"
IMAGE = load_catalog(CATALOG).image("cpu")


def file_of(folder: Path, content: bytes, code: bytes = b"02") -> Path:
    """A file with a SIF's head, for x86_64 if nothing else is said."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f".{abs(hash(content))}.tmp"
    path.write_bytes(
        b"#!/usr/bin/env run-singularity".ljust(32, b"\n") + b"SIF_MAGIC\0" + b"01\0" + code + b"\0" + content.ljust(80)
    )
    return path


def adopt(store: Store, content: bytes = b"1", name: str = "cpu", **facts: object):
    path = file_of(store.folder, content)
    return store.adopt(path, name, "x86_64", sif.digest(path), **{"source": "built", **facts})


def test_the_newest_is_found_and_older_ones_stay(tmp_path):
    store = Store(tmp_path / "own", [])
    assert store.find(IMAGE, "x86_64") is None
    first = adopt(store, b"1")
    second = adopt(store, b"2")
    assert store.find(IMAGE, "x86_64").digest == second.digest != first.digest
    assert first.path.is_file() and store.find(IMAGE, "aarch64") is None
    assert (tmp_path / "own" / "cpu.sif").resolve() == second.path
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


def test_a_changed_file_is_passed_over_and_told(tmp_path):
    store = Store(tmp_path, [])
    held = adopt(store)
    os.utime(held.path)  # touched, not changed
    assert store.find(IMAGE, "x86_64").digest == held.digest
    damage(held.path)
    assert store.find(IMAGE, "x86_64") is None and store.built("c") is None
    with pytest.raises(ImageError, match="changed after it was put here") as caught:
        require(store, IMAGE, "x86_64")
    assert held.digest in str(caught.value) and "`deeprc image build cpu`" in str(caught.value)
    state = held.path.stat()
    os.utime(held.path, ns=(state.st_atime_ns, held.mtime_ns))  # hidden from a look at size and time, not from reading
    assert store.changed(held) is None and held.digest in store.changed(held, read=True)


def damage(path: Path) -> None:
    with path.open("r+b") as handle:
        handle.seek(48)
        handle.write(b"X")


def test_one_damaged_image_keeps_nobody_from_a_good_one(tmp_path):
    """In the shared folder, which is looked in first; then in one's own, which the next pull puts right."""
    facility = adopt(Store(tmp_path / "shared", []))
    store = Store(tmp_path / "own", [tmp_path / "shared"])
    own = adopt(store)
    damage(facility.path)
    assert store.find(IMAGE, "x86_64").path == own.path
    rows = listing.rows(load_catalog(CATALOG), store, "x86_64")
    assert rows[0]["path"] == str(own.path) and "changed after it was put here" in rows[0]["passed_over"]
    damage(own.path)
    assert store.find(IMAGE, "x86_64") is None and len(listing.rows(load_catalog(CATALOG), store, "x86_64")) == 8
    assert adopt(store).path == own.path and store.find(IMAGE, "x86_64").path == own.path


def test_files_without_a_readable_record_are_no_images_and_are_named(tmp_path, monkeypatch):
    monkeypatch.setenv("DEEPRC_IMAGES", str(tmp_path))
    monkeypatch.delenv("DEEPRC_SHARED_IMAGES", raising=False)
    store = Store()
    held = adopt(store)
    record = held.path.with_name(held.path.name + ".json")
    text = record.read_text()
    for broken in ("", "{", "[]", json.dumps({"name": "cpu"})):
        record.write_text(broken)
        assert store.held() == []
        assert f"{held.path} has no record" in store.closed()[0]
        for command in ("list", "outdated", "prune"):
            said = CliRunner().invoke(app, [command])
            assert said.exit_code == 0 and f"notice: {held.path} has no record" in said.stderr, command
        error = CliRunner().invoke(app, ["verify"]).exception
        assert f"{held.path}: an image without a record" in str(error) and error.exit_code == 2
    record.write_text(json.dumps({**json.loads(text), "of a later release": 1}))
    assert [held.digest for held in store.held()] == [held.digest] and store.closed() == []


def old(path: Path, seconds: float = OLD, *, folder: bool = False) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.mkdir() if folder else path.touch()
    os.utime(path, (time.time() - seconds - 60,) * 2)
    return path


def test_prune_removes_what_nobody_keeps_and_old_leftovers(tmp_path):
    store, digest = Store(tmp_path, []), "0" * 64
    first, new = adopt(store, b"1"), adopt(store, b"2")
    lone = first.path.name.replace(first.digest[7:23], "f" * 16)
    stale = {
        old(tmp_path / f".{digest}.part"), old(tmp_path / f".{digest}.node-1.77.part"),
        old(tmp_path / ".deeprc-build.cpu.node.1.tmp"),
        old(leftovers.temporary(tmp_path, "pilot"), folder=True), old(tmp_path / f"{lone}.json"),
        old(tmp_path / f".{first.path.name}.json.0a1b2c3d.tmp"),
        old(store.bases / f"debian-{digest[:16]}.sif", OLD_BASE),
    }  # fmt: skip
    fresh = tmp_path / f".{'1' * 64}.part"
    fresh.touch()
    assert set(store.prune([new])) == {first.path, *stale}
    assert new.path.exists() and fresh.exists() and (tmp_path / "cpu.sif").exists()
    store.prune([])
    assert not os.path.lexists(tmp_path / "cpu.sif") and not list(tmp_path.glob("*.json"))


def test_prune_leaves_other_peoples_files(tmp_path):
    """Names that are not ours, names like ours without a record, and records that do not fit the name."""
    store = Store(tmp_path, [])
    theirs = [
        "pytorch_24.01.sif", "my_tool.sif", ".vim.tmp", "bases/rocky9.sif", "a_x86_64_0123456789abcdef.sif", "x.json",
        ".notes.part", "cpu_x86_64.sif.json",
    ]  # fmt: skip
    kept = [old(tmp_path / name, OLD_BASE) for name in theirs] + [old(tmp_path / ".important.tmp", folder=True)]
    held = adopt(store)
    copy = tmp_path / "renamed.sif"
    held.path.rename(copy)
    held.path.with_name(held.path.name + ".json").rename(tmp_path / "renamed.sif.json")
    assert store.held() == [] and store.prune([]) == []
    assert copy.exists() and all(path.exists() for path in kept)


@pytest.mark.requires("root")
def test_prune_leaves_a_colleagues_images(tmp_path):
    store = Store(tmp_path, [])
    held = adopt(store)
    for path in (held.path, held.path.with_name(held.path.name + ".json")):
        os.chown(path, 64023, 64023)
    assert store.prune([]) == [] and held.path.exists()


def test_prune_keeps_the_build_that_is_not_pinned_yet(tmp_path):
    store = Store(tmp_path, [])
    gone, pinned, new = (adopt(store, text, source=source) for text, source in
                         ((b"0", "oras://x/y"), (b"1", "oras://x/y"), (b"2", "built")))  # fmt: skip
    catalog = Catalog(images=[IMAGE.model_copy(update={"digests": {"x86_64": pinned.digest}})])
    assert store.prune(listing.kept(catalog, store)) == [gone.path]
    newer = adopt(store, b"3", source="oras://x/y")
    assert store.prune(listing.kept(catalog, store)) == [newer.path, new.path]


def sqsh(store: Store, held) -> Path:
    """The image's file system, written: a few bytes that a stand-in for a SIF holds."""
    return store.make_squashfs(held)


def test_the_file_system_alone_is_verified(tmp_path, monkeypatch):
    monkeypatch.setattr(sif, "file_system", lambda path: (48, path.stat().st_size - 48))
    store = Store(tmp_path, [])
    held = adopt(store, b"a file system")
    umask = os.umask(0o077)
    try:
        path = sqsh(store, held)
    finally:
        os.umask(umask)
    good, record = path.read_bytes(), path.with_name(path.name + ".json")
    assert json.loads(record.read_text())["image"] == held.digest and path.stat().st_mode & 0o777 == 0o644
    assert store.squashfs_fault(held) is store.squashfs_fault(held, read=True) is None
    path.write_bytes(b"another one")
    assert "was changed after it was put here" in store.squashfs_fault(held)
    assert sqsh(store, held).read_bytes() == good and store.squashfs_fault(held) is None
    state = path.stat()
    path.write_bytes(good[:-1] + b"X")
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert store.squashfs_fault(held) is None and "was changed" in store.squashfs_fault(held, read=True)
    path.write_bytes(good)
    record.unlink()  # of an earlier release: it is compared with the image, once
    assert store.squashfs_fault(held) is None and record.exists()
    record.unlink()
    path.write_bytes(b"x" * len(good))
    assert "was changed" in store.squashfs_fault(held)
    store.prune([])
    assert not list(tmp_path.glob("*.s*"))


@pytest.mark.requires("root")
@pytest.mark.parametrize("public", [True, False])
def test_a_folder_for_all_can_be_read_by_all_whatever_the_umask(tmp_path, sticky, stranger, public):
    """And where it cannot, its users are told: not that there is no image."""
    folder = tmp_path / "apps" / "images"
    umask = os.umask(0o077)
    try:
        store = Store(folder, [], public=public)
        with store.lock("x"):
            adopt(store)
    finally:
        os.umask(umask)
    code = "from deeprc.images.store import Store\nstore = Store(sys.argv[1], [sys.argv[2]])\n"
    code += "print([held.name for held in store.held()], store.closed())"
    said = stranger.run(code, tmp_path / "none", folder, modules=("deeprc.images.store",))
    if public:
        assert said == "['cpu'] []\n" and unreadable(folder) is None
    else:
        place = folder.parent
        assert said == f"[] ['{place} is closed to you (Permission denied; mode 0700, owned by root)']\n"
        assert unreadable(folder) == (
            f"others cannot read {folder}: {folder} has the mode 0700 (root); `chmod o+rx {folder}`"
        )


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
    (tmp_path / "no.sif").touch()
    with pytest.raises(ImageError, match="not a SIF image\n  found: an empty file"):
        sif.architecture(tmp_path / "no.sif")
    (tmp_path / "no.sif").write_bytes(b"<html>not found")
    with pytest.raises(ImageError, match="not a SIF image"):
        sif.architecture(tmp_path / "no.sif")
