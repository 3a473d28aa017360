"""Images in one file: what is written is whole, installs where no network is, and is refused where it was changed."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from deeprc.commands.image import app
from deeprc.core.archives import unpack
from deeprc.core.files import StorageError
from deeprc.images import bundle, load_catalog, sif
from deeprc.images.errors import ImageError
from deeprc.images.store import Store
from small_images import MACHINE, files

pytestmark = [pytest.mark.requires("apptainer"), pytest.mark.requires("root")]
DEEPRC = Path(sys.executable).parent / "deeprc"


def pack(file: Path, folder: Path) -> Path:
    with tarfile.open(file, "w") as tar:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                tar.add(path, path.relative_to(folder))
    return file


def deeprc(*arguments: object):
    done = CliRunner().invoke(app, [*map(str, arguments)])
    return done.exception if done.exception else done.output


def test_a_bundle_is_what_its_checksums_say_all_of_it_and_nothing_else(world, key, tmp_path, monkeypatch):
    held = world.adopt(world.sif())
    assert "named more than once\n  found: cpu" in str(deeprc("bundle", "cpu", "cpu", "--to", tmp_path / "x.tar"))
    assert held.path.name in deeprc("bundle", "cpu", "--to", tmp_path / "x.tar")
    folder = tmp_path / "unpacked"
    with tarfile.open(tmp_path / "x.tar") as tar:
        unpack(tar, folder)
    [sbom] = folder.glob("*.cdx.json")
    sums = folder / "SHA256SUMS"
    good = {path: path.read_bytes() for path in (sbom, sums)}
    lines = sums.read_text().splitlines(keepends=True)
    for change, told in (
        (lambda: sbom.write_text("{}"), f"{sbom.name} has the digest"),
        (sbom.unlink, f"{sbom.name} is not in it"),
        (lambda: (folder / "more").write_text(""), "more is in it and has no checksum"),
        (lambda: sums.write_text(""), "catalog.yaml is in it and has no checksum"),
        (lambda: sums.write_text("".join([*lines, "what\n"])), "lines that are no checksums"),
    ):
        change()
        error = str(deeprc("install", pack(tmp_path / "y.tar", folder), "--to", tmp_path / "new"))
        assert "the bundle is damaged" in error and told in error
        (folder / "more").unlink(missing_ok=True)
        for path, data in good.items():
            path.write_bytes(data)
    catalog = folder / "catalog.yaml"
    entries = yaml.safe_load(text := catalog.read_text())
    [entry], other = entries["images"], "sha256:" + "0" * 64
    for digests, told in (
        ({"x86_64": held.digest, "aarch64": other}, "cpu with 2 digests"), ({}, "cpu with 0 digests"),
        ({MACHINE: other}, f"cpu: no file with the digest {other}"),
    ):  # fmt: skip
        catalog.write_text(yaml.safe_dump({"images": [entry | {"digests": digests}]}))
        sums.write_text("".join(f"{sif.digest(folder / line[66:-1])[7:]}  {line[66:]}" for line in lines))
        error = str(deeprc("install", pack(tmp_path / "y.tar", folder), "--to", tmp_path / "new"))
        assert "a bundle's catalog names each image with the one digest of its file" in error and told in error, error
    catalog.write_text(text)
    sums.unlink()
    assert "not a whole bundle" in str(deeprc("install", pack(tmp_path / "y.tar", folder), "--to", tmp_path / "new"))
    assert not (tmp_path / "new").exists()
    # The catalog here pins nothing: what a bundle says of itself proves nothing.
    words = ["install", tmp_path / "x.tar", "--to", tmp_path / "new"]
    said = str(deeprc(*words))
    assert f"not verified\n  found: cpu, {held.digest}: the catalog here pins no digest and names no key" in said
    assert "no such image in the bundle" in str(deeprc(*words, "--digest", "sha256:" + "0" * 64))
    assert "not a digest" in str(deeprc(*words, "--digest", "0"))
    assert not (tmp_path / "new").exists()
    assert "warning: cpu is NOT VERIFIED" in deeprc(*words, "--unverified")
    # That stays with it, and another catalog's key or digest is asked for where it lies already.
    monkeypatch.setenv("DEEPRC_IMAGES", str(tmp_path / "new"))
    assert "; NOT VERIFIED: nobody but the bundle" in deeprc("verify") and "NOT VERIFIED" in deeprc("list")
    push = ["push", "cpu", "oras://127.0.0.1:1/x"]
    told = CliRunner().invoke(app, push).stderr
    assert f"warning: {held.path.name} is NOT VERIFIED" in told
    assert f"notice: {held.path.name} is not signed: the catalog's lines name no key" in told
    world.publish(key=key.fingerprint, digests={MACHINE: held.digest}, uri="oras://127.0.0.1:1/x")
    assert f"{tmp_path}/x.tar, {held.path.name}: the image is not signed" in str(
        deeprc("install", tmp_path / "x.tar", "--to", tmp_path / "new3")
    )
    for command in (words, ["pull", "cpu"], ["bundle", "cpu", "--to", tmp_path / "z.tar"], push):
        assert "the image is not signed" in str(deeprc(*command)), command
    world.publish()
    assert "warning: cpu is NOT VERIFIED" in deeprc(*words, "--unverified")
    assert "NOT VERIFIED" not in deeprc(*words, "--digest", held.digest) + deeprc("verify")
    monkeypatch.setenv("DEEPRC_IMAGES", str(world.store.folder))
    world.publish(digests={MACHINE: held.digest})
    assert "NOT VERIFIED" not in deeprc("install", tmp_path / "x.tar", "--to", tmp_path / "new2")
    # Beside the image: an SBOM that is not the one in it.
    assert str(held.path) in deeprc("verify", "cpu") and str(held.path) in deeprc("verify", held.path)
    beside = held.path.with_suffix(".cdx.json")
    beside.write_text(beside.read_text().replace("libc6", "libc7"))
    for words in (["verify", "cpu"], ["verify"], ["verify", held.path], ["bundle", "cpu", "--to", tmp_path / "z.tar"]):
        error = str(deeprc(*words))
        assert f"{beside}: not the document that is in the image" in error, words
    assert not (tmp_path / "z.tar").exists()


def test_a_bundle_installs_without_a_network_and_a_changed_one_does_not(world, key, other_key, tmp_path):
    held = world.adopt(world.sif(), sign=key)
    image = world.publish(key=key.fingerprint)
    world.trust(key)
    file = tmp_path / "images.tar"
    list(bundle.write([(image, held)], file))

    class Late(list):  # another process writes that file after it was seen that there is none
        def __iter__(self):
            (tmp_path / "2.tar").write_text("another's")
            return super().__iter__()

    with pytest.raises(StorageError, match="there is something already"):
        list(bundle.write(Late([(image, held)]), tmp_path / "2.tar"))
    assert (tmp_path / "2.tar").read_text() == "another's"
    with tarfile.open(file) as tar:
        unpack(tar, tmp_path / "unpacked")
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
    assert (there.digest, there.signed_by, done.stderr) == (held.digest, key.fingerprint, "")
    assert f"MB, signed with {key.fingerprint}\n" in done.stdout
    # Changed bytes, and a key that is not the catalog's.
    path = tmp_path / "unpacked" / held.path.name
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    pack(tmp_path / "changed.tar", tmp_path / "unpacked")
    new = Store(tmp_path / "new", [])
    new.folder.mkdir()
    known = load_catalog(world.catalog_file)
    with pytest.raises(ImageError, match=rf"the bundle is damaged.*\n.*{held.path.name} has the digest"):
        bundle.install(tmp_path / "changed.tar", new, known, [])
    world.publish(key=other_key.fingerprint)
    world.trust(other_key)
    with pytest.raises(ImageError, match="sign"):
        bundle.install(file, new, load_catalog(world.catalog_file), [])
    assert not [name for name in files(new) if name.endswith(".sif")] and sif.digest(held.path) == held.digest
