"""`deeprc image …`."""

from __future__ import annotations

import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from deeprc.core.errors import ConfigError, unknown
from deeprc.images import apptainer, labels, sif, transfer
from deeprc.images.build import Recipe, build
from deeprc.images.catalog import Catalog, Image, load_catalog
from deeprc.images.errors import ImageError
from deeprc.images.site import require, store_of
from deeprc.images.store import SQUASHFS, Held, Store
from deeprc.images.workspace import sweep
from deeprc.launch.choose import candidates
from deeprc.launch.nodecopy import copying, own_folder
from deeprc.launch.runtimes import suffix
from deeprc.launch.text import shell_word
from deeprc.sites import Site, load_site
from deeprc.sites.identity import matches
from deeprc.spack.tree import spack_folder

app = typer.Typer(no_args_is_help=True, help="Images: build, publish, pull and check them.")

Json = Annotated[bool, typer.Option("--json", help="print JSON")]
Name = Annotated[str, typer.Argument(help="a variant of the catalog (`deeprc image list`)")]
SiteOption = Annotated[str | None, typer.Option("--site", help="a known site, or the path of a site.yaml")]
PartitionOption = Annotated[str | None, typer.Option("--partition", help="one of the site's partitions; else all")]
Architecture = Annotated[str, typer.Option("--arch", help="x86_64, aarch64 or ppc64le; this machine's, if not given")]
MACHINE = platform.machine()


@app.command("list")
def list_images(site: SiteOption = None, partition: PartitionOption = None, as_json: Json = False) -> None:
    """List the catalog, and what of it is here; with a site, which image it takes, and why.

    Example: `deeprc image list --site frontier`
    """
    catalog = load_catalog()
    where = load_site(site) if site else None
    store = store_of(where)
    rows = verdicts(catalog, where, partition) if where else [_row(image, store, MACHINE) for image in catalog.images]
    if as_json:
        typer.echo(json.dumps(rows, indent=1))
        return
    if where and not rows:
        typer.echo(f"{where.name} runs no images: its site file says `runtime: {{kind: none}}`")
        return
    if where:
        table = Table("", "image", "partition", "verdict", "why")
        for row in rows:
            table.add_row("→" if row["chosen"] else "", row["name"], row["partition"], row["verdict"], row["reason"])
    else:
        table = Table("image", "architectures", "MPI", "accelerator", "stages", "here")
        for row in rows:
            table.add_row(
                row["name"], " ".join(row["architectures"]), row["mpi"], row["accelerator"], " ".join(row["stages"]),
                row["path"] or row["passed_over"] or ("published" if row["uri"] else "not published"),
            )  # fmt: skip
    Console().print(table)


@app.command("build")
def build_image(
    name: Name,
    stages: Annotated[str | None, typer.Option(help="only these, separated by commas, for a smaller image")] = None,
    sign: Annotated[str | None, typer.Option(help="fingerprint of the secret key to sign it with")] = None,
    mirror: Annotated[str | None, typer.Option(help="mirror of Debian; apt's own, if not given")] = None,
    spack: Annotated[Path | None, typer.Option(help="a Spack checkout (spack route)")] = None,
    spack_packages: Annotated[Path | None, typer.Option(help="a checkout of spack-packages (spack route)")] = None,
    spack_env: Annotated[Path | None, typer.Option(help="the project's spack-env folder (spack route)")] = None,
    micromamba: Annotated[Path | None, typer.Option(help="the program micromamba (cylon)")] = None,
    definition: Annotated[bool, typer.Option("--definition", help="only print the definition")] = False,
) -> None:
    """Build an image here, test it, and keep it in the store.

    Example: `deeprc image build cpu-mpich --stages frames`
    """
    recipe = Recipe(
        load_catalog().image(name), stages.split(",") if stages else [], spack=spack, micromamba=micromamba,
        spack_packages=spack_packages, spack_env=spack_env or spack_folder(),
    )  # fmt: skip
    if definition:
        typer.echo(recipe.render(), nl=False)
        return
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a job's end: what was begun is removed, as by Ctrl-C
    held = build(recipe, Store(), mirror=mirror, sign=sign, say=lambda line: typer.echo(line, err=True))
    _show(held)


@app.command()
def pull(
    name: Annotated[str | None, typer.Argument(help="a variant of the catalog; or give --site")] = None,
    site: SiteOption = None,
    partition: PartitionOption = None,
    source: Annotated[str | None, typer.Option("--from", help="oras://HOST/REPOSITORY, not the catalog's")] = None,
    digest: Annotated[str | None, typer.Option(help="sha256:…, not the catalog's")] = None,
    arch: Architecture = MACHINE,
    to: Annotated[Path | None, typer.Option(help="put it into this folder (a facility's shared one)")] = None,
    account: Annotated[str | None, typer.Option(help="whom a job that pulls is charged to")] = None,
    minutes: Annotated[int, typer.Option(min=1, help="how long such a job may take")] = 30,
    here: Annotated[bool, typer.Option("--here", help="never in a job: fetch on this machine")] = False,
    squashfs: Annotated[bool, typer.Option("--squashfs", help="NAME.sqsh, too, for runtimes without SIF")] = False,
) -> None:
    """Get the images of a site, or one image, by digest; nothing is fetched that is here already.

    On a site whose compute nodes alone have the runtime, a job of one node pulls. Example:
    `deeprc image pull --site vista --account ABC123`
    """
    if (name is None) == (site is None):
        raise ConfigError("which image?", fix="name a variant, or a site with --site")
    catalog, where = load_catalog(), load_site(site) if site else None
    chosen = [(catalog.image(name), arch)] if name else _of_site(catalog, where, partition)
    wanted = [(transfer.entry(image, each, source=source, digest=digest), each) for image, each in chosen]
    store = Store(to, shared=[]) if to else store_of(where)
    if where and not here and _elsewhere(where):
        from deeprc.pilot import errand  # not for every `deeprc image list`

        found = errand.pull(
            where, wanted, partition=partition, account=account, minutes=minutes, store=store,
            say=lambda line: typer.echo(line, err=True),
        )  # fmt: skip
    else:
        found = [transfer.pull(image, store, each, progress=_progress(image.name)) for image, each in wanted]
    squashfs = squashfs or (where is not None and suffix(where.runtime.kind) == SQUASHFS)
    for held in found:
        _show(held)
        if squashfs:
            typer.echo(f"  {store.make_squashfs(held)}")


@app.command()
def push(
    name: Name,
    destination: Annotated[str, typer.Argument(help="oras://HOST/REPOSITORY[:TAG]")],
    arch: Architecture = MACHINE,
) -> None:
    """Publish an image that is here, and print what its catalog entry then needs.

    Example: `deeprc image push cpu-mpich oras://registry.example.org/deeprc/cpu-mpich`
    """
    held = _here(Store(), name, arch)
    address = transfer.push(held, destination)
    typer.echo(f"{address}\n\nIn the catalog, for {name}:\n    uri: {address.rsplit(':', 1)[0]}")
    typer.echo(f"    digests: {{{held.architecture}: {held.digest}}}")
    if held.signed_by:
        typer.echo(f"    key: {held.signed_by}")


@app.command()
def verify(
    names: Annotated[list[str] | None, typer.Argument(help="variants or SIF files; else all that are here")] = None,
    site: SiteOption = None,
    arch: Architecture = MACHINE,
) -> None:
    """Read images whole and check digest, architecture, labels, and the signature where the catalog names a key.

    Example: `deeprc image verify cpu-mpich`
    """
    catalog, store = load_catalog(), store_of(load_site(site) if site else None)
    known = {image.name: image for image in catalog.images}
    files = [Path(name) for name in names or [] if os.sep in name or name.endswith(".sif")]
    helds = [_here(store, name, arch) for name in names or [] if Path(name) not in files] if names else store.held()
    for held in helds:
        store.unchanged(held, read=True)
        if image := known.get(held.name):
            transfer.check(held.path, image, held.architecture)
        doubt = f"; {held.doubt}: only a digest that the catalog pins is believed" if held.doubt else ""
        typer.echo(f"{held.path}: as it was put here ({held.digest}){_signature(held)}{doubt}")
    for file in files:
        _verify_file(file, catalog)


@app.command()
def prune(
    everything: Annotated[bool, typer.Option("--all", help="also those that the catalog pins")] = False,
) -> None:
    """Remove the user's images that the catalog does not pin any more, and older builds; shared folders stay."""
    store, keep, seen = Store(), [], set()
    pinned = {(i.name, a): d for i in load_catalog().images for a, d in i.digests.items()}
    for held in store.held():  # the newest of each name first
        key = (held.name, held.architecture)
        if held.digest == pinned.get(key) or (key not in pinned and not held.shared and key not in seen):
            keep.append(held)
            seen.add(key)
    removed = [*store.prune([] if everything else keep), *sweep()]
    for path in removed:
        typer.echo(f"removed {path}")
    typer.echo(f"{len(removed)} files and folders removed")


@app.command()
def local(name: Name, site: SiteOption = None, arch: Architecture = MACHINE) -> None:
    """Print the path of an image on this node's own disk, where it is copied to if there is room.

    Example: `apptainer exec $(deeprc image local cpu-mpich) python …`
    """
    where = load_site(site) if site else None
    disk = where.storage.node_local if where and where.storage.node_local else tempfile.gettempdir()
    held = _here(store_of(where), name, arch)
    words = [*copying(str(held.path), own_folder(disk)), "printf", "%s", str(held.path)]
    done = subprocess.run(["bash", "-c", f"exec {' '.join(map(shell_word, words))}"], stdout=subprocess.PIPE, text=True)
    typer.echo(done.stdout)


def verdicts(catalog: Catalog, site: Site, name: str | None = None) -> list[dict]:
    """For each partition every image with its verdict, the chosen one first."""
    rows = []
    for part in [site.partition(name)] if name else site.partitions:
        judged = candidates(catalog, site, part, gpus=part.gpus > 0) if site.runtime.kind != "none" else []
        for number, (image, verdict) in enumerate(judged):
            chosen = number == 0 and verdict.kind != "refuse"
            facts = {"name": image.name, "partition": part.name, "architecture": part.architecture, "chosen": chosen}
            rows.append(facts | {"verdict": verdict.kind, "reason": verdict.reason, "stages": image.stages})
    return rows


def _elsewhere(site: Site) -> bool:
    """Whether this is a login node of a site whose runtime is on compute nodes only: the signature is checked there."""
    return site.runtime.where == "compute" and not apptainer.available() and matches(site)


def _of_site(catalog: Catalog, site: Site, partition: str | None) -> list[tuple[Image, str]]:
    if site.status.state == "retired":
        raise ImageError(f"{site.name} was retired on {site.status.retired}", fix="deeprc sites lists those in service")
    rows = verdicts(catalog, site, partition)
    chosen = dict.fromkeys((row["name"], row["architecture"]) for row in rows if row["chosen"])
    if not chosen:
        fix = f"deeprc image list --site {site.name} says why" if rows else "run without images there"
        raise ImageError(f"no image of the catalog runs on {site.name}", found=site.runtime.kind, fix=fix)
    return [(catalog.image(name), architecture) for name, architecture in chosen]


def _here(store: Store, name: str, architecture: str) -> Held:
    """The image of that name that is here: of the catalog, or one with some of its stages."""
    known = {image.name: image for image in load_catalog().images}
    if name not in known and name not in (names := {held.name for held in store.held()}):
        raise unknown("image", name, names | set(known))
    return require(store, known.get(name, name), architecture)


def _verify_file(file: Path, catalog: Catalog) -> None:
    found = apptainer.labels(file) if sif.architecture(file) else {}
    image = catalog.image(found.get(f"{labels.PREFIX}variant", "an image without labels of Deep RC"))
    transfer.check(file, image, found[f"{labels.PREFIX}architecture"])
    digest, pinned = sif.digest(file), image.digests.get(found[f"{labels.PREFIX}architecture"])
    if pinned and digest != pinned:
        raise ImageError("not the image that the catalog pins", where=file, found=digest, expected=pinned)
    typer.echo(f"{file}: {image.name}, {digest}{f', signed with {image.key}' if image.key else ''}")


def _row(image: Image, store: Store, architecture: str) -> dict:
    held, pinned = store.find(image, architecture), image.digests.get(architecture)
    here = [each for each in store.held() if (each.name, each.architecture) == (image.name, architecture)]
    passed_over = "; ".join(f"passed over: {why}" for each in here if (why := store.why_not(each, pinned)))
    accelerator = image.accelerator
    return {
        "name": image.name,
        "description": image.description,
        "architectures": image.architectures,
        "mpi": f"{image.mpi.implementation} {image.mpi.version}",
        "family": image.mpi.family,
        "accelerator": f"{accelerator.toolkit} {accelerator.version}" if accelerator else "none",
        "stages": image.stages,
        "uri": image.uri,
        "digest": held.digest if held else image.digests.get(architecture),
        "path": str(held.path) if held else None,
        "passed_over": passed_over or None,
    }


def _signature(held: Held) -> str:
    return f", signed with {held.signed_by}" if held.signed_by else ""


def _show(held: Held) -> None:
    typer.echo(f"{held.path}\n  {held.digest}, {held.size / 1e6:.0f} MB{_signature(held)}")


def _progress(name: str) -> transfer.Progress:
    """A line that counts, on terminals only."""
    shown = -1

    def show(done: int, total: int) -> None:
        nonlocal shown
        if sys.stderr.isatty() and (percent := 100 * done // max(total, 1)) != shown:
            shown = percent
            end = "\n" if done >= total else "\r"
            print(f"{name}: {percent} % of {total / 1e6:.0f} MB", end=end, file=sys.stderr, flush=True)

    return show
