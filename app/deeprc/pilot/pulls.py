"""Images that a pilot's first tasks get: where only compute nodes have the runtime, pulling is a task like any other.

Never in the process that the user started (the design's rule 5): the runtime checks signature and labels, and the login
node has none. Tasks that run in an image wait until all of them are here; whatever else is ready runs meanwhile.
"""

from __future__ import annotations

import os
import shlex
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from deeprc.core.files import tail
from deeprc.core.umask import own_umask
from deeprc.images import sbom
from deeprc.images.catalog import Image
from deeprc.images.errors import ImageError
from deeprc.images.leftovers import SIF, SQUASHFS
from deeprc.images.site import require, store_of
from deeprc.launch import Plan
from deeprc.launch.runtimes import suffix
from deeprc.pilot.environment import users
from deeprc.pilot.launch_scripts import setup
from deeprc.pilot.tasks import Outcome, Task
from deeprc.sites import Site

PREFIX = "image."  # of the names of these tasks
WORDS = 8  # lines of a failed pull that are shown
Say = Callable[[str], None]


@dataclass
class Pull:
    """An image that is wanted, and when its task began."""

    image: Image
    architecture: str
    began: float | None = None


class Pulls:
    """The images that a pilot is to get.

    Parameters
    ----------
    folder
        For the scripts and the output of the tasks; readable by its owner only.
    say
        Takes a line for the user.
    """

    def __init__(self, site: Site, folder: Path, say: Say = lambda _: None) -> None:
        self._site, self._folder, self._say = site, folder, say
        self.store = store_of(site)  # where they are put
        self._suffix = suffix(site.runtime.kind)
        self.environment: Path = folder / "environment"  # the user's, for the tasks; may hold secrets
        self._wanted: dict[str, Pull] = {}
        self._checked: set[Path] = set()  # images whose SBOM is what the catalog says
        self._behind: list[Task] = []
        self._lock = threading.Lock()  # tasks are submitted in one thread and end in others

    def __contains__(self, uid: str) -> bool:
        """Whether a task of that name gets one."""
        return uid in self._wanted

    @property
    def waiting(self) -> bool:
        """Whether an image that is wanted is not here yet."""
        return bool(self._wanted)

    def path(self, image: Image, architecture: str) -> Path:
        """Where the image is, or will be.

        Its name holds its digest: a task runs in this very file, whatever is pulled in the meantime.

        Raises
        ------
        ImageError
            Where it is not here and is no task's to get: the runtime is on this machine, too, or nothing is published.
        """
        if path := self.here(image, architecture):
            return path
        digest = image.digests.get(architecture)
        if self._site.runtime.where == "compute" and image.uri is not None and digest is not None:
            self.want(image, architecture)
            return self.store.path(image.name, architecture, digest).with_suffix(self._suffix)
        held = require(self.store, image, architecture)
        fix = f"`deeprc image pull --site {self._site.name}` writes it"
        raise ImageError(f"image {image.name} is not here as {self._suffix}", where=held.path, fix=fix)

    def here(self, image: Image, architecture: str) -> Path | None:
        """The file that the site's runtime takes, if it is here; an error where it is not what the catalog says."""
        held = self.store.find(image, architecture)
        if held and held.path not in self._checked:
            sbom.check(held.path, image)
            self._checked.add(held.path)
        if held is None or self._suffix == SIF:
            return held and held.path
        return None if self.store.squashfs_fault(held) else self.store.squashfs(held)

    def want(self, image: Image, architecture: str) -> None:
        """Have it pulled."""
        with self._lock:
            self._wanted.setdefault(f"{PREFIX}{image.name}.{architecture}", Pull(image, architecture))

    def sort(self, tasks: Sequence[Task], plan: Callable[[], Plan]) -> list[Task]:
        """What is to run now: tasks that pull what is wanted, and those of `tasks` that need no image, or have theirs.

        `plan` gives that of a task of one rank without an image.
        """
        with self._lock:
            fresh = [uid for uid, pull in self._wanted.items() if pull.began is None]
            environment = str(self.environment)
            pulling = [
                Task(uid, ["/bin/bash", str(self._begin(uid, plan()))], environment=environment) for uid in fresh
            ]
            held = [task for task in tasks if task.contained] if self._wanted else []
            self._behind += held
        return [*pulling, *(task for task in tasks if task not in held)]

    def drop(self, uids: Sequence[str]) -> list[str]:
        """Forget tasks that wait for their image; return the names of those that did."""
        with self._lock:
            dropped = [task.uid for task in self._behind if task.uid in uids]
            self._behind = [task for task in self._behind if task.uid not in dropped]
        return dropped

    def ended(self, outcome: Outcome) -> tuple[str | None, list[Task]]:
        """Take note of the end of a pull: why the image is not here, if so; and the tasks that have waited for it."""
        with self._lock:
            pull = self._wanted.pop(outcome.uid)
            if outcome.state != "DONE":
                why = outcome.reason or f"its task {outcome.state.lower()}"
                words = tail(self.output(outcome.uid), WORDS) or [why]
                return "\n    ".join([f"image {pull.image.name} could not be pulled:", *words]), []
            self._say(f"image {pull.image.name} is here ({time.monotonic() - pull.began:.0f} s)")
            free, self._behind = ([], self._behind) if self._wanted else (self._behind, [])
            return None, free

    def output(self, uid: str) -> Path:
        """What the task of that name writes."""
        return self._folder / f"{uid}.out"

    def kept(self) -> Path:
        """The file of the user's environment, written where it is not there yet."""
        if not self.environment.exists():
            self.environment.touch(mode=0o600)
            self.environment.write_bytes(users(os.environb, elsewhere=self._site.batch))
        return self.environment

    def _begin(self, uid: str, plan: Plan) -> Path:
        """Write the script of a pull."""
        pull = self._wanted[uid]
        pull.began = time.monotonic()
        self._say(f"image {pull.image.name} is not here: the pilot's first task pulls it")
        script = self._folder / f"{uid}.sh"
        self.kept()
        modules = list(dict.fromkeys([*plan.modules, *self._site.runtime.modules]))
        lines = [
            "#!/usr/bin/env bash",
            f"exec < /dev/null > {shlex.quote(str(self.output(uid)))} 2>&1",
            f"umask {own_umask()}",  # others may read images
            f"cd {shlex.quote(str(Path.cwd()))}",  # where the catalog is looked for
            *setup(replace(plan, modules=modules)),
            f"exec {shlex.join(self._command(pull))}",
            "",
        ]
        script.write_text("\n".join(lines))
        return script

    def _command(self, pull: Pull) -> list[str]:
        image, to = pull.image, str(self.store.folder)
        # A user's own folder is closed to others where his umask says so; one that is meant for all is not.
        place = [] if self.store.public else ["env", f"DEEPRC_IMAGES={to}", "DEEPRC_SHARED_IMAGES="]
        program = [*place, str(Path(sys.executable).with_name("deeprc")), "image", "pull", image.name]
        options = ["--arch", pull.architecture, "--digest", image.digests[pull.architecture]]
        options += ["--to", to] if self.store.public else []
        options += ["--squashfs"] if self._suffix == SQUASHFS else []
        return [*program, *options, "--from", image.uri]
