"""`deeprc doctor`."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from deeprc.doctor import checks
from deeprc.doctor.launch import Case, here
from deeprc.doctor.outcome import Outcome
from deeprc.doctor.report import show
from deeprc.errors import ConfigError, unknown
from deeprc.images.catalog import Image, load_catalog
from deeprc.images.store import Store
from deeprc.launch.choose import choose_image, make_layout
from deeprc.launch.plan import check_layout, default_path
from deeprc.sites import Partition, Site, load_site
from deeprc.sites.detect.machine import find_out
from deeprc.sites.identity import here_among_known

FAILED = 1  # exit code
NAMES = ["machine", *checks.CHECKS]


def doctor(
    site: Annotated[
        str | None, typer.Option(help="a known site, or the path of a site.yaml; else this machine's")
    ] = None,
    partition: Annotated[str | None, typer.Option(help="the site's partition; the job's, or the first")] = None,
    nodes: Annotated[int | None, typer.Option(min=1, help="the job's, if not given")] = None,
    ranks: Annotated[int | None, typer.Option(min=1, help="over all nodes; two per node, if not given")] = None,
    image: Annotated[
        str | None, typer.Option(help="a variant of the catalog, or `none`; the site's, if not given and it is there")
    ] = None,
    only: Annotated[str, typer.Option("--checks", help=f"some of {','.join(NAMES)}")] = ",".join(NAMES),
    patience: Annotated[float, typer.Option("--timeout", min=1, help="seconds that a check may take")] = 120,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Is this machine what its site file says, and do ranks really talk over its network?

    Ranks are started as any task is: `deeprc plan` prints the same line. Example: `deeprc doctor --site localhost`

    Exit code 1 where a check failed.
    """
    wanted = [name.strip() for name in only.split(",") if name.strip()]
    for name in wanted:
        if name not in NAMES:
            raise unknown("check", name, NAMES)
    where = load_site(site) if site else _this()
    part = _partition(where, partition)
    case, remark = _case(where, part, nodes, ranks, image, patience)
    check_layout(where, part, case.layout)
    outcomes = [remark] if remark else []
    began = time.monotonic()
    for name in NAMES:
        if name not in wanted:
            continue
        outcomes += checks.machine(case, find_out()) if name == "machine" else checks.CHECKS[name](case)
    failed = any(outcome.status == "failed" for outcome in outcomes)
    if as_json:
        head = {"site": where.name, "partition": part.name, "image": case.image and case.image.name}
        record = {**head, "failed": failed, "seconds": round(time.monotonic() - began, 1)}
        typer.echo(json.dumps(record | {"checks": [outcome.record() for outcome in outcomes]}, indent=1))
    else:
        console = Console(width=None if Console().is_terminal else 120)
        layout = case.layout
        run = f"image {case.image.name}" if case.image else "no image"
        console.print(
            f"site {where.name}, partition {part.name}: {layout.ranks} ranks on {layout.nodes} node(s), {run}"
        )
        show(outcomes, console)
    if failed:
        raise typer.Exit(FAILED)


def _this() -> Site:
    """The site that this machine is."""
    fitting, _ = here_among_known()
    if not fitting:
        raise ConfigError("this is none of the known sites", fix="deeprc site detect --draft site-configs")
    return fitting[0]


def _partition(site: Site, name: str | None) -> Partition:
    """The one that is named, else that of the job that this is."""
    if name is None and (queue := os.environ.get("SLURM_JOB_PARTITION") or os.environ.get("PBS_QUEUE")):
        return next((part for part in site.partitions if queue in (part.queue, part.name)), site.partitions[0])
    return site.partition(name)


def _file(site: Site, image: Image, part: Partition) -> str:
    """Where its file is: where the site says, else where `deeprc image pull` has put it."""
    path = here(default_path(site, image))
    held = None if Path(path).exists() else Store().find(image, part.architecture)
    return str(held.path) if held else path


def _case(
    site: Site, part: Partition, nodes: int | None, ranks: int | None, image: str | None, patience: float
) -> tuple[Case, Outcome | None]:
    """The layout and the image; a remark where the image that would be right is not here."""
    nodes = nodes or int(os.environ.get("SLURM_JOB_NUM_NODES", 0)) or 1
    ranks = ranks or nodes * min(2, part.usable_cores)
    layout = make_layout(part, nodes=nodes, ranks=ranks)
    catalog = load_catalog()
    if image == "none" or (image is None and site.runtime.kind == "none"):
        return Case(site, part, layout, patience=patience), None
    chosen = catalog.image(image) if image else choose_image(catalog, site, part, nodes=nodes, gpus=part.gpus > 0)
    if chosen is None:
        return Case(site, part, layout, patience=patience), None
    path = _file(site, chosen, part)
    if Path(path).exists():
        return Case(site, part, layout, chosen, path, patience), None
    fix = f"deeprc image pull {chosen.name}"
    if image:
        raise ConfigError(f"image {image} is not here", where=path, fix=fix)
    text = f"{chosen.name} is not here ({path}): ranks run in this environment, without a container"
    return Case(site, part, layout, patience=patience), Outcome("image", chosen.name, "warning", text, fix)
