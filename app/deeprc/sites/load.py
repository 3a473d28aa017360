"""Finding and reading site files."""

from __future__ import annotations

import os
from pathlib import Path

from deeprc.errors import ConfigError, unknown
from deeprc.sites.model import Site
from deeprc.validation import read_yaml, validate


def sites_folder() -> Path:
    """The folder of the site files: $DEEPRC_SITES, else `site-configs` here, else the checkout's."""
    named = os.environ.get("DEEPRC_SITES")
    checkout = Path(__file__).resolve().parents[3]
    for folder in [Path(named)] if named else [Path("site-configs").absolute(), checkout / "site-configs"]:
        if folder.is_dir():
            return folder
    raise ConfigError(
        "no folder of site files",
        found=named or "no `site-configs` in the working directory",
        fix="run from the repository's root, or set DEEPRC_SITES to its site-configs folder",
    )


def known_sites() -> list[str]:
    """The names of the shipped sites, sorted."""
    return sorted(path.parent.name for path in sites_folder().glob("*/site.yaml"))


def load_site(name: str | Path) -> Site:
    """The site of that name, or the one that a path (a site.yaml, or its folder) holds."""
    path = Path(name)
    if path.is_dir() and (path / "site.yaml").is_file():
        path = path / "site.yaml"
    elif not path.is_file():
        if os.sep in str(name):
            raise ConfigError("no such site file", where=path, expected="a site.yaml, or a folder that holds one")
        if str(name) not in known_sites():
            raise unknown("site", str(name), known_sites(), where=sites_folder())
        path = sites_folder() / str(name) / "site.yaml"
    return validate(Site, read_yaml(path), where=path)
