"""Bytes that the disk has lost, under the size and the time of before: nothing is signed, sent or copied of them."""

from __future__ import annotations

import os

import pytest
from typer.testing import CliRunner

from deeprc.commands.image import app
from deeprc.images import sif
from deeprc.images.errors import ImageError
from deeprc.images.store import Store
from small_images import MACHINE, files, published

pytestmark = [pytest.mark.requires("apptainer"), pytest.mark.requires("registry")]


def rot(path):
    """Change a byte of the file system in an image; `touch -r` hides it."""
    state, (start, size) = path.stat(), sif.file_system(path)
    with path.open("r+b") as handle:
        handle.seek(start + size - 9)
        byte = handle.read(1)
        handle.seek(start + size - 9)
        handle.write(bytes([byte[0] ^ 1]))
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))


def deeprc(*arguments: object):
    done = CliRunner().invoke(app, [*map(str, arguments)])
    return done.exception if done.exception else done.output


def test_of_a_rotten_image_nothing_is_made_and_the_next_pull_puts_it_right(world, registry, key, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(world.folder / "node"))
    (world.folder / "node").mkdir()
    monkeypatch.setattr("tempfile.tempdir", None)
    image = published(world, registry, key=key)
    world.trust(key)
    assert "sha256:" in deeprc("pull", "cpu")
    [held] = world.store.held()
    rot(held.path)
    assert world.store.changed(held) is None, "size and time are those of before"
    monkeypatch.setenv("APPTAINER_KEYSDIR", str(key.folder))
    before, sent = files(world.store), registry.log.read_text().count('"P')
    for words in (
        ("sign", "cpu", key.fingerprint), ("push", "cpu", f"oras://{registry.host}/test/rotten"),
        ("bundle", "cpu", "--to", world.folder / "x.tar"),
    ):  # fmt: skip
        error = deeprc(*words)
        assert isinstance(error, ImageError) and "not the image that was put here" in str(error), words
        assert held.digest in str(error) and sif.digest(held.path) in str(error)
    assert files(world.store) == before and registry.log.read_text().count('"P') == sent
    assert isinstance(error := deeprc("local", "cpu"), ImageError) and "not the image that" in str(error)
    assert not list((world.folder / "node").rglob("*.sif*[!k]")), "no copy of it"
    # A facility's is for the facility to mend: runs look there first.
    own = Store(world.folder / "own", [held.path.parent])
    monkeypatch.setenv("DEEPRC_SHARED_IMAGES", str(held.path.parent))
    monkeypatch.setenv("DEEPRC_IMAGES", str(own.folder))
    assert f"--to {held.path.parent}" in str(deeprc("pull", "cpu"))
    assert f"signed with {key.fingerprint}" in deeprc("pull", "cpu", "--to", held.path.parent)
    assert sif.digest(held.path) == held.digest == image.digests[MACHINE]
    copy = deeprc("local", "cpu").strip()
    assert copy != str(held.path) and sif.digest(type(held.path)(copy)) == held.digest
    rot(type(held.path)(copy))
    assert "remove it" in str(deeprc("local", "cpu")) and copy in str(deeprc("local", "cpu"))
