"""Publishing an image: its bytes, a manifest as Apptainer writes it, and an index over processors."""

from __future__ import annotations

import contextlib
import hashlib
import json
import textwrap
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from deeprc.images import apptainer, documents, labels, sif, transfer, whole
from deeprc.images.catalog import Image, load_catalog
from deeprc.images.errors import ImageError, RegistryError
from deeprc.images.held import BUILT, Held
from deeprc.images.registry import INDEX, MANIFEST, PROCESSORS, SIF_LAYER, AbsentError, Address, Body, ImageRegistry
from deeprc.images.store import Store

CONFIG, EMPTY = "application/vnd.sylabs.sif.config.v1+json", b"{}"
NOTHING = "application/vnd.oci.empty.v1+json"  # the configuration of an artifact that has none
PATIENCE = 20  # times the usual, while a registry looks at what it was sent
ATTEMPTS = 3  # to enter the index, while others enter it
LATEST = "latest"  # the index of images that do not say their release


@dataclass(frozen=True)
class Published:
    """Where an image is.

    Attributes
    ----------
    address
        The image's own, with a tag of its architecture and digest.
    index
        That of the release's images for all processors: Apptainer takes the one for its machine.
    digests
        Of the SIF files in the index, by architecture.
    """

    address: Address
    index: Address
    digests: dict[str, str]


def tag(architecture: str, digest: str) -> str:
    """The tag that an image gets: its digest stays readable, and architectures stay apart."""
    return f"{architecture}-{digest.removeprefix('sha256:')[:16]}"


def newest(store: Store, name: str, architecture: str) -> Held:
    """What a push publishes: the newest that was built here, whatever the catalog pins; else the newest that is here.

    Raises
    ------
    ImageError
        Where none of that name is here, or it is damaged: it is read whole.
    """
    mine = [held for held in store.held() if (held.name, held.architecture) == (name, architecture) and not held.shared]
    chosen = next((held for held in mine if held.source == BUILT), mine[0] if mine else None)
    if chosen is None:
        where, fix = store.folder, load_catalog().advice(name, architecture)
        raise ImageError(f"image {name} for {architecture} is not here", where=where, fix=fix)
    return whole.require(store, chosen)


def catalog_lines(image: Image, published: Published, held: Held) -> str:
    """What the catalog needs so that everybody gets what was published: lines of its entry, or one of its own."""
    facts = {
        "uri": str(replace(published.address, tag=None)),
        "digests": published.digests,
        "key": held.signed_by or image.key,
    }
    if image.name in [each.name for each in load_catalog().images]:
        lines = yaml.safe_dump({name: value for name, value in facts.items() if value}, sort_keys=False, width=200)
        return f"In the catalog, for {image.name}:\n{textwrap.indent(lines, '    ')}"
    entry = {**image.model_dump(mode="json", exclude_defaults=True), **facts}
    lines = yaml.safe_dump([entry], sort_keys=False, width=200)
    return f"In the catalog, an entry of its own, after the one of the whole image:\n{textwrap.indent(lines, '  ')}"


def notices(image: Image, held: Held) -> Iterator[str]:
    """What whoever publishes should know before: that it was not verified, or that no signature will be asked for.

    Raises
    ------
    ImageError
        Where the catalog names a key, and the image is not signed with it: everybody's pull would refuse it.
    """
    if image.key and held.signed_by != image.key:
        transfer.check_signature(held.path, image.key)
    if why := held.told(image.digests.get(held.architecture)):
        yield f"warning: {held.path.name} is {why}: nobody but the bundle that it came in says what it must be"
    if not (image.key or held.signed_by):
        claimed = ", ".join(sorted(sif.signers(held.path)))
        why = f"says that it is signed with {claimed}, which nobody checked" if claimed else "is not signed"
        yield f"notice: {held.path.name} {why}: the catalog's lines name no key"


def push(held: Held, destination: str) -> Published:
    """Publish an image, and enter it into the index of its release (or the tag of `destination`).

    Raises
    ------
    RegistryError
        Where the registry does not let us write: told before anything is uploaded.
    """
    named = Address.parse(destination)
    address = Address(named.host, named.repository, tag(held.architecture, held.digest))
    registry = ImageRegistry(address, write=True)
    layer = _upload(registry, held.digest, held.path.stat().st_size, lambda: held.path.open("rb"))
    config = _upload(registry, _digest(EMPTY), len(EMPTY), lambda: EMPTY)
    title = {"org.opencontainers.image.title": held.path.name}
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": {"mediaType": CONFIG, **config}}
    manifest["layers"] = [{"mediaType": SIF_LAYER, **layer, "annotations": title}]
    entry = _put(registry, address.tag, manifest)
    for suffix, text in documents.of(held.path, held.path.name, held.digest).items():
        its_tag = f"{address.tag}{suffix.removesuffix('.json')}"
        _attach(registry, {"mediaType": MANIFEST, **entry}, its_tag, documents.TYPES[suffix], text)
    published, _ = registry.digest(address.tag)
    if published != held.digest:
        raise RegistryError("the registry holds something else now", found=published, expected=held.digest)
    index = Address(named.host, named.repository, named.tag or _release(held.path))
    entry |= {"mediaType": MANIFEST, "platform": {"os": "linux", "architecture": PROCESSORS[held.architecture]}}
    _enter(registry, index.tag, entry)
    names = {word: architecture for architecture, word in PROCESSORS.items()}
    rows = [row["platform"]["architecture"] for row in registry.manifest(index.tag)["manifests"]]
    digests = {names[row]: registry.digest(index.tag, names[row])[0] for row in rows if row in names}
    return Published(address, index, digests)


def _upload(registry: ImageRegistry, digest: str, size: int, body: Body) -> dict[str, object]:
    """Send a blob where the registry does not have it yet; its descriptor."""
    octets = {"Content-Type": "application/octet-stream"}
    with registry.open("/blobs/uploads/", octets, method="POST", body=lambda: b"") as answer:
        place = urllib.parse.urljoin(f"{registry.root}/", answer.headers["Location"])  # who may not write was refused
    try:
        registry.open(f"/blobs/{digest}", method="HEAD").close()
    except AbsentError:
        parts = urllib.parse.urlsplit(place)
        query = urllib.parse.urlencode([*urllib.parse.parse_qsl(parts.query), ("digest", digest)])
        url = urllib.parse.urlunsplit(parts._replace(query=query))
        headers = {**octets, "Content-Length": str(size)}
        registry.open(url, headers, method="PUT", body=body, patience=PATIENCE).close()
    else:
        with contextlib.suppress(RegistryError):  # it forgets uploads by itself
            registry.open(place, method="DELETE").close()
    return {"digest": digest, "size": size}


def _attach(registry: ImageRegistry, image: dict, tag: str, kind: str, text: bytes) -> None:
    """Put a document of an image there: an artifact (OCI 1.1) that names the image, under a tag of its own."""
    config = {"mediaType": NOTHING, **_upload(registry, _digest(EMPTY), len(EMPTY), lambda: EMPTY)}
    layer = {"mediaType": kind, **_upload(registry, _digest(text), len(text), lambda: text)}
    layer["annotations"] = {"org.opencontainers.image.title": f"{tag}.json"}
    artifact = {"schemaVersion": 2, "mediaType": MANIFEST, "artifactType": kind, "config": config}
    _put(registry, tag, {**artifact, "layers": [layer], "subject": image})


def _enter(registry: ImageRegistry, name: str, entry: dict) -> None:
    """Put an entry into an index, in the place of the one for its processor; other processors' stay."""
    for _ in range(ATTEMPTS):
        others = [row for row in _entries(registry, name) if row.get("platform") != entry["platform"]]
        rows = sorted([*others, entry], key=lambda row: row["platform"]["architecture"])
        _put(registry, name, {"schemaVersion": 2, "mediaType": INDEX, "manifests": rows})
        if entry in _entries(registry, name):  # nobody has written his own in the meantime
            return
    raise RegistryError("others write to this index", where=registry.address, fix="push again")


def _entries(registry: ImageRegistry, name: str) -> list[dict]:
    try:
        found = registry.manifest(name)
    except AbsentError:
        return []
    return found["manifests"] if found.get("mediaType") == INDEX else []


def _put(registry: ImageRegistry, name: str, content: dict) -> dict[str, object]:
    """Put a manifest or an index there under a name; its descriptor."""
    text = json.dumps(content).encode()
    headers = {"Content-Type": content["mediaType"]}
    registry.open(f"/manifests/{name}", headers, method="PUT", body=lambda: text, patience=PATIENCE).close()
    return {"digest": _digest(text), "size": len(text)}


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _release(path: Path) -> str:
    """The release that an image says it is of."""
    return apptainer.labels(path).get(f"{labels.PREFIX}version", LATEST) if apptainer.available() else LATEST
