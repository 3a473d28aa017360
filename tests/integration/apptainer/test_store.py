"""Pull, push, verify and prune against a real registry and a real Apptainer, and everything that they must refuse."""

from __future__ import annotations

import os
import platform
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deeprc.commands.image import app
from deeprc.core.errors import DeepRCError
from deeprc.core.files import StorageError
from deeprc.images import registry as registry_module
from deeprc.images import sif, transfer
from deeprc.images.errors import ImageError, RegistryError
from deeprc.images.registry import Address, Registry
from deeprc.images.store import Store

pytestmark = [pytest.mark.requires("apptainer"), pytest.mark.requires("registry")]
MACHINE = platform.machine()


def published(world, registry, *, key=None, padding=0, name=None, **labels):
    """Make an image, push it, pin it in the catalog, and forget it here; returns the catalog's entry."""
    held = world.adopt(world.sif(padding, **labels), sign=key)
    name = name or f"t{time.monotonic_ns()}"
    address = transfer.push(held, f"oras://{registry.host}/test/{name}")
    world.store.prune([])
    uri = address.rsplit(":", 1)[0]
    return world.publish(uri=uri, digests={MACHINE: held.digest}, key=key and key.fingerprint)


def files(store: Store) -> list[str]:
    """What lies in a store, locks aside."""
    return sorted(path.name for path in store.folder.iterdir() if path.suffix != ".lock")


def test_a_signed_image_goes_out_and_comes_back(world, registry, key):
    image = published(world, registry, key=key)
    world.trust(key)
    held = transfer.pull(image, world.store, MACHINE)
    assert held.digest == image.digests[MACHINE] == sif.digest(held.path)
    assert held.signed_by == key.fingerprint
    assert subprocess.run(["apptainer", "exec", held.path, "/bin/seven"], capture_output=True).returncode == 7
    assert files(world.store) == ["cpu-mpich.sif", held.path.name, held.path.name + ".json"]
    before = len(registry.requests(held.digest))
    assert transfer.pull(image, world.store, MACHINE) == held
    assert len(registry.requests(held.digest)) == before  # what is here is not fetched again


def test_apptainer_itself_can_pull_what_was_pushed(world, registry, tmp_path):
    image = published(world, registry)
    tag = transfer.tag(MACHINE, image.digests[MACHINE])
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


def test_a_pull_that_is_killed_can_be_repeated(world, registry):
    """SIGKILL at any moment leaves no image that is not whole."""
    image = published(world, registry, padding=40_000_000)
    command = [sys.executable, "-c", "from deeprc.commands.image import app; app()", "pull", "cpu-mpich"]
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


class Refused:
    """After each refusal the image that was here before is still here, unharmed, and nothing else is left."""

    def __init__(self, world) -> None:
        self.store = world.store
        self.held = world.adopt(world.sif())
        self.before = files(self.store)

    def check(self, leftovers: int = 0) -> None:
        assert sif.digest(self.held.path) == self.held.digest
        assert [held.digest for held in self.store.held()] == [self.held.digest]
        assert len(files(self.store)) == len(self.before) + leftovers


def test_other_bytes_than_the_digest_says_are_refused(world, registry):
    image = published(world, registry)
    blob = registry.blob(image.digests[MACHINE])
    content = bytearray(blob.read_bytes())
    content[-5000] ^= 1  # a disk's fault, or an attacker's doing
    blob.write_bytes(content)
    old = Refused(world)
    with pytest.raises(ImageError, match="not the image that was asked for") as caught:
        transfer.pull(image, world.store, MACHINE)
    assert image.digests[MACHINE] in str(caught.value)
    old.check()


def test_an_image_that_was_changed_after_it_was_signed_is_refused(world, registry, key):
    """The digest is pinned to the changed file: only the signature tells."""
    path = world.sif(padding=100_000)
    held = world.adopt(path, sign=key)
    with held.path.open("r+b") as handle:
        content = handle.read()
        at = content.index(b"hsqs") + 5000  # within the file system's data
        handle.seek(at)
        handle.write(bytes([content[at] ^ 1]))
    changed = world.adopt(held.path)
    address = transfer.push(changed, f"oras://{registry.host}/test/changed")
    world.store.prune([])
    world.trust(key)
    image = world.publish(uri=address, digests={MACHINE: changed.digest}, key=key.fingerprint)
    old = Refused(world)
    with pytest.raises(ImageError, match="changed after it was signed"):
        transfer.pull(image, world.store, MACHINE)
    old.check()


def test_an_unsigned_image_is_refused_where_the_catalog_names_a_key(world, registry, key):
    image = published(world, registry).model_copy(update={"key": key.fingerprint})
    world.trust(key)
    old = Refused(world)
    with pytest.raises(ImageError, match="is not signed") as caught:
        transfer.pull(image, world.store, MACHINE)
    assert key.fingerprint in str(caught.value)
    old.check()


def test_a_signature_by_another_key_is_refused(world, registry, key, other_key, monkeypatch):
    image = published(world, registry, key=other_key).model_copy(update={"key": key.fingerprint})
    world.trust(key)
    old = Refused(world)
    with pytest.raises(ImageError, match="not signed"):  # unknown beside the catalog
        transfer.pull(image, world.store, MACHINE)
    old.check()
    shutil.rmtree(world.catalog_file.parent / "keys")
    monkeypatch.setenv("APPTAINER_KEYSDIR", str(other_key.folder))  # known to the user, and still not the catalog's
    with pytest.raises(ImageError, match="signed with another key") as caught:
        transfer.pull(image, world.store, MACHINE)
    assert other_key.fingerprint in str(caught.value)
    old.check()


def test_another_architecture_is_refused(world, registry):
    path = world.sif()
    with path.open("r+b") as handle:  # what an image for the other processor says of itself
        handle.seek(sif.AT_ARCHITECTURE)
        handle.write(b"04" if MACHINE == "x86_64" else b"02")
    held = world.adopt(path)
    address = transfer.push(held, f"oras://{registry.host}/test/arch")
    world.store.prune([])
    image = world.publish(uri=address, digests={MACHINE: held.digest})
    old = Refused(world)
    with pytest.raises(ImageError, match="for another architecture"):
        transfer.pull(image, world.store, MACHINE)
    old.check()
    with pytest.raises(ImageError, match="does not exist for ppc64le"):
        transfer.pull(image, world.store, "ppc64le")


def test_another_variant_under_that_digest_is_refused(world, registry):
    image = published(world, registry, **{"deeprc.mpi.family": "openmpi"})
    old = Refused(world)
    with pytest.raises(ImageError, match=r"label deeprc\.mpi\.family differs"):
        transfer.pull(image, world.store, MACHINE)
    old.check()


def test_a_digest_that_the_registry_does_not_have(world, registry):
    image = published(world, registry).model_copy(update={"digests": {MACHINE: "sha256:" + "0" * 64}})
    old = Refused(world)
    with pytest.raises(RegistryError, match="no image with the digest"):
        transfer.pull(image, world.store, MACHINE)
    old.check()
    with pytest.raises(RegistryError, match="no image with the tag 'gone'"):
        Registry(Address.parse(f"{image.uri}:gone")).digest("gone")


def test_a_registry_that_is_down(world, registry):
    image = published(world, registry, padding=3_000_000)
    digest = image.digests[MACHINE]
    old = Refused(world)
    registry.stop()
    try:
        with pytest.raises(RegistryError, match="does not answer") as caught:
            transfer.pull(image, world.store, MACHINE)
        assert registry.host in str(caught.value)
        old.check()
    finally:
        registry.start()
    assert transfer.pull(image, world.store, MACHINE).digest == digest


def test_a_registry_that_hangs_is_given_up(world, registry, monkeypatch):
    image = published(world, registry)
    monkeypatch.setattr(registry_module, "TIMEOUT", 1.0)
    old = Refused(world)
    registry.process.send_signal(signal.SIGSTOP)
    try:
        start = time.monotonic()
        with pytest.raises(RegistryError, match=r"does not answer|broke off"):
            transfer.pull(image, world.store, MACHINE)
        assert time.monotonic() - start < 60
        old.check()
    finally:
        registry.process.send_signal(signal.SIGCONT)


@pytest.mark.requires("tmpfs")
@pytest.mark.parametrize("told", [True, False], ids=["told by the size", "found out while writing"])
def test_a_full_disk(world, registry, tmpfs, monkeypatch, told):
    image = published(world, registry, padding=3_000_000)
    store = Store(tmpfs("2m") / "images", [])
    if not told:  # another program takes the room in the meantime
        monkeypatch.setattr(transfer, "_require_space", lambda folder, needed: None)
    with pytest.raises(StorageError, match="cannot write images here") as caught:
        transfer.pull(image, store, MACHINE)
    assert str(store.folder) in str(caught.value) and "DEEPRC_IMAGES" in str(caught.value)
    assert store.held() == []


@pytest.mark.requires("tmpfs")
def test_a_folder_that_is_read_only(world, registry, tmpfs):
    image = published(world, registry)
    with pytest.raises(StorageError, match="cannot write images here"):
        transfer.pull(image, Store(tmpfs("2m", "ro") / "images", []), MACHINE)


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


def test_the_file_system_alone_for_runtimes_that_take_no_sif(world, registry):
    """CSCS's Container Engine mounts squashfs files; so can Apptainer."""
    image = published(world, registry, padding=5_000_000)
    said = CliRunner().invoke(app, ["pull", "cpu-mpich", "--squashfs"]).output
    [held] = world.store.held()
    alone = held.path.with_suffix(".sqsh")
    assert said.splitlines()[-1].strip() == str(alone) and held.digest == image.digests[MACHINE]
    assert (world.store.folder / "cpu-mpich.sqsh").resolve() == alone
    start, size = sif.file_system(held.path)
    assert alone.read_bytes() == held.path.read_bytes()[start : start + size]
    assert subprocess.run(["apptainer", "exec", alone, "/bin/seven"], capture_output=True).returncode == 7
    before = alone.stat().st_mtime_ns
    assert world.store.make_squashfs(held) == alone and alone.stat().st_mtime_ns == before
    world.store.prune([])
    assert files(world.store) == []


def test_the_commands(world, registry, key, monkeypatch):
    """build is in test_build.py; push, pull, list, verify, local and prune as a user types them."""

    def deeprc(*arguments: str, fails: bool = False) -> str:
        done = CliRunner().invoke(app, arguments)
        assert bool(done.exception) == fails, done.output
        return str(done.exception) if fails else done.output

    held = world.adopt(world.sif(), sign=key)
    said = deeprc("push", "cpu-mpich", f"oras://{registry.host}/test/commands")
    assert held.digest in said and key.fingerprint in said
    world.publish(uri=f"oras://{registry.host}/test/commands", digests={MACHINE: held.digest}, key=key.fingerprint)
    world.trust(key)
    deeprc("prune", "--all")
    assert "published" in deeprc("list") and world.store.held() == []
    assert "not here" in deeprc("verify", "cpu-mpich", fails=True)
    assert held.digest in deeprc("pull", "cpu-mpich")
    assert key.fingerprint in deeprc("verify", "cpu-mpich")
    assert key.fingerprint in deeprc("verify", str(held.path))
    monkeypatch.setenv("TMPDIR", str(world.folder / "node"))
    (world.folder / "node").mkdir()
    monkeypatch.setattr("tempfile.tempdir", None)
    copy = Path(deeprc("local", "cpu-mpich").strip())
    assert copy != held.path and sif.digest(copy) == held.digest
    assert "0 files and folders removed" in deeprc("prune")
    assert "did you mean 'cpu-mpich'" in deeprc("verify", "cpu-mpch", fails=True)
