"""What can go wrong with images."""

from __future__ import annotations

from deeprc.core.errors import DeepRCError


class ImageError(DeepRCError):
    """An image that is missing, damaged or not the one that was asked for, or that cannot be built."""


class RegistryError(DeepRCError):
    """A registry that does not answer, or that does not have what was asked for."""
