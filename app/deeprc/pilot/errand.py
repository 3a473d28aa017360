"""A pilot for images alone: `deeprc image pull` where only compute nodes have the runtime."""

from __future__ import annotations

import time
from collections.abc import Sequence

from deeprc.images import leftovers, whole
from deeprc.images.catalog import Image
from deeprc.images.errors import ImageError
from deeprc.images.site import store_of
from deeprc.images.store import Held, Store
from deeprc.images.transfer import address
from deeprc.pilot.allocation import Allocation
from deeprc.pilot.client import Pilot
from deeprc.pilot.pulls import Say
from deeprc.pilot.queueing import Queueing
from deeprc.sites import Site

LOOK = 0.2  # seconds between two looks
NEWS = 15.0  # seconds after which the user hears again


def pull(
    site: Site, wanted: Sequence[tuple[Image, str]], *, partition: str | None = None, account: str | None = None,
    minutes: int = 30, store: Store | None = None, say: Say = lambda _: None,
) -> list[Held]:  # fmt: skip
    """Pull images in a job of one node; nothing is queued for those that are here already.

    Parameters
    ----------
    wanted
        Each with the architecture that it is for.
    account, minutes
        Whom the batch system charges for the job, and how long it may take.
    store
        Where the images go; the site's, if not given.
    """
    store = store or store_of(site)
    folder = leftovers.temporary(store.folder, "pilot")
    allocation = Allocation(site, partition, runtime=minutes, queueing=Queueing(account))
    pilot = Pilot(allocation, folder, image="none", say=say)
    pilot.pulls.store = store
    for image, architecture in wanted:
        if pilot.pulls.here(image, architecture) is None or whole.find(store, image, architecture) is None:
            address(image)  # told before anything is queued
            pilot.pulls.want(image, architecture)
    if pilot.pulls.waiting:
        pilot.planner.check_modules()
        say(f"{site.name} has its runtime on compute nodes only: a job in partition {allocation.partition.name} pulls")
        try:
            pilot.start()
            pilot.submit([])
            _await(pilot, store, wanted, say)
        finally:
            pilot.close()
    return [store.find(*each) for each in wanted]


def _await(pilot: Pilot, store: Store, wanted: Sequence[tuple[Image, str]], say: Say) -> None:
    told = time.monotonic()
    while pilot.pulls.waiting and not pilot.allocation.ended:
        time.sleep(LOOK)
        if time.monotonic() - told > NEWS:
            told = time.monotonic()
            parts = [store.part(image.digests[architecture]) for image, architecture in wanted]
            arrived = sum(part.stat().st_size for part in parts if part.exists())
            running = f"{arrived / 1e6:.0f} MB have arrived" if pilot.allocation.active else "the pilot is starting"
            say(pilot.allocation.queue_state or running)
    if pilot.allocation.ended:
        raise ImageError(pilot.allocation.why)
