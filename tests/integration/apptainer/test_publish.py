"""Push, sign, and what is pinned in the catalog then, against a real registry."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from deeprc.commands.image import app
from deeprc.images import load_catalog, publish, sif, sign, transfer, verify
from deeprc.images.errors import ImageError, RegistryError
from deeprc.images.registry import ImageRegistry
from small_images import MACHINE, files

pytestmark = [pytest.mark.requires("apptainer"), pytest.mark.requires("registry")]


def test_an_image_for_some_stages_is_published_and_pinned_like_any_other(world, registry, key):
    """It has a name and an entry of its own; by name and by file it is what it says."""
    name, labels = "cpu-frames", {"deeprc.variant": "cpu-frames", "deeprc.stages": "frames"}
    held = world.adopt(world.sif(**labels), sign=key, name=name)
    assert name in CliRunner().invoke(app, ["verify", name]).output
    done = CliRunner().invoke(app, ["push", name, f"oras://{registry.host}/test/{name}"])
    assert not done.exception, done.exception
    entry = yaml.safe_load(done.stdout.split("of the whole image:\n")[1])
    content = yaml.safe_load(world.catalog_file.read_text())
    world.catalog_file.write_text(yaml.safe_dump({"images": [*content["images"], *entry]}))
    world.trust(key)
    world.store.prune([])
    done = CliRunner().invoke(app, ["pull", name])
    assert not done.exception and held.digest in done.output, done.exception
    for what in (name, str(held.path)):
        done = CliRunner().invoke(app, ["verify", what])
        assert not done.exception and key.fingerprint in done.output, done.exception
    other = world.adopt(world.sif(), name=name, sign=key)  # all stages under that name
    with pytest.raises(ImageError, match=r"label deeprc\.variant differs"):
        list(map(raised, verify.verify(world.store, load_catalog(), [], MACHINE)))
    assert other.digest != held.digest


def raised(outcome: object) -> object:
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def test_an_index_has_the_image_of_each_processor(world, registry, tmp_path):
    """Each push enters its own; Apptainer takes the one for the machine that it is asked for."""
    other = "aarch64" if MACHINE == "x86_64" else "x86_64"
    place, helds = f"oras://{registry.host}/test/index", {}
    for architecture in (MACHINE, other):
        path = world.sif(**{"deeprc.architecture": architecture})
        with path.open("r+b") as handle:
            handle.seek(sif.AT_ARCHITECTURE)
            handle.write({"x86_64": b"02", "aarch64": b"04"}[architecture])
        helds[architecture] = world.adopt(path, arch=architecture)
        done = publish.push(helds[architecture], place)
    assert str(done.index) == f"{place}:0" and done.digests == {a: held.digest for a, held in helds.items()}
    assert ImageRegistry(done.index).digest("0", other)[0] == helds[other].digest
    if MACHINE == "x86_64":  # 1.4 always takes that; 1.5 its machine's, or that of --arch
        subprocess.run(
            ["apptainer", "pull", "--no-https", tmp_path / "own.sif", f"{place}:0"], check=True, capture_output=True
        )
        assert sif.digest(tmp_path / "own.sif") == helds[MACHINE].digest
    newer = world.adopt(world.sif())
    assert publish.push(newer, f"{place}:0").digests == {MACHINE: newer.digest, other: helds[other].digest}
    with pytest.raises(RegistryError, match="no image for ppc64le"):
        ImageRegistry(done.index).digest("0", "ppc64le")


def test_a_login_is_refused_before_anything_is_sent(world, guarded, monkeypatch, tmp_path):
    held = world.adopt(world.sif(padding=1_000_000))
    place = f"oras://{guarded.host}/test/guarded"
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")  # this machine is not proxied
    with pytest.raises(RegistryError, match="does not let us write this") as caught:
        publish.push(held, place)
    assert "no login was found" in str(caught.value)
    monkeypatch.setenv("APPTAINER_DOCKER_USERNAME", "reader")
    monkeypatch.setenv("APPTAINER_DOCKER_PASSWORD", "wrong")
    with pytest.raises(RegistryError, match="401 Unauthorized; the login that was found"):
        publish.push(held, place)
    assert '"PUT ' not in guarded.log.read_text()
    monkeypatch.setenv("APPTAINER_DOCKER_PASSWORD", "secret")
    publish.push(held, place)
    for name in ("USERNAME", "PASSWORD"):
        monkeypatch.delenv(f"APPTAINER_DOCKER_{name}")
    image = world.publish(uri=place, digests={MACHINE: held.digest})
    world.store.prune([])
    with pytest.raises(RegistryError, match="does not let us read this"):
        transfer.pull(image, world.store, MACHINE)
    (tmp_path / "config.json").write_text(json.dumps({"auths": {guarded.host: {"auth": "cmVhZGVyOnNlY3JldA=="}}}))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    assert transfer.pull(image, world.store, MACHINE).digest == held.digest


def test_what_is_here_is_signed_with_a_key_that_has_a_passphrase(world, closed_key, other_key, monkeypatch):
    def deeprc(*arguments: str) -> object:
        return CliRunner().invoke(app, ["sign", "cpu", *map(str, arguments)])

    monkeypatch.setenv("APPTAINER_KEYSDIR", str(closed_key.folder))
    held = world.adopt(world.sif())
    name, words = closed_key.fingerprint.lower(), world.folder / "words"
    assert "the key has a passphrase" in str(deeprc(name).exception)
    words.write_text("wrong\n")
    words.chmod(0o644)
    assert f"the passphrase is open to others\n  found: mode 0644\n  fix: `chmod 600 {words}`" in str(
        deeprc(name, "--passphrase-file", words).exception
    )
    words.chmod(0o600)
    assert "its passphrase is another one" in str(deeprc(name, "--passphrase-file", words).exception)
    words.write_text("open sesame\n")
    # Neither a key that the environment names signs instead, nor another one of the keyring.
    subprocess.run(["openssl", "genrsa", "-out", world.folder / "any.pem", "2048"], check=True, capture_output=True)
    monkeypatch.setenv("APPTAINER_SIGN_KEY", str(world.folder / "any.pem"))
    shutil.copy(held.path, probe := world.folder / "probe.sif")
    with pytest.raises(
        ImageError, match=f"not signed with the key that was asked for\n  found: {closed_key.fingerprint}"
    ):
        sign.Signer("A" * 40, "0", "open sesame").sign(probe)
    assert not (done := deeprc(name, "--passphrase-file", words)).exception, done.exception
    signed = world.store.find("cpu", MACHINE)
    assert (signed.signed_by, signed.source) == (closed_key.fingerprint, "built") and signed.digest != held.digest
    assert transfer.check_signature(signed.path, closed_key.fingerprint) == closed_key.fingerprint
    again = deeprc(f"0x{closed_key.fingerprint}", "--passphrase-file", words)
    assert not again.exception and len(world.store.held()) == 2
    # With another key: the unsigned one is signed, though the signed copy is newer.
    for _ in range(2):
        monkeypatch.setenv("APPTAINER_KEYSDIR", str(other_key.folder))
        assert not (done := deeprc(other_key.fingerprint)).exception, done.exception
        assert sif.signers(world.store.find("cpu", MACHINE).path) == {other_key.fingerprint}
    assert len(world.store.held()) == 3
    world.store.remove(world.store.find("cpu", MACHINE))
    monkeypatch.setenv("APPTAINER_KEYSDIR", str(closed_key.folder))
    # Once it is pinned, the unsigned one is not what it should be; what to do is said, and is enough.
    world.publish(digests={MACHINE: signed.digest}, key=closed_key.fingerprint)
    world.trust(closed_key)
    done = CliRunner().invoke(app, ["verify"])
    assert "the image is not signed" in str(done.exception) and str(signed.path) in done.output
    told = f"fix: the signed {signed.path.name} beside it has the same content: `deeprc image prune` removes this one"
    assert told in str(done.exception)
    assert f"removed {held.path}" in CliRunner().invoke(app, ["prune"]).output
    assert not (done := CliRunner().invoke(app, ["verify"])).exception, done.exception
    world.publish()
    before = files(world.store)
    build = ["build", "cpu", "--sign", name]  # told before anything is built
    assert "the key has a passphrase" in str(CliRunner().invoke(app, build).exception)
    assert "no such secret key" in str(CliRunner().invoke(app, [*build[:-1], "A" * 40]).exception)
    assert files(world.store) == before


def test_the_commands(world, registry, key, monkeypatch):
    """build is in test_build.py; push, pull, list, verify, local and prune as a user types them."""

    def deeprc(*arguments: str, fails: bool = False) -> str:
        done = CliRunner().invoke(app, arguments)
        assert bool(done.exception) == fails, done.output
        return str(done.exception) if fails else done.output

    pinned = world.adopt(world.sif())
    held = world.adopt(world.sif(), sign=key)
    world.publish(digests={MACHINE: pinned.digest})
    said = deeprc("push", "cpu", f"oras://{registry.host}/test/commands")
    lines = yaml.safe_load(said.split("In the catalog, for cpu:")[1])
    assert lines == {
        "uri": f"oras://{registry.host}/test/commands", "digests": {MACHINE: held.digest}, "key": key.fingerprint,
    }, "the newest build, whatever is pinned"  # fmt: skip
    world.publish(uri=f"oras://{registry.host}/test/commands", digests={MACHINE: held.digest}, key=key.fingerprint)
    world.trust(key)
    deeprc("prune", "--all")
    assert "published" in deeprc("list") and world.store.held() == []
    assert "not here" in deeprc("verify", "cpu", fails=True)
    assert held.digest in deeprc("pull", "cpu")
    assert key.fingerprint in deeprc("verify", "cpu")
    assert key.fingerprint in deeprc("verify", str(held.path))
    monkeypatch.setenv("TMPDIR", str(world.folder / "node"))
    (world.folder / "node").mkdir()
    monkeypatch.setattr("tempfile.tempdir", None)
    copy = Path(deeprc("local", "cpu").strip())
    assert copy != held.path and sif.digest(copy) == held.digest
    assert "0 files and folders removed" in deeprc("prune")
    row = json.loads(deeprc("list", "--json"))[0]
    assert (row["path"], row["age"]) == (str(held.path), "built today") and row["built"][:4] > "2025"
    for words in (["verify", str(held.path)], ["verify"]):
        assert "built today, as its head says" in deeprc(*words)
    with (world.folder / "node" / "x").open("wb") as handle:
        handle.write(held.path.read_bytes()[:-1])
    good = world.adopt(world.sif(), sign=key)
    held.path.write_bytes((world.folder / "node" / "x").read_bytes())
    done = CliRunner().invoke(app, ["verify"])
    assert str(good.path) in done.output and "was changed after" in str(done.exception), "one keeps no others back"
    held.path.unlink()
    assert "did you mean 'cpu'" in deeprc("verify", "cpu-mpch", fails=True)
