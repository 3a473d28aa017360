"""`deeprc image sbom`, `bundle` and `install`: what is in images, and images without a network."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from deeprc.commands import shown
from deeprc.core.errors import ConfigError
from deeprc.images import bundle as bundles
from deeprc.images import debian, supplies, transfer, verify
from deeprc.images import sbom as documents
from deeprc.images.build import Recipe, base_image
from deeprc.images.catalog import Catalog, load_catalog
from deeprc.images.store import Store

Architecture = Annotated[str, typer.Option("--arch", help="x86_64, aarch64 or ppc64le; this machine's, if not given")]
MACHINE = platform.machine()


def sbom(
    name: Annotated[str, typer.Argument(help="an image that is here, or the path of a SIF file")],
    licences: Annotated[bool, typer.Option("--licences", help="the packages under each licence, for people")] = False,
    provenance: Annotated[bool, typer.Option("--provenance", help="where it comes from (SLSA), instead")] = False,
    arch: Architecture = MACHINE,
) -> None:
    """Print what an image says is in it: Debian's packages, wheels and what Spack built (CycloneDX).

    Example: `deeprc image sbom cpu --licences`
    """
    file = os.sep in name or name.endswith(".sif")
    path = Path(name) if file else verify.here(Store(), load_catalog(), name, arch).path
    found = documents.read(path, documents.PROVENANCE if provenance else documents.SBOM)
    if not licences:
        typer.echo(json.dumps(found, indent=1, sort_keys=True))
        return
    for licence, packages in documents.licences(found).items():
        typer.echo(f"{licence}: {', '.join(packages)}")


def bundle(
    names: Annotated[list[str], typer.Argument(help="images that are here; with --for-build one of the catalog")],
    to: Annotated[Path, typer.Option(help="the file to write, which must not be there yet")],
    for_build: Annotated[
        bool, typer.Option("--for-build", help="all that its build needs, instead; of wheels only")
    ] = False,
    stages: Annotated[str | None, typer.Option(help="with --for-build: only these, separated by commas")] = None,
    arch: Architecture = MACHINE,
) -> None:
    """Put images into one file with checksums, their catalog and keys, or what a build needs.

    For machines without a network. Example: `deeprc image bundle cpu --to images.tar`
    """
    catalog, store = load_catalog(), Store()
    if for_build:
        for line in _for_build(catalog, store, names, to, stages):
            typer.echo(line)
        return
    if stages:
        raise ConfigError("--stages goes with --for-build", fix="an image with some stages has a name: cpu-frames")
    chosen = [(catalog.find(name) or catalog.image(name), verify.here(store, catalog, name, arch)) for name in names]
    for line in bundles.write(chosen, to):
        typer.echo(line)


def _for_build(catalog: Catalog, store: Store, names: list[str], to: Path, stages: str | None) -> Iterator[str]:
    if len(names) > 1:
        raise ConfigError("an archive is for the build of one image", found=", ".join(names), fix="write one for each")
    image, limited = catalog.whole(names[0])
    recipe, sources = Recipe(image, stages.split(",") if stages else limited), debian.lines()
    supplies.check(recipe, to)
    base = base_image(store, sources, say=lambda line: typer.echo(line, err=True))
    return supplies.write(recipe, base, sources, to)


def install(
    file: Annotated[Path, typer.Argument(help="what `deeprc image bundle` wrote")],
    names: Annotated[list[str] | None, typer.Argument(help="images of it; all, if not given")] = None,
    to: Annotated[Path | None, typer.Option(help="put them into this folder (a facility's shared one)")] = None,
    offline: Annotated[bool, typer.Option("--offline", help="stated for scripts: it never uses a network")] = True,
    digest: Annotated[list[str] | None, typer.Option(help="sha256:… that an image must have")] = None,
    unverified: Annotated[bool, typer.Option("--unverified", help="although nothing says what it must be")] = False,
) -> None:
    """Take images out of a bundle, each checked as after a pull; nothing else is used.

    As with `pull`, the catalog here pins the digest or names the key, or you give the digest.

    Example: `deeprc image install images.tar --offline --to /shared/images`
    """
    store = Store(to, shared=[], public=True) if to else Store()
    catalog = load_catalog()
    known = set(map(transfer.require_digest, digest or []))
    for held in bundles.install(file, store, catalog, names or [], digests=known, unverified=unverified):
        shown.show(held)
        if held.unverified:
            typer.echo(f"warning: {held.name} is NOT VERIFIED", err=True)
