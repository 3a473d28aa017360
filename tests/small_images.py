"""Images of a few kilobytes with real labels, the keys that sign them, and the folders that they lie in."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import yaml

from builds import SHIPPED
from deeprc.images import labels, load_catalog, publish, sbom, sif
from deeprc.images.catalog import Catalog, Image
from deeprc.images.store import Held, Store

MACHINE = platform.machine()


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
