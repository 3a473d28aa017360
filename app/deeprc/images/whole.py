"""Images that are read whole before they are copied, signed, sent or kept: disks lose bits and leave size and time."""

from __future__ import annotations

from deeprc.images.catalog import Image
from deeprc.images.errors import ImageError
from deeprc.images.held import Held
from deeprc.images.store import Store


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
        fix = f"whoever publishes there: `deeprc image pull {image.name} --to {held.path.parent}`"
        raise ImageError("the image in the shared folder is damaged", where=held.path, found=why, fix=fix)
    return None
