"""A module per image of a release: `module load deeprc/0.1.0-cpu` chooses it for all that runs."""

from __future__ import annotations

from pathlib import Path

from deeprc.core.errors import ConfigError, command, unknown
from deeprc.images.catalog import load_catalog
from deeprc.images.store import Store
from deeprc.launch.images import verdicts
from deeprc.modules.release import Release, System, versions, write_modulefiles
from deeprc.modules.text import Chosen
from deeprc.sites import Site


def publish_images(release: Release, site: Site, systems: list[System]) -> tuple[list[Path], list[str]]:
    """Write modulefiles for the images in the release's folder of images that run on the site.

    Returns the files, and for each image that gets none, why.

    Raises
    ------
    ConfigError
        Where the release is not published, none of its images is there, or another release has a module's name.
    """
    if not release.published:
        raise unknown("version", release.version, versions(release.prefix), where=release.prefix)
    catalog, store = load_catalog(release.folder / "containers" / "catalog.yaml"), Store(release.images, [])
    helds, rows = store.held(), verdicts(catalog, site)
    written, left = [], []
    for name in dict.fromkeys(held.name for held in reversed(helds)):
        fits = [row for row in rows if row["name"] == name and row["verdict"] != "refuse"]
        image = catalog.find(name)
        if image is None or not fits:
            why = next((row["reason"] for row in rows if row["name"] == name), "not an image of the release's catalog")
            left.append(f"{name}: {why}")
        elif held := store.find(image, fits[0]["architecture"]):
            module = f"{release.version}-{name}"
            if Release(release.prefix, module).folder.exists():
                raise ConfigError(f"{module} is a release of its own", where=release.prefix, fix="give it another name")
            written += write_modulefiles(release, site, systems, module, Chosen(image, held.path))
        else:
            whys = [store.why_not(held, image.digests.get(held.architecture)) for held in helds if held.name == name]
            left.append(f"{name}: {next(filter(None, whys), 'not the one that the catalog pins')}")
    if not written:
        found = "; ".join(left) or "no image at all"
        fix = command("deeprc", "image", "pull", "--site", site.name, "--to", release.images)
        raise ConfigError("no image for a module here", where=release.images, found=found, fix=fix)
    return written, left
