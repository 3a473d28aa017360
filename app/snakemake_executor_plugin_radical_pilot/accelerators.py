"""The accelerators that jobs could ask for, known when the Snakefile is read: see `deeprc.workflow.trainings`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from deeprc.images.catalog import Image, load_catalog
from deeprc.launch.choose import choose_image
from deeprc.launch.verdict import judge
from deeprc.sites import Partition, Site, load_site
from snakemake_executor_plugin_radical_pilot.image import asked, identity, shaped, text


@dataclass(frozen=True)
class There:
    """What the pilots of one shape have.

    Attributes
    ----------
    site, partition
        Their names.
    vendor, model, count
        Of the accelerators of a node; None, and 0, where there are none.
    image
        The image of jobs that ask for them (where there are none: of all jobs); None where they run without one.
    digest
        What the image is known by.
    refused
        Why that image cannot run with them.
    """

    site: str
    partition: str
    vendor: str | None
    model: str | None
    count: int
    image: Image | None
    digest: str | None
    refused: str | None

    def __str__(self) -> str:
        what = f"{self.count} {self.model} a node" if self.count else "no accelerators"
        return f"{self.site}, partition {self.partition}: {what}"


def accelerators(argv: list[str], root: str | Path = ".") -> list[There] | None:
    """What the pilots of each shape have; None where jobs go elsewhere than to pilots.

    `argv` and `root` are as of `image.digest`.
    """

    def found(arguments: object) -> list[There] | None:
        return [_there(each) for each in shaped(arguments, imaged=False)] if _ours(arguments) else None

    return asked(argv, root, found)


def digest_with(there: list[There] | None) -> str | None:
    """The digests of the images of jobs with accelerators."""
    found = [each.digest for each in there or () if each.count and each.digest]
    return ", ".join(dict.fromkeys(found)) or None


def _ours(arguments: object) -> bool:
    kind = getattr(arguments, "executor", None)
    return kind in ("radical-pilot", "dryrun") and text(arguments, "radical_pilot_site") is not None


def _there(arguments: object) -> There:
    site = load_site(text(arguments, "radical_pilot_site"))
    partition, name = site.partition(text(arguments, "radical_pilot_partition")), text(arguments, "radical_pilot_image")
    most = getattr(arguments, "radical_pilot_gpus", None)  # of a node, where a shape says so
    has = None if most == 0 else partition.accelerator
    image = _image(site, partition, name, has is not None)
    verdict = judge(image, site, partition, gpus=True) if has and image else None
    why = verdict.reason if verdict and verdict.kind == "refuse" else None
    return There(
        site.name, partition.name, has.vendor if has else None, has.model if has else None,
        min(has.count, most or has.count) if has else 0,
        image, identity(site, image, partition) if image else None, why,
    )  # fmt: skip


def _image(site: Site, partition: Partition, name: str | None, gpus: bool) -> Image | None:
    if name == "none" or site.runtime.kind == "none":
        return None
    if name in (None, "auto"):
        return choose_image(load_catalog(), site, partition, gpus=gpus)
    return load_catalog().image(name)
