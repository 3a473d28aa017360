"""Pull, push, verify and prune against a real registry and a real Apptainer, and everything that they must refuse."""

from __future__ import annotations

import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from deeprc.commands.image import app
from deeprc.core.errors import DeepRCError
from deeprc.core.files import StorageError
from deeprc.images import load_catalog, publish, sif, transfer, verify
from deeprc.images.errors import ImageError, RegistryError
from deeprc.images.registry import Address, Registry
from deeprc.images.store import Store
from deeprc.launch.runtimes import shifter
from samples.sites import PLAIN

pytestmark = [pytest.mark.requires("apptainer"), pytest.mark.requires("registry")]
MACHINE = platform.machine()


def published(world, registry, *, key=None, padding=0, name=None, **labels):
    """Make an image, push it, pin it in the catalog, and forget it here; returns the catalog's entry."""
    held = world.adopt(world.sif(padding, **labels), sign=key)
    name = name or f"t{time.monotonic_ns()}"
    publish.push(held, uri := f"oras://{registry.host}/test/{name}")
    world.store.prune([])
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
    said = CliRunner().invoke(app, ["pull", "cpu", "--squashfs"]).output
    [held] = world.store.held()
    alone = held.path.with_suffix(".sqsh")
    folder = alone.with_suffix(".uenv")
    assert said.split()[-2:] == [str(alone), str(folder)] and held.digest == image.digests[MACHINE]
    told = json.loads((folder / "meta/env.json").read_text())  # where uenv looks, beside store.squashfs
    assert (told["name"], told["mount"], told["views"]) == ("cpu", "/user-environment", {})
    assert told["deeprc"]["digest"] == held.digest and (folder / "store.squashfs").resolve() == alone
    assert (world.store.folder / "cpu.sqsh").resolve() == alone
    start, size = sif.file_system(held.path)
    assert alone.read_bytes() == held.path.read_bytes()[start : start + size]
    assert subprocess.run(["apptainer", "exec", alone, "/bin/seven"], capture_output=True).returncode == 7
    before = alone.stat().st_mtime_ns
    assert world.store.make_squashfs(held) == alone and alone.stat().st_mtime_ns == before
    assert f"{alone}: the file system of {held.path.name}" in CliRunner().invoke(app, ["verify"]).output
    with alone.open("r+b") as handle:
        handle.seek(5000)
        handle.write(b"X")
    assert "not the file system of the image" in str(CliRunner().invoke(app, ["verify"]).exception)
    assert not CliRunner().invoke(app, ["pull", "cpu", "--squashfs"]).exception
    assert world.store.squashfs_fault(held, read=True) is None
    world.store.prune([])
    assert files(world.store) == []


STAND_IN = """#!/bin/sh
# podman-hpc's part that is used here: what it is told, and the file that it would unpack.
echo "$@" >>{folder}/told
case "$1" in
  image) cat {folder}/label 2>/dev/null;;
  import) cp "$4" {folder}/root.tar; echo "${{3#*=}}" >{folder}/label;;
  migrate) [ "$2" = localhost/deeprc/cpu ] && ! [ -e {folder}/broken ];;
esac
"""


def site_with(folder: Path, kind: str) -> str:
    """A site like this machine whose runtime has a store of its own."""
    file = folder / f"{kind}.yaml"
    file.write_text(yaml.safe_dump({**PLAIN, "runtime": {"kind": kind}}))
    return str(file)


def pulled_for(site: str) -> object:
    return CliRunner().invoke(app, ["pull", "--site", site])


def test_podman_hpcs_store_is_filled_and_shifters(world, registry, monkeypatch):
    """By stand-ins for podman-hpc, for Shifter's gateway and for munge: neither machine is here."""
    image = published(world, registry)
    place = world.folder / "place"
    place.mkdir()
    monkeypatch.setattr(shifter, "CONFIGURATION", place / "udiRoot.conf")
    for kind, program in (("podman-hpc", "podman-hpc"), ("shifter", "Shifter")):
        done = pulled_for(site_with(place, kind))
        assert not done.exception and f"{program} is not here: on the site" in done.output, done.exception
    for name, text in (("podman-hpc", STAND_IN.format(folder=place)), ("munge", "#!/bin/sh\necho MUNGE:me\n")):
        (place / name).write_text(text)
        (place / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(place), prepend=":")
    (place / "broken").touch()
    assert "podman-hpc migrate of localhost/deeprc/cpu failed" in str(
        pulled_for(site_with(place, "podman-hpc")).exception
    )
    (place / "broken").unlink()
    (place / "label").unlink()
    address, digest = "localhost/deeprc/cpu", image.digests[MACHINE]
    assert f"{address} is in podman-hpc's store\n" in pulled_for(site_with(place, "podman-hpc")).output
    with tarfile.open(place / "root.tar") as tar:
        members = {member.name: member for member in tar}
        assert {"./bin/seven", "./padding", "./.singularity.d/labels.json"} <= set(members)
        assert {(member.uid, member.gid, member.uname) for member in members.values()} == {(0, 0, "root")}
        assert members["./bin/seven"].mode & 0o111
        assert tar.extractfile("./bin/seven").read() == world.seven.read_bytes()
    assert (place / "label").read_text().strip() == digest
    assert f"{address} is in podman-hpc's store already" in pulled_for(site_with(place, "podman-hpc")).output
    assert (place / "told").read_text().splitlines()[-3].startswith(f"import --change LABEL deeprc.digest={digest} /")
    gateway = Gateway(("127.0.0.1", 0), Import)
    threading.Thread(target=gateway.serve_forever, daemon=True).start()
    (place / "udiRoot.conf").write_text(f"# imageGateway=x\nimageGateway=http://127.0.0.1:{gateway.server_port}\n")
    assert "Shifter's gateway cannot read the image" in str(pulled_for(site_with(place, "shifter")).exception)
    monkeypatch.setattr(shifter, "unreadable", lambda folder: None)  # pytest's own folders are closed to others
    assert "no gateway of images is named" in str(pulled_for(site_with(place, "shifter")).exception)
    with (place / "udiRoot.conf").open("a") as file:
        file.write("system=perlmutter\n")
    done = pulled_for(site_with(place, "shifter"))
    assert "custom:deeprc/cpu:latest is imported" in done.output, done.exception
    [held] = world.store.held()
    assert gateway.asked == ("/api/doimport/perlmutter/custom/deeprc/cpu:latest/", "MUNGE:me", {
        "filepath": str(held.path.with_suffix(".sqsh")), "format": "squashfs",
    })  # fmt: skip
    gateway.code = 404
    done = pulled_for(site_with(place, "shifter"))
    assert "did not import" in str(done.exception) and "ImportUsers" in str(done.exception)
    gateway.shutdown()
    gateway.server_close()


class Gateway(ThreadingHTTPServer):
    code, asked = 200, None


class Import(BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked = (self.path, self.headers["authentication"], body)
        self.send_response(self.server.code)
        self.end_headers()

    def log_message(self, *arguments):
        pass


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
    assert Registry(done.index).digest("0", other)[0] == helds[other].digest
    if MACHINE == "x86_64":  # 1.4 always takes that; 1.5 its machine's, or that of --arch
        subprocess.run(
            ["apptainer", "pull", "--no-https", tmp_path / "own.sif", f"{place}:0"], check=True, capture_output=True
        )
        assert sif.digest(tmp_path / "own.sif") == helds[MACHINE].digest
    newer = world.adopt(world.sif())
    assert publish.push(newer, f"{place}:0").digests == {MACHINE: newer.digest, other: helds[other].digest}
    with pytest.raises(RegistryError, match="no image for ppc64le"):
        Registry(done.index).digest("0", "ppc64le")


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


def test_what_is_here_is_signed_with_a_key_that_has_a_passphrase(world, closed_key, monkeypatch):
    def deeprc(*arguments: str) -> object:
        return CliRunner().invoke(app, ["sign", "cpu", *map(str, arguments)])

    monkeypatch.setenv("APPTAINER_KEYSDIR", str(closed_key.folder))
    held = world.adopt(world.sif())
    name, words = closed_key.fingerprint.lower(), world.folder / "words"
    assert "the key has a passphrase" in str(deeprc(name).exception)
    words.write_text("wrong\n")
    assert "its passphrase is another one" in str(deeprc(name, "--passphrase-file", words).exception)
    words.write_text("open sesame\n")
    assert not (done := deeprc(name, "--passphrase-file", words)).exception, done.exception
    signed = world.store.find("cpu", MACHINE)
    assert (signed.signed_by, signed.source) == (closed_key.fingerprint, "built") and signed.digest != held.digest
    assert transfer.check_signature(signed.path, closed_key.fingerprint) == closed_key.fingerprint
    again = deeprc(f"0x{closed_key.fingerprint}", "--passphrase-file", words)
    assert not again.exception and len(world.store.held()) == 2
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
    assert "built today" in deeprc("verify", str(held.path)) and "built today" in deeprc("verify")
    with (world.folder / "node" / "x").open("wb") as handle:
        handle.write(held.path.read_bytes()[:-1])
    good = world.adopt(world.sif(), sign=key)
    held.path.write_bytes((world.folder / "node" / "x").read_bytes())
    done = CliRunner().invoke(app, ["verify"])
    assert str(good.path) in done.output and "was changed after" in str(done.exception), "one keeps no others back"
    held.path.unlink()
    assert "did you mean 'cpu'" in deeprc("verify", "cpu-mpch", fails=True)
