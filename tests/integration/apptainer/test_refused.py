"""What a pull must refuse; the image that was here before is still here, and nothing else is left."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time

import pytest

from deeprc.core.files import StorageError
from deeprc.images import publish, sif, transfer
from deeprc.images.errors import ImageError, RegistryError
from deeprc.images.registry import Address, ImageRegistry
from deeprc.images.store import Store
from small_images import MACHINE, Refused, published

pytestmark = [pytest.mark.requires("apptainer"), pytest.mark.requires("registry")]


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
    publish.push(changed, address := f"oras://{registry.host}/test/changed")
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
    with pytest.raises(ImageError, match=f"signed with another key\n  found: {other_key.fingerprint}"):  # unknown here
        transfer.pull(image, world.store, MACHINE)
    old.check()
    shutil.rmtree(world.catalog_file.parent / "keys")
    monkeypatch.setenv("APPTAINER_KEYSDIR", str(other_key.folder))  # known to the user, and still not the catalog's
    with pytest.raises(ImageError, match="signed with another key") as caught:
        transfer.pull(image, world.store, MACHINE)
    assert other_key.fingerprint in str(caught.value)
    old.check()


def test_unsigned_signed_in_part_and_signed_with_an_unknown_key_are_told_apart(world, key):
    """Each group of parts must be signed: what lies in one that is not could be anybody's."""
    path = world.sif()
    with pytest.raises(ImageError, match="the image is not signed\n  found: no signature"):
        transfer.check_signature(path, key.fingerprint)
    path = world.adopt(path, sign=key).path
    with pytest.raises(ImageError, match=r"the signature cannot be checked\n.*is not known here"):
        transfer.check_signature(path, key.fingerprint)
    world.trust(key)
    assert transfer.check_signature(path, key.fingerprint) == key.fingerprint
    for group, told in (("2", "signature not found for object group 2"), ("1", "object not signed")):
        more = shutil.copy(path, world.folder / f"group{group}.sif")
        add = ["apptainer", "sif", "add", "--datatype", "6", "--groupid", group, more, world.catalog_file]
        subprocess.run(add, check=True, capture_output=True)
        with pytest.raises(ImageError, match=f"the image is signed in part only\n.*{told}"):
            transfer.check_signature(more, key.fingerprint)


def test_another_architecture_is_refused(world, registry):
    path = world.sif()
    with path.open("r+b") as handle:  # what an image for the other processor says of itself
        handle.seek(sif.AT_ARCHITECTURE)
        handle.write(b"04" if MACHINE == "x86_64" else b"02")
    held = world.adopt(path)
    publish.push(held, address := f"oras://{registry.host}/test/arch")
    world.store.prune([])
    image = world.publish(uri=address, digests={MACHINE: held.digest})
    old = Refused(world)
    with pytest.raises(ImageError, match="for another architecture"):
        transfer.pull(image, world.store, MACHINE)
    old.check()
    with pytest.raises(ImageError, match="does not exist for ppc64le"):
        transfer.pull(image, world.store, "ppc64le")


def test_another_variant_under_that_digest_is_refused(world, registry):
    image = published(world, registry, **{"deeprc.mpi": "openmpi"})
    old = Refused(world)
    with pytest.raises(ImageError, match=r"label deeprc\.mpi differs"):
        transfer.pull(image, world.store, MACHINE)
    old.check()


def test_a_digest_that_the_registry_does_not_have(world, registry):
    image = published(world, registry).model_copy(update={"digests": {MACHINE: "sha256:" + "0" * 64}})
    old = Refused(world)
    with pytest.raises(RegistryError, match="no image with the digest"):
        transfer.pull(image, world.store, MACHINE)
    old.check()
    with pytest.raises(RegistryError, match="no image with the tag 'gone'"):
        ImageRegistry(Address.parse(f"{image.uri}:gone")).digest("gone")


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
    monkeypatch.setenv("DEEPRC_REGISTRY_TIMEOUT", "1")
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
    with pytest.raises(StorageError, match="no space left") as caught:
        transfer.pull(image, store, MACHINE)
    assert str(store.folder) in str(caught.value) and "DEEPRC_IMAGES" in str(caught.value)
    assert store.held() == []


@pytest.mark.requires("tmpfs")
def test_a_folder_that_is_read_only(world, registry, tmpfs):
    image = published(world, registry)
    with pytest.raises(StorageError, match="mounted read-only"):
        transfer.pull(image, Store(tmpfs("2m", "ro") / "images", []), MACHINE)
