"""A copy of the checkout's packages to build from: a build writes beside its source, which may not be ours."""

from __future__ import annotations

import shutil
from importlib.metadata import version
from pathlib import Path

from deeprc.core.shipped import FOLDERS

FILES = ("pyproject.toml", "hatch_build.py", "README.md", "LICENSE")
PLUGIN = "app/snakemake_executor_plugin_radical_pilot"  # has a wheel of its own
GENERATED = shutil.ignore_patterns("__pycache__", "*.egg-info", ".spack-env", ".snakemake")


def copy_source(checkout: Path, folder: Path, *, shipped: bool = True) -> Path:
    """Copy what `pip install` needs of a checkout into a new folder, and return that.

    What is installed from it has the version that runs here: the copy has no tags.

    Parameters
    ----------
    shipped
        Whether sites, workflows, containers and Spack environments come along, which stages in an image do not read.
    """
    folder.mkdir(parents=True)
    shutil.copytree(checkout / "app", folder / "app", ignore=GENERATED)
    for name in FILES:
        if (checkout / name).exists():
            shutil.copy(checkout / name, folder / name)
    for name in FOLDERS if shipped else ():
        if (checkout / name).is_dir():
            shutil.copytree(checkout / name, folder / name, ignore=GENERATED)
    for project, name in ((folder, "deeprc"), (folder / PLUGIN, PLUGIN.rpartition("/")[2].replace("_", "-"))):
        if project.is_dir():
            written = f"Metadata-Version: 2.4\nName: {name}\nVersion: {version('deeprc')}\n"
            (project / "PKG-INFO").write_text(written, encoding="utf-8")
    return folder
