"""What `deeprc image list` tells of each image."""

from __future__ import annotations

import datetime

from deeprc.images import age, sif
from deeprc.images.catalog import Catalog, Image
from deeprc.images.held import BUILT, Held
from deeprc.images.store import Store


def rows(catalog: Catalog, store: Store, architecture: str) -> list[dict]:
    """The catalog's images, and those for some of their stages that are here, with what is here of each."""
    held = store.held()
    names = {each.name for each in held if each.architecture == architecture}
    limited = [image for name in sorted(names) if (image := catalog.find(name)) and image not in catalog.images]
    return [_row(image, store, held, architecture) for image in [*catalog.images, *limited]]


def kept(catalog: Catalog, store: Store) -> list[Held]:
    """The user's images that `prune` leaves: those that the catalog pins, and the newest of each name.

    The newest of a name that is pinned stays only if it was built here, and may be what is pushed next.
    """
    pinned = {(image.name, each): digest for image in catalog.images for each, digest in image.digests.items()}
    keep, seen = [], set()
    for held in store.held():  # the newest of each name first
        key = (held.name, held.architecture)
        if held.shared:
            continue
        if held.digest == pinned.get(key) or (key not in seen and (key not in pinned or held.source == BUILT)):
            keep.append(held)
        seen.add(key)
    return keep


def line(row: dict) -> list[str]:
    """A row for people, who see the path elsewhere: it is long."""
    here = f"{row['digest'].removeprefix('sha256:')[:8]}, {row['age']}" if row["path"] else None
    here = f"{here}, {row['doubt']}" if here and row["doubt"] else here
    absent = row["passed_over"] or ("published" if row["uri"] else "not published")
    several = ["\n".join(row[name]) for name in ("architectures", "stages")]
    return [row["name"], several[0], row["mpi"].replace(", ", "\n"), row["accelerator"], several[1], here or absent]


def _row(image: Image, store: Store, all_held: list[Held], architecture: str) -> dict:
    pinned = image.digests.get(architecture)
    held = store.find(image, architecture)
    mine = [each for each in all_held if (each.name, each.architecture) == (image.name, architecture)]
    passed_over = "; ".join(f"passed over: {why}" for each in mine if (why := store.why_not(each, pinned)))
    accelerator = image.accelerator
    made = sif.created(held.path) if held else None
    return {
        "name": image.name,
        "description": image.description,
        "architectures": image.architectures,
        "mpi": ", ".join(mpi.title for mpi in image.mpi),
        "families": image.families,
        "accelerator": f"{accelerator.toolkit} {accelerator.version}" if accelerator else "none",
        "stages": image.stages,
        "uri": image.uri,
        "digest": held.digest if held else pinned,
        "path": str(held.path) if held else None,
        "built": datetime.datetime.fromtimestamp(made, datetime.UTC).isoformat() if made else None,
        "age": age.words(held.path) if held else None,
        "doubt": held.told(pinned) if held else None,
        "passed_over": passed_over or None,
    }
