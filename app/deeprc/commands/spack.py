"""`deeprc spack …`."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from deeprc.core.commandline import CommandLine
from deeprc.core.errors import ConfigError, DeepRCError
from deeprc.core.files import atomic
from deeprc.images.catalog import load_catalog
from deeprc.sites import Partition, Site, known_sites, load_site
from deeprc.spack.archive import pack, unpack
from deeprc.spack.build import Build, Cache, settings
from deeprc.spack.build import prepare as write_files
from deeprc.spack.check import check as find_faults
from deeprc.spack.choose import choose
from deeprc.spack.externals import Externals
from deeprc.spack.externals import externals as find_externals
from deeprc.spack.script import fill_script, script
from deeprc.spack.tree import spack_folder

app = CommandLine(no_args_is_help=True, help="Spack environments for a site.")
SiteName = Annotated[str, typer.Option("--site", help="a known site, or the path of a site.yaml")]
PartitionName = Annotated[str | None, typer.Option("--partition", help="the site's first one, if not given")]
PrefixName = Annotated[Path, typer.Option("--prefix", help="the folder that everything goes into")]
Packages = Annotated[Path | None, typer.Option("--packages", help="a checkout of spack-packages; cloned, if not given")]
Offline = Annotated[
    Path | None, typer.Option("--offline", help="an archive of `deeprc spack mirror`: nothing else is used")
]
CacheName = Annotated[str | None, typer.Option("--cache", help="a signed build cache to use: a folder, or its address")]
CacheKeys = Annotated[
    list[Path] | None, typer.Option("--cache-key", help="a public key of those who sign its builds; may be repeated")
]
Sign = Annotated[
    str | None,
    typer.Option("--sign", help="fingerprint of your secret key: sign what was built, push it to --cache"),
]


@app.command()
def externals(
    site: SiteName,
    partition: PartitionName = None,
    out: Annotated[Path | None, typer.Option(help="the file to write; standard output, if not given")] = None,
) -> None:
    """Write packages.yaml: the site's own MPI, CUDA, ROCm, libfabric and so on, which Spack uses and never builds.

    Example: `deeprc spack externals --site polaris --out spack-env/sites/polaris/packages.yaml`
    """
    where = load_site(site)
    part = where.partition(partition)
    found = _externals(where, part)
    rest = where.partitions if partition is None else []
    if others := [each.name for each in rest if _externals(where, each).packages != found.packages]:
        raise ConfigError(
            f"the partitions of {where.name} have different software: one packages.yaml would be wrong for some",
            found=f"{part.name}, and other externals on {', '.join(others)}",
            fix=f"name one with --partition, and keep its file in spack-env/sites/{where.name}-PARTITION",
        )
    text = found.text(where, part)
    if out is None:
        typer.echo(text, nl=False)
        return
    with atomic(out) as path:
        path.write_text(text)


def _externals(site: Site, partition: Partition) -> Externals:
    family = None
    with contextlib.suppress(ConfigError):  # no variant for it: the facility may build one of its own
        family = choose(site, partition, load_catalog(), spack_folder()).family
    return find_externals(site, partition, family)


@app.command()
def variant(
    site: SiteName,
    partition: PartitionName = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON, with the layers that the site swaps")] = False,
) -> None:
    """Name the variant for a site. Example: `deeprc spack variant --site frontier`."""
    where = load_site(site)
    choice = choose(where, where.partition(partition), load_catalog(), spack_folder())
    for word in choice.words:
        typer.echo(f"note: {word}", err=True)
    if not as_json:
        typer.echo(choice.variant.name)
        return
    gpu = {"gpu": "=".join(choice.gpu)} if choice.gpu else {}
    typer.echo(json.dumps({"variant": choice.variant.name, "layers": choice.layers | gpu}, indent=1))


@app.command()
def build(
    site: SiteName,
    prefix: PrefixName,
    partition: PartitionName = None,
    run: Annotated[bool, typer.Option("--run", help="run the commands; only printed, if not given")] = False,
    packages: Packages = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="compilers at once")] = None,
    offline: Offline = None,
    cache: CacheName = None,
    cache_key: CacheKeys = None,
    sign: Sign = None,
) -> None:
    """Print, or with --run run, what builds a site's environment. Spack is $SPACK_ROOT, or cloned at the pinned tag.

    Example: `deeprc spack build --site frontier --prefix /sw/deeprc/spack | less`
    """
    made = _build(site, partition, prefix, packages, jobs, offline, _cache(cache, cache_key, sign))
    for word in made.choice.words:
        typer.echo(f"note: {word}", err=True)
    if not run:
        typer.echo(script(made), nl=False)
        return
    _run(made, "build.sh", script(made))


@app.command()
def prepare(
    site: SiteName,
    prefix: PrefixName,
    partition: PartitionName = None,
    packages: Packages = None,
    offline: Offline = None,
    cache: CacheName = None,
    cache_key: CacheKeys = None,
    sign: Sign = None,
) -> None:
    """Write what the commands of `deeprc spack build` refer to; it is the first of them.

    Example: `deeprc spack prepare --site frontier --partition batch --prefix /sw/deeprc/spack`
    """
    made = _build(site, partition, prefix, packages, None, offline, _cache(cache, cache_key, sign))
    if made.archive is None:
        write_files(made)
        return
    unpack(made, made.archive)
    settings(made)


@app.command()
def mirror(
    site: SiteName,
    out: Annotated[Path, typer.Option(help="the archive to write (.tar)")],
    partition: PartitionName = None,
    prefix: Annotated[Path | None, typer.Option(help="where it is gathered; a temporary folder, if not given")] = None,
    packages: Packages = None,
) -> None:
    """Write all that a build needs into one archive with checksums, for a machine without a network.

    Example: `deeprc spack mirror --site frontier --partition batch --out frontier-batch.tar`, there
    `deeprc spack build --site frontier --partition batch --prefix /sw/deeprc/spack --offline frontier-batch.tar --run`
    """
    out = out.absolute()
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".mirror-") as folder:
        made = _build(site, partition, prefix or Path(folder) / "prefix", packages, None, None, None)
        write_files(made)
        _run(made, "mirror.sh", fill_script(made))
        typer.echo(f"{pack(made, out)}  {out}")


def _build(
    site: str,
    partition: str | None,
    prefix: Path,
    packages: Path | None,
    jobs: int | None,
    offline: Path | None,
    cache: Cache | None,
) -> Build:
    where, tree, root = load_site(site), spack_folder(), os.environ.get("SPACK_ROOT")
    part = where.partition(partition)
    named = str(Path(site).absolute()) if Path(site).exists() and site not in known_sites() else site
    return Build(
        where, part, choose(where, part, load_catalog(), tree), prefix.absolute(), tree, tree.parent,
        Path(root) if root else None, packages.absolute() if packages else None, jobs, cache,
        offline.absolute() if offline else None, named,
    )  # fmt: skip


def _cache(url: str | None, keys: list[Path] | None, sign: str | None) -> Cache | None:
    """The build cache that was asked for; what would be taken unsigned, or from nobody, is refused."""
    if url is None and (keys or sign):
        raise ConfigError("keys without a build cache", fix="name the build cache with --cache")
    if url is None:
        return None
    if not (keys or sign):
        raise ConfigError(
            "a build cache whose builds anybody may have made",
            where=url,
            expected="--cache-key FILE: the public key of those who sign them; --sign to fill an empty one",
        )
    for key in keys or []:
        if not key.is_file():
            raise ConfigError("no such key", where=key, expected="a public key, as `gpg --armor --export` writes it")
    place = url if re.match(r"\w+://", url) else str(Path(url).absolute())
    return Cache(place, tuple(key.absolute() for key in keys or []), sign)


def _run(made: Build, name: str, text: str) -> None:
    path = made.prefix / name
    with atomic(path) as temporary:
        temporary.write_text(text)
    if (done := subprocess.run(["bash", "-l", str(path)])).returncode:
        raise DeepRCError("stopped", where=path, found=f"exit code {done.returncode}", fix="mend it, start it again")


@app.command()
def check() -> None:
    """Check the tree of Spack environments without Spack. Example: `deeprc spack check`."""
    tree = spack_folder()
    faults = find_faults(tree, load_catalog())
    if faults:
        raise ConfigError(f"{len(faults)} faults", where=tree, found="\n    ".join(["", *faults]).strip())
    typer.echo(f"{tree}: no fault found")
