"""Images in one file: what is written is whole, installs where no network is, and is refused where it was changed."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from deeprc.images import bundle, load_catalog, sif
from deeprc.images.errors import ImageError
from deeprc.images.store import Store
from small_images import files

pytestmark = [pytest.mark.requires("apptainer"), pytest.mark.requires("root")]
DEEPRC = Path(sys.executable).parent / "deeprc"


def test_a_bundle_installs_without_a_network_and_a_changed_one_does_not(world, key, other_key, tmp_path):
    held = world.adopt(world.sif(), sign=key)
    image = world.publish(key=key.fingerprint)
    world.trust(key)
    file = tmp_path / "images.tar"
    list(bundle.write([(image, held)], file))
    with tarfile.open(file) as tar:
        tar.extractall(tmp_path / "unpacked", filter="data")
    check = subprocess.run(
        ["sha256sum", "--check", "SHA256SUMS"], cwd=tmp_path / "unpacked", capture_output=True, text=True
    )
    kept = [line.partition(":")[0] for line in check.stdout.splitlines()]
    assert check.returncode == 0
    assert {"catalog.yaml", held.path.name, f"keys/{key.fingerprint}.asc"} <= {*kept}
    # A machine without a network: a name space of its own, in which not even loopback is up.
    words = ["image", "install", file, "--offline", "--to", tmp_path / "shared"]
    done = subprocess.run(["unshare", "--net", DEEPRC, *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    [there] = Store(tmp_path / "shared", []).held()
    assert (there.digest, there.signed_by) == (held.digest, key.fingerprint)
    # Changed bytes, and a key that is not the catalog's.
    path = tmp_path / "unpacked" / held.path.name
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with tarfile.open(tmp_path / "changed.tar", "w") as tar:
        for name in ("SHA256SUMS", "catalog.yaml", held.path.name):
            tar.add(tmp_path / "unpacked" / name, name)
    new = Store(tmp_path / "new", [])
    new.folder.mkdir()
    known = load_catalog(world.catalog_file)
    with pytest.raises(ImageError, match="the image in the bundle is damaged"):
        bundle.install(tmp_path / "changed.tar", new, known, [])
    world.publish(key=other_key.fingerprint)
    world.trust(other_key)
    with pytest.raises(ImageError, match="sign"):
        bundle.install(file, new, load_catalog(world.catalog_file), [])
    assert not [name for name in files(new) if name.endswith(".sif")] and sif.digest(held.path) == held.digest
