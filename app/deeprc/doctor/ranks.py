"""Starting ranks through the site's real launch line, and ending all of them when they take too long."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

import deeprc
from deeprc.images.catalog import Image
from deeprc.launch import Layout, Plan, compose
from deeprc.launch.text import exports, launch_line
from deeprc.sites import Partition, Site
from deeprc.sites.setting import Comm, Setting
from deeprc.sites.software import LauncherFact

GRACE = 5.0  # seconds between asking a launcher to end and ending all that is left of it
SAID = 4_000_000  # characters of a log that are kept; libfabric at its most talkative writes some hundred thousand
PACKAGE, INSIDE = Path(deeprc.__file__).parent, "/opt/deeprc-doctor"
MODULE_FAILED = 90  # exit code


@dataclass(frozen=True)
class Case:
    """Where and how the ranks are started. Without an image they run in the environment of this process."""

    site: Site
    partition: Partition
    layout: Layout
    image: Image | None = None
    image_path: str | None = None
    patience: float = 120.0

    def with_gpus(self, each: int) -> Case:
        """The same with accelerators for each rank, and no more ranks than there are accelerators for."""
        layout, room = self.layout, max(1, self.partition.gpus // each)
        ranks = min(layout.ranks, layout.nodes * room)
        return replace(self, layout=replace(layout, ranks=ranks, gpus_per_rank=each))

    def with_launcher(self, name: str) -> Case:
        """The same with another launcher of the site's."""
        launcher = LauncherFact(name=name)  # what it speaks is not what another one does: the ranks will tell
        partition = self.partition.model_copy(update={"launcher": None})
        return replace(self, site=self.site.model_copy(update={"launcher": launcher}), partition=partition)


@dataclass(frozen=True)
class Output:
    """What came of it; `code` is None where it took too long, and was ended. `image`: the ranks are in a container."""

    line: str
    code: int | None
    out: str
    err: str
    seconds: float
    image: bool = False

    @property
    def all(self) -> str:
        """Both streams: libraries log to either."""
        return f"{self.out}\n{self.err}"


def plan(case: Case, module: str, words: list[str], *, comm: Comm = "mpi", logging: dict | None = None) -> Plan:
    """The plan of a probe, `logging` being variables for its ranks: the real one, made as for any task."""
    # As a setting of the site, what the probes need gets to the ranks on the way that the site's own settings take.
    needs = Setting(description="the doctor's", environment=logging or {})
    if case.image:  # which may be older than this doctor: its own package is bound in, and found before the image's
        needs = needs.model_copy(
            update={"binds": [f"{PACKAGE}:{INSIDE}/deeprc:ro"], "container": {"PYTHONPATH": INSIDE}}
        )
    site = case.site.model_copy(update={"settings": [*case.site.settings, needs]})
    python = "python" if case.image else sys.executable
    command = [python, "-P", "-m", f"deeprc.doctor.probe.{module}", str(int(case.patience)), *words]
    return compose(
        site, case.partition, case.layout, command, image=case.image, image_path=case.image_path, comm=comm
    )  # fmt: skip


def start(made: Plan, patience: float) -> Output:
    """Run a plan's launch line; after `patience` seconds everything that it has started is ended."""
    line = launch_line(made)
    began = time.monotonic()
    with tempfile.TemporaryFile("w+", errors="replace") as out, tempfile.TemporaryFile("w+", errors="replace") as err:
        # Files, since a rank that outlives its launcher would keep a pipe open, and us waiting.
        process = subprocess.Popen(
            ["bash", "-c", script(made)], stdout=out, stderr=err, stdin=subprocess.DEVNULL, start_new_session=True
        )
        try:
            code: int | None = process.wait(patience)
        except subprocess.TimeoutExpired:
            code = None
        except BaseException:
            end(process)
            raise
        if code is None:
            end(process)
        texts = []
        for stream in (out, err):
            stream.seek(0)
            texts.append(stream.read(SAID))
    return Output(line, code, *texts, time.monotonic() - began, image=made.image is not None)


def script(made: Plan) -> str:
    """The plan as a script: modules, environment, launch line."""
    lines = []
    if made.modules:
        lines.append("type module >/dev/null 2>&1 || . /etc/profile")
    for line in exports(made):
        failed = f" || {{ echo 'deeprc: {line} failed' >&2; exit {MODULE_FAILED}; }}"
        lines.append(line + (failed if line.startswith("module ") else ""))
    return "\n".join([*lines, f"exec {launch_line(made)}", ""])


def end(process: subprocess.Popen) -> None:
    """End a launcher and all that it has started: ranks and proxies may have left its process group."""
    try:
        parent = psutil.Process(process.pid)
        members = [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        members = []
    _signal_group(process.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(GRACE)
    _signal_group(process.pid, signal.SIGKILL)
    for member in members:
        try:
            member.kill()  # psutil makes sure that the number is still that process's
        except psutil.NoSuchProcess:
            continue
    process.wait(GRACE)
    psutil.wait_procs(members, GRACE)  # a killed process is there for a moment longer


def _signal_group(group: int, number: int) -> None:
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return


def here(path: str) -> str:
    """A site's path on this machine, `$NAME` filled in."""
    return str(Path(os.path.expandvars(path)).expanduser())
