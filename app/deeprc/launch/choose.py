"""Which partition and which image a task gets where nobody says."""

from __future__ import annotations

import os

from deeprc.core.errors import ConfigError
from deeprc.images.catalog import Catalog, Image, load_catalog
from deeprc.launch.launchers import Layout
from deeprc.launch.plan import Plan, compose
from deeprc.launch.verdict import Verdict, judge
from deeprc.sites import Partition, Site, load_site


def choose_partition(site: Site, gpus: int = 0) -> Partition:
    """The site's first partition, or the first with that many accelerators per node."""
    fitting = [partition for partition in site.partitions if partition.gpus >= gpus]
    if not fitting:
        there = ", ".join(f"{partition.name}: {partition.gpus}" for partition in site.partitions)
        raise ConfigError(
            f"{gpus} accelerators per node, but no partition of {site.name} has them", found=there, fix="ask for fewer"
        )
    return fitting[0]


def make_layout(
    partition: Partition, *, nodes: int = 1, ranks: int | None = None, cores: int | None = None, gpus: int = 0
) -> Layout:
    """A layout; a node's ranks share its usable cores where nothing is said about them."""
    ranks = ranks or nodes
    per_node = -(-ranks // nodes)
    return Layout(ranks, cores or max(1, partition.usable_cores // per_node), gpus, nodes)


def candidates(
    catalog: Catalog, site: Site, partition: Partition, *, nodes: int = 1, gpus: bool = False
) -> list[tuple[Image, Verdict]]:
    """Every image of the catalog with its verdict, the best first.

    Ranks without accelerators take an image without them where it runs as well. Among equals the site's own order
    decides, then the catalog's. Of images that are refused, those for the partition's accelerators and processors come
    first: why they do not fit is of use, while that of an image for other hardware says nothing new.
    """
    wanted = partition.accelerator.vendor if gpus and partition.accelerator else None
    order = {name: number for number, name in enumerate(site.images)}
    judged = [(image, judge(image, site, partition, nodes=nodes, gpus=gpus)) for image in catalog.images]

    def key(pair: tuple[Image, Verdict]) -> tuple:
        image, verdict = pair
        special = image.stages == ["cylon"]
        vendor = image.accelerator.vendor if image.accelerator else None
        return (
            verdict.rank >= 100,
            special,
            verdict.rank,
            vendor != wanted,
            partition.architecture not in image.architectures,
            not set(image.families) & set(site.families),
            order.get(image.name, 99),
        )

    return sorted(judged, key=key)


def choose_image(
    catalog: Catalog, site: Site, partition: Partition, *, nodes: int = 1, gpus: bool = False
) -> Image | None:
    """The image that fits best; None where the site runs no images. Where none fits, the one that comes nearest.

    $DEEPRC_IMAGE, which the module of an image sets, says which one, whether it fits or not.
    """
    if site.runtime.kind == "none":
        return None
    if named := os.environ.get("DEEPRC_IMAGE"):
        return catalog.image(named)
    return candidates(catalog, site, partition, nodes=nodes, gpus=gpus)[0][0]


def make_plan(
    site: str, command: list[str], *, partition: str | None = None, nodes: int = 1, ranks: int | None = None,
    gpus_per_rank: int = 0, cores_per_rank: int | None = None, comm: str = "mpi", image: str | None = None,
    model: str | None = None,
) -> Plan:  # fmt: skip
    """The plan that the options of `deeprc plan` ask for."""
    where = load_site(site)
    catalog = load_catalog()
    gpus_per_node = -(-(ranks or nodes) // nodes) * gpus_per_rank
    part = where.partition(partition) if partition else choose_partition(where, gpus_per_node)
    layout = make_layout(part, nodes=nodes, ranks=ranks, cores=cores_per_rank, gpus=gpus_per_rank)
    if image in (None, "auto"):
        chosen = choose_image(catalog, where, part, nodes=nodes, gpus=gpus_per_rank > 0)
    else:
        chosen = None if image == "none" else catalog.image(image)
    return compose(where, part, layout, command or ["<command>"], image=chosen, comm=comm, model=model)
