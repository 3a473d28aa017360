"""Puts what is shipped into a wheel: top-level folders of a checkout, below deeprc/share (deeprc.core.shipped)."""

from pathlib import Path

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FOLDERS = ("site-configs", "workflows", "containers", "spack-env")
GENERATED = {".spack-env", ".snakemake", "__pycache__"}


class Shipped(BuildHookInterface):
    """An editable install reads the checkout's folders, and the wheel of an image is built from a copy without them."""

    def initialize(self, version: str, build_data: dict) -> None:
        """Add the files, one by one: what is generated beside them stays out."""
        for path in (path for name in FOLDERS for path in Path(self.root, name).rglob("*") if version != "editable"):
            inner = path.relative_to(self.root)
            if path.is_file() and not GENERATED.intersection(inner.parts):
                build_data["force_include"][str(path)] = f"deeprc/share/{inner}"
