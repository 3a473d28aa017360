"""Images that are read whole before they are copied, signed, sent or kept: disks lose bits and leave size and time."""

from __future__ import annotations

import os

from deeprc.core.errors import command
from deeprc.images import trust
from deeprc.images.catalog import Image
from deeprc.images.errors import ImageError
from deeprc.images.held import Held
from deeprc.images.store import Store


def every(store: Store) -> list[Held]:
    """All images that are here.

    Raises
    ------
    ImageError
        Where a folder that is named in the environment is not there: what is not found would be taken for sound.
    """
    named = {"DEEPRC_IMAGES": [store.folder], "DEEPRC_SHARED_IMAGES": store.shared}
    for name, folders in named.items():
        for folder in folders if os.environ.get(name) else []:
            if why := trust.closed(folder) or (None if folder.is_dir() else f"{folder} is not there"):
                fix = f"correct {name}; `deeprc image pull` and `build` make the folder"
                raise ImageError("no folder of images there", where=name, found=why, fix=fix)
    return store.held()


def none_here(store: Store) -> str:
    """What is said where there is no image, for people."""
    return f"no image here: {', '.join(map(str, [*store.shared, store.folder]))}"


def require(store: Store, held: Held) -> Held:
    """`held`, or an ImageError where its bytes are not those that were put here."""
    if why := store.changed(held, read=True):
        fix = "`deeprc image pull` it again where the catalog pins it, or remove it and build or install it again"
        raise ImageError("not the image that was put here", where=held.path, found=why, fix=fix)
    return held


def find(store: Store, image: Image, architecture: str) -> Held | None:
    """The image, as `Store.find`, once its bytes are those that were put here; None where it must be put there again.

    Raises
    ------
    ImageError
        Where a shared folder's is damaged: runs look there first, so that one of the user's own would not be used.
    """
    held = store.find(image, architecture)
    if held is None or not (why := store.changed(held, read=True)):
        return held
    if held.shared:
        pull = command("deeprc", "image", "pull", image.name, "--to", held.path.parent)
        fix = f"whoever publishes there: {pull}"
        raise ImageError("the image in the shared folder is damaged", where=held.path, found=why, fix=fix)
    return None
