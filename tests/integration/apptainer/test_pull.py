"""Pull, from a real registry, by a real Apptainer."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from deeprc.core.errors import DeepRCError
from deeprc.images import publish, sif, transfer
from deeprc.images.errors import ImageError
from deeprc.images.store import Store
from small_images import MACHINE, files, published

pytestmark = [pytest.mark.requires("apptainer"), pytest.mark.requires("registry")]


def test_a_signed_image_goes_out_and_comes_back(world, registry, key):
    image = published(world, registry, key=key)
    world.trust(key)
    held = transfer.pull(image, world.store, MACHINE)
    assert held.digest == image.digests[MACHINE] == sif.digest(held.path)
    assert held.signed_by == key.fingerprint
    assert subprocess.run(["apptainer", "exec", held.path, "/bin/seven"], capture_output=True).returncode == 7
    stem = held.path.stem
    assert files(world.store) == ["cpu.sif", f"{stem}.cdx.json", held.path.name, held.path.name + ".json"]
    before = len(registry.requests(held.digest))
    assert transfer.pull(image, world.store, MACHINE) == held
    assert len(registry.requests(held.digest)) == before  # what is here is not fetched again


def test_apptainer_itself_can_pull_what_was_pushed(world, registry, tmp_path):
    image = published(world, registry)
    tag = publish.tag(MACHINE, image.digests[MACHINE])
    command = ["apptainer", "pull", "--no-https", tmp_path / "own.sif", f"{image.uri}:{tag}"]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    assert sif.digest(tmp_path / "own.sif") == image.digests[MACHINE]


def test_the_shared_folder_spares_the_registry(world, registry):
    image = published(world, registry)
    facility = Store(world.folder / "shared", [])
    there = transfer.pull(image, facility, MACHINE)
    (world.folder / "shared").chmod(0o555)
    before = len(registry.requests(there.digest))
    held = transfer.pull(image, Store(world.store.folder, [facility.folder]), MACHINE)
    assert held.path == there.path and held.shared
    assert len(registry.requests(there.digest)) == before


def test_a_broken_pull_goes_on_where_it_stopped(world, registry):
    image = published(world, registry, padding=3_000_000)
    digest = image.digests[MACHINE]
    part = world.store.folder / f".{digest.removeprefix('sha256:')}.part"
    part.write_bytes(registry.blob(digest).read_bytes()[:2_000_000])
    seen = []
    held = transfer.pull(image, world.store, MACHINE, progress=lambda done, total: seen.append(done))
    assert registry.requests(digest) == [206] and min(seen) > 2_000_000
    assert sif.digest(held.path) == digest and not part.exists()


def test_what_has_arrived_and_is_something_else_is_fetched_anew(world, registry):
    """As long as the image, longer, or a part of it: it is not asked for its end for ever (HTTP 416)."""
    image = published(world, registry, padding=100_000)
    digest = image.digests[MACHINE]
    good = registry.blob(digest).read_bytes()
    for wrong, wanted in (
        (bytes(len(good)), [416, 200]),
        (good + b"x", [416, 200]),
        (bytes(len(good) - 9), [206, 200]),
    ):
        before = len(registry.requests(digest))
        (world.store.folder / f".{digest.removeprefix('sha256:')}.part").write_bytes(wrong)
        held = transfer.pull(image, world.store, MACHINE)
        assert registry.requests(digest)[before:] == wanted and sif.digest(held.path) == digest
        world.store.prune([])


def test_a_pull_that_is_killed_can_be_repeated(world, registry):
    """SIGKILL at any moment leaves no image that is not whole."""
    image = published(world, registry, padding=40_000_000)
    command = [sys.executable, "-c", "from deeprc.commands.image import app; app()", "pull", "cpu"]
    for delay in (0.9, 1.1, 1.3):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.wait(20)
        for held in world.store.held():
            assert sif.digest(held.path) == held.digest
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert sif.digest(world.store.find(image, MACHINE).path) == image.digests[MACHINE]


def test_many_at_once_fetch_it_once(world, registry):
    image = published(world, registry, padding=2_000_000)
    found, wrong = [], []

    def work():
        try:
            found.append(transfer.pull(image, Store(world.store.folder, []), MACHINE).path)
        except DeepRCError as error:
            wrong.append(error)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not wrong and len(found) == 6 and len(set(found)) == 1
    assert registry.requests(image.digests[MACHINE]) == [200]


def test_a_login_node_without_a_runtime_fetches_and_a_compute_node_goes_on(world, registry, key, monkeypatch):
    image = published(world, registry, key=key)
    world.trust(key)
    path = os.environ["PATH"]
    monkeypatch.setenv("PATH", str(world.folder))
    with pytest.raises(ImageError, match="no container runtime here") as caught:
        transfer.pull(image, world.store, MACHINE)
    assert "compute node" in str(caught.value) and world.store.held() == []
    monkeypatch.setenv("PATH", path)
    registry.stop()  # compute nodes often have no network
    try:
        assert transfer.pull(image, world.store, MACHINE).signed_by == key.fingerprint
    finally:
        registry.start()


def test_without_a_key_no_runtime_is_needed(world, registry, monkeypatch):
    image = published(world, registry)
    monkeypatch.setenv("PATH", str(world.folder))
    assert transfer.pull(image, world.store, MACHINE).digest == image.digests[MACHINE]
