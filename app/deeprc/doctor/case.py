"""What the doctor examines: the site, its partition, the layout and the image."""

from __future__ import annotations

import os
from pathlib import Path

from deeprc.core.errors import ConfigError
from deeprc.doctor.ranks import Case, here
from deeprc.doctor.result import CheckResult
from deeprc.images.catalog import Image, load_catalog
from deeprc.images.store import Store
from deeprc.launch.choose import choose_image, make_layout
from deeprc.launch.plan import default_path
from deeprc.launch.room import check_layout
from deeprc.sites import Partition, Site
from deeprc.sites.identity import here_among_known


def this_site() -> Site:
    """The site that this machine is."""
    fitting, _ = here_among_known()
    if not fitting:
        raise ConfigError("this is none of the known sites", fix="deeprc site detect --draft site-configs")
    return fitting[0]


def choose(site: Site, name: str | None) -> Partition:
    """The one that is named, else that of the job that this is."""
    if name is None and (queue := os.environ.get(site.scheduler.system.queue_variable or "")):
        return next((part for part in site.partitions if queue in (part.queue, part.name)), site.partitions[0])
    return site.partition(name)


def _file(site: Site, image: Image, part: Partition) -> str:
    """Where its file is: where the site says, else where `deeprc image pull` has put it."""
    path = here(default_path(site, image))
    held = None if Path(path).exists() else Store().find(image, part.architecture)
    return str(held.path) if held else path


def make_case(
    site: Site, part: Partition, nodes: int | None, ranks: int | None, image: str | None, patience: float
) -> tuple[Case, CheckResult | None]:
    """The layout and the image; a remark where the image that would be right is not here."""
    nodes = nodes or site.scheduler.system.nodes()
    ranks = ranks or nodes * min(2, part.usable_cores)
    layout = make_layout(part, nodes=nodes, ranks=ranks)
    check_layout(site, part, layout)
    catalog = load_catalog()
    if image == "none" or (image is None and site.runtime.kind == "none"):
        return Case(site, part, layout, patience=patience), None
    chosen = catalog.image(image) if image else choose_image(catalog, site, part, nodes=nodes, gpus=part.gpus > 0)
    if chosen is None:
        return Case(site, part, layout, patience=patience), None
    path = _file(site, chosen, part)
    if Path(path).exists():
        return Case(site, part, layout, chosen, path, patience), None
    fix = f"deeprc image pull {chosen.name} (or build)"
    if image:
        raise ConfigError(f"image {image} is not here", where=path, fix=fix)
    text = f"{chosen.name} is not here ({path}): ranks run in this environment, without a container"
    return Case(site, part, layout, patience=patience), CheckResult("image", chosen.name, "warning", text, fix)
