"""A registry on loopback, keys, small images with real labels, and the real images, each made once."""

from __future__ import annotations

import json
import os
import platform
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

import builds
from builds import KEPT, SHIPPED
from conftest import need
from deeprc.images import apptainer, labels, load_catalog, publish, sbom, sif
from deeprc.images.build import Recipe, build
from deeprc.images.catalog import Catalog, Image
from deeprc.images.store import Held, Store
from slurm_cluster import free_ports

MACHINE = platform.machine()
READER = "reader:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n"  # the password is: secret


@dataclass
class LocalRegistry:
    """Debian's docker-registry on loopback."""

    root: Path
    guarded: bool = False
    port: int = field(default_factory=lambda: free_ports(1)[0])
    process: subprocess.Popen | None = None

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        return self.root / "log"

    def start(self) -> None:
        config = {
            "version": 0.1,
            "log": {"accesslog": {"disabled": False}},
            "storage": {"filesystem": {"rootdirectory": str(self.root / "data")}},
            "http": {"addr": self.host},
        }
        if self.guarded:
            (self.root / "htpasswd").write_text(READER)
            config["auth"] = {"htpasswd": {"realm": "tests", "path": str(self.root / "htpasswd")}}
        (self.root / "config.yml").write_text(yaml.safe_dump(config))
        with self.log.open("a") as log:
            command = ["docker-registry", "serve", str(self.root / "config.yml")]
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                assert time.monotonic() < deadline and self.process.poll() is None, self.log.read_text()
                time.sleep(0.05)

    def stop(self) -> None:
        if self.process:
            self.process.terminate()
            self.process.wait(30)
            self.process = None

    def blob(self, digest: str) -> Path:
        """Where the registry keeps the bytes."""
        code = digest.removeprefix("sha256:")
        return self.root / "data/docker/registry/v2/blobs/sha256" / code[:2] / code / "data"

    def requests(self, digest: str) -> list[int]:
        """The status of each request for the bytes of an image (a pull's, not a push's)."""
        lines = [line for line in self.log.read_text().splitlines() if '"GET /v2/' in line and digest in line]
        return [int(line.split('" ')[1].split()[0]) for line in lines]


@pytest.fixture(scope="session")
def registry(tmp_path_factory):
    """A running registry."""
    need("registry")
    made = LocalRegistry(tmp_path_factory.mktemp("registry"))
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="session")
def guarded(tmp_path_factory):
    """One that lets nobody in but `reader` with the password `secret`."""
    need("registry")
    made = LocalRegistry(tmp_path_factory.mktemp("guarded"), guarded=True)
    made.start()
    yield made
    made.stop()


@dataclass
class Key:
    """A key: its keyring, its fingerprint, and the file of its public half."""

    folder: Path
    fingerprint: str
    public: Path


def make_key(folder: Path, name: str, passphrase: str = "") -> Key:
    folder.chmod(0o700)
    environment = {**os.environ, "APPTAINER_KEYSDIR": str(folder)}
    options = ["--name", name, "--email", f"{name}@example.org", "--comment", "", "--password", passphrase]
    options += ["--push=false", "--bit-length", "2048"]
    run = {"check": True, "capture_output": True, "text": True, "env": environment, "timeout": 120}
    subprocess.run(["apptainer", "key", "newpair", *options], input="\n", **run)
    listing = subprocess.run(["apptainer", "key", "list", "--secret"], **run).stdout
    fingerprint = listing.split("Fingerprint:")[1].split()[0]
    public = folder / "public.asc"
    subprocess.run(["apptainer", "key", "export", "--armor", str(public)], input="0\n", **run)
    return Key(folder, fingerprint, public)


@pytest.fixture(scope="session")
def key(tmp_path_factory) -> Key:
    """The publisher's key."""
    need("apptainer")
    return make_key(tmp_path_factory.mktemp("keys"), "publisher")


@pytest.fixture(scope="session")
def other_key(tmp_path_factory) -> Key:
    """Somebody else's key."""
    need("apptainer")
    return make_key(tmp_path_factory.mktemp("other-keys"), "somebody")


@pytest.fixture(scope="session")
def closed_key(tmp_path_factory) -> Key:
    """A key with the passphrase `open sesame`."""
    need("apptainer")
    return make_key(tmp_path_factory.mktemp("closed-keys"), "careful", "open sesame")


@pytest.fixture(scope="session")
def seven(tmp_path_factory) -> Path:
    """A static program that ends with 7."""
    need("apptainer")
    folder = tmp_path_factory.mktemp("seven")
    (folder / "main.c").write_text("int main(void){return 7;}")
    subprocess.run(["gcc", "-static", "-o", folder / "seven", folder / "main.c"], check=True)
    return folder / "seven"


@dataclass
class World:
    """A catalog of our own with one image in it, a store, and small images that carry its labels."""

    folder: Path
    seven: Path

    @property
    def catalog_file(self) -> Path:
        return self.folder / "containers" / "catalog.yaml"

    @property
    def store(self) -> Store:
        return Store(self.folder / "images", [])

    @property
    def image(self) -> Image:
        return load_catalog(self.catalog_file).image("cpu")

    def publish(self, **changes: object) -> Image:
        """Write the catalog: the shipped entry with these changes."""
        image = load_catalog(SHIPPED).image("cpu").model_copy(update=changes)
        text = yaml.safe_dump(Catalog(images=[image]).model_dump(mode="json"))
        self.catalog_file.write_text(text)
        return self.image

    def trust(self, key: Key) -> None:
        """Put a public key beside the catalog."""
        (self.catalog_file.parent / "keys").mkdir(exist_ok=True)
        shutil.copy(key.public, self.catalog_file.parent / "keys" / f"{key.fingerprint}.asc")

    def sif(self, padding: int = 0, **changed: str) -> Path:
        """A small image that says of itself what the catalog says; `padding` random bytes make it larger."""
        image, name = load_catalog(SHIPPED).image("cpu"), f"{time.monotonic_ns()}"
        facts = labels.of(image, stages=image.stages, architecture=MACHINE, version="0", content=name) | changed
        (self.folder / f"{name}.bin").write_bytes(os.urandom(padding + 16))
        lines = ["Bootstrap: scratch", "%setup", "    mkdir -p ${APPTAINER_ROOTFS}/bin", "%files"]
        lines += [f"    {self.seven} /bin/seven", f"    {self.folder}/{name}.bin /padding", "%labels"]
        lines += [f"    {key} {value}" for key, value in facts.items()]
        definition, made = self.folder / f"{name}.def", self.folder / f"{name}.sif"
        definition.write_text("\n".join(lines) + "\n")
        subprocess.run(["apptainer", "build", made, definition], check=True, capture_output=True, timeout=120)
        properties = [{"name": key, "value": value} for key, value in facts.items()]
        rows = [{"type": "library", "name": key, "version": value or "1"} for key, value in sbom.wanted(image)]
        document = {"metadata": {"component": {"name": image.name, "properties": properties}}, "components": rows}
        (self.folder / sbom.SBOM).write_text(json.dumps(document))
        add = [
            "apptainer",
            "sif",
            "add",
            "--datatype",
            "9",
            "--sbomformat",
            "cyclonedx-json",
            "--groupid",
            "1",
            "--filename",
            sbom.SBOM,
        ]
        subprocess.run([*add, made, self.folder / sbom.SBOM], check=True, capture_output=True, timeout=120)
        return made

    def adopt(self, path: Path, *, sign: Key | None = None, name: str = "cpu", arch: str = MACHINE) -> Held:
        """Take an image into the store, as a build does."""
        if sign:
            environment = {**os.environ, "APPTAINER_KEYSDIR": str(sign.folder)}
            command = ["apptainer", "sign", "--keyidx", "0", path]
            subprocess.run(command, check=True, capture_output=True, input=b"\n", env=environment, timeout=120)
        store, temporary = self.store, self.store.folder / ".new.tmp"
        store.folder.mkdir(exist_ok=True)
        shutil.copy(path, temporary)
        signed_by = sign.fingerprint if sign else None
        return store.adopt(temporary, name, arch, sif.digest(temporary), source="built", signed_by=signed_by)


@pytest.fixture
def world(tmp_path: Path, seven: Path, monkeypatch) -> World:
    """A world of its own for a test; no key of this machine's user is known in it."""
    made = World(tmp_path, seven)
    made.catalog_file.parent.mkdir()
    made.publish()
    keys = tmp_path / "no-keys"
    keys.mkdir(mode=0o700)
    monkeypatch.setenv("DEEPRC_CATALOG", str(made.catalog_file))
    monkeypatch.setenv("DEEPRC_IMAGES", str(made.store.folder))
    monkeypatch.setenv("APPTAINER_KEYSDIR", str(keys))
    monkeypatch.delenv("DEEPRC_SHARED_IMAGES", raising=False)
    return made


def pytest_collection_finish(session: pytest.Session) -> None:
    """Begin to build the images that are asked for; of two processes none does, see beside.py."""
    if not session.config.option.collectonly and not hasattr(session.config, "workerinput"):
        builds.begin({name for item in session.items for name in getattr(item, "fixturenames", ())})


@pytest.fixture(scope="session")
def build_store():
    """Where the real images are kept from session to session: what did not change is not built again."""
    need("apptainer")
    store = Store(KEPT, [])
    yield store
    newest = {held.name: held for held in reversed(store.held())}
    store.prune(newest.values())


@pytest.fixture(scope="session")
def cpu_image(build_store: Store) -> Held:
    """The whole image cpu."""
    return build(Recipe(load_catalog(SHIPPED).image("cpu")), build_store)


@dataclass
class Publication:
    """An image that is published and pinned: the file of its catalog, and its digest."""

    catalog: Path
    digest: str


@pytest.fixture(scope="session")
def publication(cpu_image: Held, registry: LocalRegistry, key: Key, tmp_path_factory) -> Publication:
    """The whole image cpu, signed, in the registry and nowhere else, and the catalog with its key."""
    folder = tmp_path_factory.mktemp("publication")
    builder = Store(folder / "builder", [])
    builder.folder.mkdir()
    temporary = builder.folder / ".new.tmp"
    shutil.copy(cpu_image.path, temporary)
    own = {"APPTAINER_KEYSDIR": str(key.folder)}
    apptainer.run("sign", "--keyidx", "0", temporary, what="signing", timeout=300, **own)
    held = builder.adopt(temporary, "cpu", MACHINE, sif.digest(temporary), source="built")
    publish.push(held, uri := f"oras://{registry.host}/deeprc/cpu")
    shutil.rmtree(builder.folder)
    entry = {"uri": uri, "digests": {MACHINE: held.digest}, "key": key.fingerprint}
    images = [
        image.model_copy(update=entry) if image.name == "cpu" else image for image in load_catalog(SHIPPED).images
    ]
    catalog = folder / "containers" / "catalog.yaml"
    (catalog.parent / "keys").mkdir(parents=True)
    catalog.write_text(yaml.safe_dump(Catalog(images=images).model_dump(mode="json")))
    shutil.copy(key.public, catalog.parent / "keys" / f"{key.fingerprint}.asc")
    return Publication(catalog, held.digest)


@pytest.fixture(scope="session")
def frames_image(build_store: Store) -> Held:
    """The image for dataframes alone, which is the small one."""
    return build(Recipe(load_catalog(SHIPPED).image("cpu"), ["frames"]), build_store)
