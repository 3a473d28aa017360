"""Images: the catalog of hardware variants, how they are built, and the store that keeps them."""

from deeprc.images.catalog import Catalog, Image, load_catalog

__all__ = ["Catalog", "Image", "load_catalog"]
