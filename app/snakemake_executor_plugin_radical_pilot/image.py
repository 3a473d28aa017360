"""The image that jobs run in: its digest, known when the Snakefile is read, and what a job's event says about it.

A Snakefile that makes it a parameter of its rules has their products made anew when the image is another one:

    from snakemake_executor_plugin_radical_pilot.image import digest

    if IMAGE := digest(sys.argv, Path(workflow.basedir).parent):
        for each in workflow.rules:
            each.set_params(image=IMAGE)

Snakemake tells a Snakefile nothing of the executor's settings, hence the look at the command line and the profile.
"""

from __future__ import annotations

import contextlib
import copy
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from deeprc.core.errors import DeepRCError
from deeprc.core.events import RunImage
from deeprc.images import sbom
from deeprc.images.catalog import Image, load_catalog
from deeprc.images.errors import ImageError
from deeprc.images.site import store_of
from deeprc.images.store import Store
from deeprc.launch import Plan
from deeprc.launch.choose import choose_image
from deeprc.sites import Partition, Site, load_site
from snakemake_executor_plugin_radical_pilot import internals, shapes


def digest(argv: list[str], root: str | Path = ".") -> str | None:
    """The digest of the image for jobs without accelerators; None where they run without images.

    `argv` is Snakemake's whole command line; of another program's nothing is known. A profile that it names is looked
    for where Snakemake was started, as far as that is known (`--directory` has left it), and in `root`.
    """
    return asked(argv, root, _digest)


def chosen(argv: list[str], root: str | Path = ".") -> Image | None:
    """The catalog's entry of that image; arguments as of `digest`.

    Of pilots of several shapes, one with the stages of all their images; None where any has none.
    """
    found = asked(argv, root, _images)
    images = list({image.name: image for _, image, _ in found or ()}.values())
    if len(images) < 2:
        return images[0] if images else None
    stages = dict.fromkeys(stage for image in images for stage in image.stages)
    return images[0].model_copy(update={"name": ", ".join(each.name for each in images), "stages": [*stages]})


def holds(argv: list[str], root: str | Path = ".") -> set[str] | None:
    """The packages in that image, or in any of several, as their SBOMs say; None where that is not known: one is yet to
    be pulled.
    """
    return asked(argv, root, _holds)


def asked(argv: list[str], root: str | Path, ask: Callable[[object], Any]) -> Any:
    """What `ask` makes of the arguments that a command line and its profile come to; None of another program's."""
    for start in dict.fromkeys([Path.cwd(), Path(os.environ.get("PWD", ".")), Path(root)]):
        with contextlib.suppress(OSError), contextlib.chdir(start):
            if arguments := _parsed(argv):
                return ask(arguments)
    return None


def used(plan: Plan, store: Store, architecture: str) -> RunImage | None:
    """The image that the plan's launch line names, as the store knows it; None where it runs in none.

    A file that a task of the pilot is yet to pull has the digest that the catalog pins: its name says so.
    """
    if plan.image is None:
        return None
    line = "\n".join([*plan.launcher, *plan.runtime, *plan.files.values()])
    for held in store.held():
        if held.name == plan.image and (str(held.path) in line or str(store.squashfs(held)) in line):
            return RunImage(variant=held.name, digest=held.digest, source=held.source)
    image = load_catalog().image(plan.image)
    pinned = image.digests.get(architecture)
    coming = pinned is not None and store.path(image.name, architecture, pinned).stem in line
    return RunImage(variant=image.name, digest=pinned if coming else None, source=image.uri)


def _chosen(arguments: object) -> tuple[Site, Image, Partition] | None:
    site, name, part = (text(arguments, f"radical_pilot_{option}") for option in ("site", "image", "partition"))
    if getattr(arguments, "executor", None) not in ("radical-pilot", "dryrun") or site is None:
        return None
    site, catalog = load_site(site), load_catalog()
    if name == "none" or site.runtime.kind == "none":
        return None
    partition = site.partition(part)
    return site, choose_image(catalog, site, partition) if name in (None, "auto") else catalog.image(name), partition


def _images(arguments: object) -> list[tuple[Site, Image, Partition]]:
    """Those of all shapes; nothing where one has none."""
    found = [_chosen(each) for each in shaped(arguments)]
    return [] if None in found else found


def _digest(arguments: object) -> str | None:
    """Of pilots of several shapes, all of theirs: any of them may have made what a job is to make."""
    found = [one for each in shaped(arguments) if (one := _digest_of(each)) is not None]
    return ", ".join(dict.fromkeys(found)) or None


def _digest_of(arguments: object) -> str | None:
    if (found := _chosen(arguments)) is None:
        return None
    return identity(*found)


def identity(site: Site, image: Image, partition: Partition) -> str:
    """The digest of an image on a partition: the one that the catalog pins, or that of the file that is here."""
    if pinned := image.digests.get(partition.architecture):
        return pinned
    held = store_of(site).find(image, partition.architecture)
    return held.digest if held else f"{image.name}, not here"


def shaped(arguments: object, *, imaged: bool = True) -> list[object]:
    """The arguments as those of each shape of pilots would be; of partitions that are yet to be chosen, of all (that
    have an image, where that is asked).
    """
    words = getattr(arguments, "radical_pilot_pilots", None)
    wish = shapes.read(words) if isinstance(words, list) else None
    if wish is None or not wish.listed:
        return [arguments]
    pairs = [(shape, shape.partition) for shape in wish.shapes]
    if wish.auto and (site := text(arguments, "radical_pilot_site")):
        pairs = [(wish.shapes[0], part.name) for part in load_site(site).partitions]
    made = []
    for shape, partition in pairs:
        each = copy.copy(arguments)
        each.radical_pilot_partition = partition or text(arguments, "radical_pilot_partition")
        each.radical_pilot_image = shape.image or text(arguments, "radical_pilot_image")
        each.radical_pilot_gpus = shape.gpus
        made.append(each)
    return [each for each in made if _has_image(each)] if wish.auto and imaged else made


def _has_image(arguments: object) -> bool:
    with contextlib.suppress(DeepRCError):
        return _chosen(arguments) is not None
    return False


def _holds(arguments: object) -> set[str] | None:
    found: set[str] = set()
    for site, image, partition in (images := _images(arguments)):
        with contextlib.suppress(ImageError, OSError):  # without an SBOM
            if held := store_of(site).find(image, partition.architecture):
                found |= sbom.packages(held.path)
                continue
        return None
    return found if images else None


def text(arguments: object, name: str) -> str | None:
    """An argument, if it was given."""
    value = getattr(arguments, name, None)
    return value if isinstance(value, str) else None  # Snakemake has an object of its own for what is not given


def _parsed(argv: list[str]) -> object:
    """What Snakemake understands of its command line and profile; nothing where it is none of Snakemake's."""
    program = Path(argv[0])
    if program.name != "snakemake" and program.parent.name != "snakemake":
        return None
    with contextlib.suppress(SystemExit), contextlib.redirect_stderr(io.StringIO()):
        return internals.parsed(argv[1:])[1]
    return None
