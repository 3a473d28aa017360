"""The checks of `deeprc doctor --security`, in their order, and where they look."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from deeprc.doctor.result import CheckResult
from deeprc.doctor.security.folders import folders, workdir
from deeprc.doctor.security.leftovers import secrets
from deeprc.doctor.security.listening import pilots
from deeprc.doctor.security.place import Place
from deeprc.doctor.security.programs import namespace, programs, umask
from deeprc.doctor.security.sockets import libzmq, sockets
from deeprc.images.site import store_of
from deeprc.launch.nodecopy import own_folder
from deeprc.sites import Site

CHECKS: dict[str, Callable[[Place], list[CheckResult]]] = {
    "libzmq": lambda place: libzmq(),
    "sockets": sockets,
    "folders": lambda place: folders(place) + workdir(Path.cwd()),
    "programs": lambda place: programs(),
    "namespace": lambda place: namespace(),
    "umask": lambda place: umask(),
    "secrets": secrets,
}


def look(folder: Path, site: Site | None) -> Place:
    """Where the checks look: the private folder of runs, its pilots that run here, and the site's images."""
    folder = folder.absolute()
    inside, elsewhere = [], []
    for pilot in pilots(folder):
        (inside if pilot.folder.is_relative_to(folder.resolve()) else elsewhere).append(pilot)
    local = site.storage.node_local if site else None
    return Place(folder, inside, elsewhere, store_of(site), own_folder(local) if local else None)
