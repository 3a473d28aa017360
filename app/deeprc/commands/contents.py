"""`deeprc image sbom`, `bundle` and `install`: what is in images, and images without a network."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path
from typing import Annotated

import typer

from deeprc.images import bundle as bundles
from deeprc.images import sbom as documents
from deeprc.images import verify
from deeprc.images.catalog import load_catalog
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
    names: Annotated[list[str], typer.Argument(help="images that are here")],
    to: Annotated[Path, typer.Option(help="the file to write, which must not be there yet")],
    arch: Architecture = MACHINE,
) -> None:
    """Put images into one file with checksums, their catalog and keys: for machines without a network.

    Example: `deeprc image bundle cpu --to images.tar`
    """
    catalog, store = load_catalog(), Store()
    chosen = [(catalog.find(name) or catalog.image(name), verify.here(store, catalog, name, arch)) for name in names]
    for line in bundles.write(chosen, to):
        typer.echo(line)


def install(
    file: Annotated[Path, typer.Argument(help="what `deeprc image bundle` wrote")],
    names: Annotated[list[str] | None, typer.Argument(help="images of it; all, if not given")] = None,
    to: Annotated[Path | None, typer.Option(help="put them into this folder (a facility's shared one)")] = None,
    offline: Annotated[bool, typer.Option("--offline", help="stated for scripts: it never uses a network")] = True,
) -> None:
    """Take images out of a bundle, each checked as after a pull; nothing else is used.

    Example: `deeprc image install images.tar --offline --to /shared/images`
    """
    store = Store(to, shared=[], public=True) if to else Store()
    for held in bundles.install(file, store, load_catalog(), names or []):
        typer.echo(f"{held.path}\n  {held.digest}, {held.size / 1e6:.0f} MB")
