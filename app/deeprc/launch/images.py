"""The images of a site: each one in the catalog with its verdict, and those that the site can use."""

from __future__ import annotations

from collections.abc import Iterator

from deeprc.core.errors import ConfigError, unknown
from deeprc.images.catalog import Catalog, Image
from deeprc.images.errors import ImageError
from deeprc.images.held import Held
from deeprc.images.leftovers import SQUASHFS
from deeprc.images.store import Store
from deeprc.launch.choose import candidates
from deeprc.launch.runtimes import container
from deeprc.sites import Site


def verdicts(catalog: Catalog, site: Site, name: str | None = None) -> list[dict]:
    """For each partition, or the one called `name`, every image with its verdict, the chosen one first."""
    rows = []
    for part in [site.partition(name)] if name else site.partitions:
        judged = candidates(catalog, site, part, gpus=part.gpus > 0) if site.runtime.kind != "none" else []
        for number, (image, verdict) in enumerate(judged):
            chosen = number == 0 and verdict.kind != "refuse"
            facts = {"name": image.name, "partition": part.name, "architecture": part.architecture, "chosen": chosen}
            rows.append(facts | {"verdict": verdict.kind, "reason": verdict.reason, "stages": image.stages})
    return rows


def unknown_images(catalog: Catalog, site: Site) -> list[ConfigError]:
    """An error for each image that the site file names but the catalog lacks: it would never be chosen."""
    names = [image.name for image in catalog.images]
    return [
        unknown("image", name, names, where=f"site {site.name}, images") for name in site.images if name not in names
    ]


def taken(catalog: Catalog, site: Site, partition: str | None) -> list[tuple[Image, str]]:
    """The images that a site takes, each with its architecture.

    Raises
    ------
    ImageError
        Where none fits, or the site is out of service.
    """
    if site.status.state == "retired":
        raise ImageError(f"{site.name} was retired on {site.status.retired}", fix="deeprc sites lists those in service")
    rows = verdicts(catalog, site, partition)
    chosen = dict.fromkeys((row["name"], row["architecture"]) for row in rows if row["chosen"])
    if not chosen:
        fix = f"deeprc image list --site {site.name} says why" if rows else "run without images there"
        raise ImageError(f"no image of the catalog runs on {site.name}", found=site.runtime.kind, fix=fix)
    return [(catalog.image(name), architecture) for name, architecture in chosen]


def made_for(
    site: Site | None, store: Store, held: Held, image: Image, *, squashfs: bool = False
) -> Iterator[object]:  # fmt: skip
    """Convert an image for a site whose runtime does not take a SIF; yield each product once it is there.

    Parameters
    ----------
    squashfs
        Whether to make the bare file system in any case.
    """
    runtime = container(site.runtime.kind) if site else None
    own = runtime is not None and runtime.suffix is None  # the runtime has its own image store
    if squashfs or own or (runtime and runtime.suffix == SQUASHFS):
        yield (path := store.make_squashfs(held))
        if described := store.describe_squashfs(held, image):
            yield described
        if own:
            yield runtime.fill(path, held.name, held.digest)
