"""An image's facts as labels, so that a SIF file alone says where it may run."""

from __future__ import annotations

from collections.abc import Mapping

from deeprc.images.catalog import Image
from deeprc.images.errors import ImageError

PREFIX = "deeprc."


def of(image: Image, *, stages: list[str], architecture: str, version: str, content: str) -> dict[str, str]:
    """The labels of an image: its catalog entry, what was built of it, and the release of Deep RC that is inside."""
    accelerator = image.accelerator
    values = {
        "variant": image.name,
        "description": image.description,
        "architecture": architecture,
        "mpi": ",".join(image.families),
        "accelerator.vendor": accelerator.vendor if accelerator else "none",
        "accelerator.toolkit": accelerator.toolkit if accelerator else "none",
        "accelerator.version": accelerator.version if accelerator else "none",
        "accelerator.minimum-driver": (accelerator and accelerator.minimum_driver) or "none",
        "accelerator.archs": ",".join(accelerator.archs.get(architecture, [])) if accelerator else "none",
        "glibc": image.glibc,
        "collectives": ",".join(image.collectives) or "none",
        "stages": ",".join(stages),
        "route": image.route,
        "version": version,
        "content": content,
    }
    for mpi in image.mpi:
        values |= {
            f"mpi.{mpi.family}.implementation": mpi.implementation,
            f"mpi.{mpi.family}.version": mpi.version,
            f"mpi.{mpi.family}.standard-abi": "yes" if mpi.standard_abi else "no",
            f"mpi.{mpi.family}.pmi": ",".join(mpi.pmi),
            f"mpi.{mpi.family}.fabrics": ",".join(mpi.fabrics) or "none",
        }
    return {PREFIX + name: value for name, value in values.items()}


def check(found: Mapping[str, str], image: Image, *, where: object) -> None:
    """Refuse an image whose labels are not those of its catalog entry (the description may change)."""
    architecture = found.get(f"{PREFIX}architecture", "")
    expected = of(image, stages=list(image.stages), architecture=architecture, version="", content="")
    for name, value in expected.items():
        if name.removeprefix(PREFIX) not in ("description", "version", "content") and found.get(name) != value:
            raise ImageError(
                f"the image is not what the catalog calls {image.name}: its label {name} differs",
                where=where,
                found=found.get(name, "no such label"),
                expected=value,
            )
