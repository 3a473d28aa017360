"""`deeprc spack …`."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from pathlib import Path
from typing import Annotated

import typer

from deeprc.core.errors import ConfigError, DeepRCError
from deeprc.core.files import atomic
from deeprc.images.catalog import load_catalog
from deeprc.sites import load_site
from deeprc.spack.build import Build, overrides, prepare, script
from deeprc.spack.check import check as find_faults
from deeprc.spack.choose import choose
from deeprc.spack.externals import externals as find_externals
from deeprc.spack.tree import spack_folder

app = typer.Typer(no_args_is_help=True, help="Spack environments for a site.")
SiteName = Annotated[str, typer.Option("--site", help="a known site, or the path of a site.yaml")]
PartitionName = Annotated[str | None, typer.Option("--partition", help="the site's first one, if not given")]


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
    family = None
    with contextlib.suppress(ConfigError):  # no variant for it: the facility may build one of its own
        family = choose(where, part, load_catalog(), spack_folder()).family
    text = find_externals(where, part, family).text(where, part)
    if out is None:
        typer.echo(text, nl=False)
        return
    with atomic(out) as path:
        path.write_text(text)


@app.command()
def variant(
    site: SiteName,
    partition: PartitionName = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON, with the layers that the site swaps")] = False,
) -> None:
    """Name the variant for a site. Example: `deeprc spack variant --site frontier`."""
    where = load_site(site)
    choice = choose(where, where.partition(partition), load_catalog(), spack_folder())
    if not as_json:
        typer.echo(choice.variant.name)
        return
    gpu = {"gpu": "=".join(choice.gpu)} if choice.gpu else {}
    typer.echo(json.dumps({"variant": choice.variant.name, "layers": choice.layers | gpu}, indent=1))


@app.command()
def build(
    site: SiteName,
    prefix: Annotated[Path, typer.Option(help="the folder that everything goes into")],
    partition: PartitionName = None,
    run: Annotated[bool, typer.Option("--run", help="run the commands; only printed, if not given")] = False,
    packages: Annotated[Path | None, typer.Option(help="a checkout of spack-packages; cloned, if not given")] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="compilers at once")] = None,
) -> None:
    """Print, or with --run run, what builds a site's environment. Spack is $SPACK_ROOT, or cloned at the pinned tag.

    Example: `deeprc spack build --site frontier --prefix /sw/deeprc/spack | less`
    """
    where, tree = load_site(site), spack_folder()
    part = where.partition(partition)
    root = os.environ.get("SPACK_ROOT")
    made = Build(
        where, part, choose(where, part, load_catalog(), tree), prefix.absolute(), tree, tree.parent,
        Path(root) if root else None, packages.absolute() if packages else None, jobs,
    )  # fmt: skip
    if not run:
        typer.echo(script(made), nl=False)
        return
    prepare(made)
    path = made.prefix / "build.sh"
    path.write_text(script(made))
    if (done := subprocess.run(["bash", "-l", str(path)], env=os.environ | overrides(made))).returncode:
        raise DeepRCError(
            "the build stopped",
            where=path,
            found=f"exit code {done.returncode}",
            fix="mend it, start it again",
        )


@app.command()
def check() -> None:
    """Check the tree of Spack environments without Spack. Example: `deeprc spack check`."""
    tree = spack_folder()
    faults = find_faults(tree, load_catalog())
    if faults:
        raise ConfigError(f"{len(faults)} faults", where=tree, found="\n    ".join(["", *faults]).strip())
    typer.echo(f"{tree}: no fault found")
