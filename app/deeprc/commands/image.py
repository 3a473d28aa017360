"""`deeprc image …`."""

from __future__ import annotations

import json
import platform
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Column, Table

from deeprc.commands import contents, shown
from deeprc.core.commandline import CommandLine
from deeprc.core.errors import ConfigError
from deeprc.images import age, apptainer, debian, listing, publish, shared, sif, sign, transfer, trust, verify, whole
from deeprc.images.build import Recipe, build
from deeprc.images.catalog import load_catalog
from deeprc.images.errors import ImageError
from deeprc.images.registry import Address
from deeprc.images.site import store_of
from deeprc.images.store import Store
from deeprc.images.workspace import sweep
from deeprc.launch.images import made_for, taken, verdicts
from deeprc.launch.nodecopy import copying
from deeprc.launch.text import shell_word
from deeprc.sites import Site, load_site
from deeprc.sites.identity import matches
from deeprc.spack.tree import spack_folder

app = CommandLine(no_args_is_help=True, help="Images: build, publish, pull and check them.")
for command in (contents.sbom, contents.bundle, contents.install):
    app.command()(command)

Json = Annotated[bool, typer.Option("--json", help="print JSON")]
Name = Annotated[str, typer.Argument(help="a variant of the catalog (`deeprc image list`)")]
SiteOption = Annotated[str | None, typer.Option("--site", help="a known site, or the path of a site.yaml")]
PartitionOption = Annotated[str | None, typer.Option("--partition", help="one of the site's partitions; else all")]
Architecture = Annotated[str, typer.Option("--arch", help="x86_64, aarch64 or ppc64le; this machine's, if not given")]
Mirror = Annotated[str | None, typer.Option(help="mirror of Debian; apt's own, if not given")]
Security = Annotated[str | None, typer.Option(help="mirror of Debian's security suite; apt's own, if not given")]
Passphrase = Annotated[Path | None, typer.Option(help="a file with the key's passphrase; asked for, if not given")]
MACHINE = platform.machine()


@app.command("list")
def list_images(site: SiteOption = None, partition: PartitionOption = None, as_json: Json = False) -> None:
    """List the catalog, and what of it is here; with a site, which image it takes, and why.

    Example: `deeprc image list --site frontier`
    """
    catalog = load_catalog()
    where = load_site(site) if site else None
    store = store_of(where)
    rows = verdicts(catalog, where, partition) if where else listing.rows(catalog, store, MACHINE)
    if as_json:
        typer.echo(json.dumps(rows, indent=1))
        return
    if where and not rows:
        typer.echo(f"{where.name} runs no images: its site file says `runtime: {{kind: none}}`")
        return
    shown.closed(store)
    whole = {"no_wrap": True}  # names and stages, however narrow the terminal
    if where:
        columns = ["", Column("image", **whole), Column("partition", **whole), Column("verdict", **whole), "why"]
        lines = [["→" if r["chosen"] else "", r["name"], r["partition"], r["verdict"], r["reason"]] for r in rows]
    else:
        columns = [Column(name, **whole) for name in ("image", "processors", "MPI", "accelerator", "stages")]
        columns.append(Column("here", overflow="fold"))
        lines = [listing.line(row) for row in rows]
    table = Table(*columns, box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for line in lines:
        table.add_row(*line)
    Console().print(table)
    for path in [row["path"] for row in rows if not where and row["path"]]:
        typer.echo(path)


@app.command("build")
def build_image(
    name: Name,
    stages: Annotated[str | None, typer.Option(help="only these, separated by commas, for a smaller image")] = None,
    sign_with: Annotated[
        str | None, typer.Option("--sign", help="fingerprint of the secret key to sign it with")
    ] = None,
    passphrase_file: Passphrase = None,
    offline: Annotated[
        Path | None, typer.Option(help="what `image bundle --for-build` wrote, for a machine without a network")
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="although nothing changed: for Debian's updates")] = False,
    mirror: Mirror = None,
    security_mirror: Security = None,
    spack: Annotated[Path | None, typer.Option(help="a Spack checkout (spack route)")] = None,
    spack_packages: Annotated[Path | None, typer.Option(help="a checkout of spack-packages (spack route)")] = None,
    spack_env: Annotated[Path | None, typer.Option(help="the project's spack-env folder (spack route)")] = None,
    micromamba: Annotated[Path | None, typer.Option(help="the program micromamba (cylon)")] = None,
    definition: Annotated[bool, typer.Option("--definition", help="only print the definition")] = False,
) -> None:
    """Build an image here, test it, and keep it in the store.

    Example: `deeprc image build cpu --stages frames`
    """
    image, limited = load_catalog().whole(name)
    recipe = Recipe(
        image, stages.split(",") if stages else limited, spack=spack, micromamba=micromamba,
        spack_packages=spack_packages, spack_env=spack_env or spack_folder(),
    )  # fmt: skip
    if definition:
        typer.echo(recipe.render(), nl=False)
        return
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a job's end: what was begun is removed, as by Ctrl-C
    if offline and (mirror or security_mirror):
        raise ConfigError("--offline uses no mirror", found="--offline and a mirror", fix="leave one of them out")
    key = sign.signer(sign_with, file=passphrase_file, ask=sign.asked) if sign_with else None
    shown.show(build(
        recipe, Store(), mirror=mirror, security=security_mirror, offline=offline, sign=key, again=again,
        say=lambda line: typer.echo(line, err=True),
    ))  # fmt: skip


@app.command("sign")
def sign_image(
    name: Name,
    fingerprint: Annotated[str, typer.Argument(help="of the secret key (`apptainer key list --secret`)")],
    arch: Architecture = MACHINE,
    passphrase_file: Passphrase = None,
) -> None:
    """Sign an image that is here: a copy with a digest of its own.

    Example: `deeprc image sign cpu 611422F1…`
    """
    store, key = Store(), sign.signer(fingerprint, file=passphrase_file, ask=sign.asked)
    shown.show(sign.signed(publish.newest(store, name, arch), key, store))


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
    chosen = [(catalog.image(name), arch)] if name else taken(catalog, where, partition)
    wanted = [(transfer.entry(image, each, source=source, digest=digest), each) for image, each in chosen]
    store = Store(to, shared=[], public=True) if to else store_of(where)
    if where and not here and _elsewhere(where):
        from deeprc.pilot import errand  # not for every `deeprc image list`

        found = errand.pull(
            where, wanted, partition=partition, account=account, minutes=minutes, store=store,
            say=lambda line: typer.echo(line, err=True),
        )  # fmt: skip
    else:
        found = [transfer.pull(image, store, each, progress=shown.progress(image.name)) for image, each in wanted]
    for held in found:
        shown.show(held)
        for line in made_for(where, store, held, catalog.image(held.name), squashfs=squashfs):
            typer.echo(f"  {line}")
    if to and (why := shared.unreadable(store.folder)):
        typer.echo(f"notice: {why}", err=True)


@app.command()
def push(
    name: Name,
    destination: Annotated[str, typer.Argument(help="oras://HOST/REPOSITORY[:TAG]")],
    arch: Architecture = MACHINE,
) -> None:
    """Publish an image that is here, and print what its catalog entry then needs.

    Example: `deeprc image push cpu oras://registry.example.org/deeprc/cpu`
    """
    Address.parse(destination)  # before the image is read whole
    image, held = load_catalog().image(name), publish.newest(Store(), name, arch)
    typer.echo(f"{held.path.name}, {age.told(held.path)}", err=True)
    for line in publish.notices(image, held):
        typer.echo(line, err=True)
    done = publish.push(held, destination)
    typer.echo(f"{done.address}\n{done.index}   for {', '.join(done.digests)}\n")
    typer.echo(publish.catalog_lines(image, done, held), nl=False)


@app.command("verify")
def verify_images(
    names: Annotated[list[str] | None, typer.Argument(help="variants or SIF files; else all that are here")] = None,
    site: SiteOption = None,
    arch: Architecture = MACHINE,
) -> None:
    """Read images whole and check digest, architecture, labels, and the signature where the catalog names a key.

    Example: `deeprc image verify cpu`
    """
    store = store_of(load_site(site) if site else None)
    shown.told(verify.verify(store, load_catalog(), names or [], arch))


@app.command()
def outdated(
    names: Annotated[list[str] | None, typer.Argument(help="variants; else all that are here")] = None,
    arch: Architecture = MACHINE,
    mirror: Mirror = None,
    security_mirror: Security = None,
    sources: Annotated[Path | None, typer.Option(help="lines of apt's sources.list, not these mirrors")] = None,
) -> None:
    """Compare the packages in images with Debian's suite and its security updates; exit code 1 where some are behind.

    Example: `deeprc image outdated cpu`
    """
    store, catalog = Store(), load_catalog()
    helds = [verify.here(store, catalog, name, arch) for name in names or []] or whole.every(store)
    shown.closed(store)
    if not helds:
        typer.echo(whole.none_here(store))
        return
    text = _text(sources) if sources else debian.lines(mirror, security_mirror)
    behind = 0
    for held in helds:
        rows = age.outdated(held.path, text, trust.cache() / "debian")
        behind += bool(rows)
        typer.echo(f"{held.path.name}: {age.told(held.path)}, {len(rows)} packages behind")
        for row in rows:
            typer.echo(f"  {row}")
    if behind:
        typer.echo("`deeprc image build NAME --again` builds with today's packages", err=True)
        raise typer.Exit(1)


@app.command()
def prune(
    everything: Annotated[bool, typer.Option("--all", help="also those that the catalog pins")] = False,
) -> None:
    """Remove the user's images that the catalog does not pin any more, and older builds; shared folders stay.

    What killed commands have left goes, too: at once where a lock tells that nobody uses it, else after a day (what has
    arrived of a pull among it); and the Debian that images start from, after 31 days.
    """
    store = Store()
    removed = [*store.prune([] if everything else listing.kept(load_catalog(), store)), *sweep()]
    shown.closed(store)
    for path in removed:
        typer.echo(f"removed {path}")
    typer.echo(f"{len(removed)} files and folders removed")


@app.command()
def local(name: Name, site: SiteOption = None, arch: Architecture = MACHINE) -> None:
    """Print the path of an image on this node's own disk, where it is copied to if there is room.

    Example: `apptainer exec $(deeprc image local cpu) python …`
    """
    where = load_site(site) if site else None
    disk = where.storage.node_local if where and where.storage.node_local else tempfile.gettempdir()
    held = verify.here(store := store_of(where), load_catalog(), name, arch)
    words = [*copying(str(held.path), disk), "printf", "%s", str(held.path)]
    done = subprocess.run(["bash", "-c", f"exec {' '.join(map(shell_word, words))}"], stdout=subprocess.PIPE, text=True)
    if done.returncode:
        whole.require(store, held)
        raise ImageError("the image could not be copied", where=held.path, found=f"exit code {done.returncode}")
    if (found := sif.digest(Path(done.stdout))) != held.digest:  # copied when it was damaged, or damaged since
        raise ImageError(
            "not the image any more", where=done.stdout, found=found, expected=held.digest, fix="remove it"
        )
    typer.echo(done.stdout)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise ConfigError("the lines of sources.list cannot be read", where=file, found=error) from None


def _elsewhere(site: Site) -> bool:
    """Whether this is a login node of a site whose runtime is on compute nodes only: the signature is checked there."""
    return site.runtime.where == "compute" and not apptainer.available() and matches(site)
