"""The images of a site: which folders it keeps them in, and the one that a task runs in."""

from __future__ import annotations

import os

from deeprc.images.catalog import Image, load_catalog
from deeprc.images.errors import ImageError
from deeprc.images.store import Held, Store
from deeprc.sites import Site


def store_of(site: Site | None) -> Store:
    """The store as a site has it: its shared folder first, then the user's own; the environment's names win."""
    if site is None:
        return Store()
    named = {name: os.path.expandvars(text) for name, text in site.storage if name.startswith("image") and text}
    own = os.environ.get("DEEPRC_IMAGES") or named.get("image_cache")
    shared = None if "DEEPRC_SHARED_IMAGES" in os.environ else [named["images"]] if "images" in named else []
    return Store(own if own and "$" not in own else None, shared)


def require(store: Store, image: Image | str, architecture: str) -> Held:
    """The image, or an ImageError that says how to get it.

    Its path holds its digest: a task that was told it runs in this very file, whatever is pulled in the meantime.
    """
    if held := store.find(image, architecture):
        return held
    name, pinned = (image, None) if isinstance(image, str) else (image.name, image.digests.get(architecture))
    named = [held for held in store.held() if (held.name, held.architecture) == (name, architecture)]
    passed_over = "; ".join(f"{held.path.parent}: {why}" for held in named if (why := store.why_not(held, pinned)))
    found = [*([f"not believed: {passed_over}"] if passed_over else []), *store.closed()]
    raise ImageError(
        f"image {name} for {architecture} is not here",
        where=", ".join(map(str, [*store.shared, store.folder])),
        found="; ".join(found) or None,
        expected="files of yours or root's that nobody else may write to, or whose bytes are what the catalog pins"
        if passed_over
        else None,
        fix=load_catalog().advice(name, architecture) if isinstance(image, str) else image.advice(architecture),
    )
