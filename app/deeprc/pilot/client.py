"""The near side of a pilot: start it, hand it tasks, hear what became of them, close it."""

from __future__ import annotations

import json
import os
import queue
import shutil
import subprocess
import sys
import threading
import time
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path

from deeprc.errors import DeepRCError
from deeprc.pilot.broker import CLOSING
from deeprc.pilot.processes import MARK, sweep
from deeprc.pilot.resource import resource_config, write_resource_config
from deeprc.sites import Site


class PilotError(DeepRCError):
    """The pilot could not be started, or ended before its tasks."""

    exit_code = 5


@dataclass(frozen=True)
class Task:
    """A command that the pilot runs on `ranks` ranks."""

    uid: str
    argv: list[str]
    ranks: int = 1
    cores_per_rank: int = 1
    gpus_per_rank: int = 0


@dataclass(frozen=True)
class Outcome:
    """How a task ended: DONE, FAILED or CANCELED; `cores` are the (node, core) pairs that it had."""

    uid: str
    state: str
    code: int | None
    cores: list[tuple[str, int]]
    reason: str | None


class Pilot:
    """One pilot on a site's partition.

    Parameters
    ----------
    folder
        Where all of RADICAL-Pilot's files go; made by `start`, readable by its owner only.
    runtime
        How long the pilot may live, minutes.
    """

    def __init__(
        self, site: Site, folder: Path, *, partition: str | None = None, nodes: int = 1, cores: int | None = None,
        runtime: int = 60,
    ) -> None:  # fmt: skip
        self.site, self.partition = site, site.partition(partition)
        if cores is not None:
            self.partition = self.partition.model_copy(update={"cores": cores})
        self.nodes, self.runtime, self.folder = nodes, runtime, folder.absolute()
        self.mark = uuid.uuid4().hex
        self.state = "NEW"
        self.reason: str | None = None
        self._outcomes: queue.SimpleQueue[Outcome] = queue.SimpleQueue()
        self._broker: subprocess.Popen | None = None

    @property
    def cores(self) -> int:
        """Cores of the whole pilot."""
        return self.nodes * self.partition.cores

    @property
    def gpus(self) -> int:
        """Accelerators of the whole pilot."""
        return self.nodes * self.partition.gpus

    @property
    def ended(self) -> bool:
        """Whether no task can run any more."""
        return self.state in {"FAILED", "CANCELED", "DONE", "CLOSED"}

    def start(self) -> None:
        """Start the pilot and return at once; `state` becomes PMGR_ACTIVE when it runs tasks."""
        for name in ("", "home", "tmp", "log", "sandbox"):
            (self.folder / name).mkdir(parents=True, exist_ok=True, mode=0o700)
        config = resource_config(
            self.site, self.partition, environment=Path(sys.prefix), sandbox=self.folder / "sandbox"
        )
        resource = write_resource_config(self.folder, self.site, config)
        self.state = "STARTING"
        self._broker = subprocess.Popen(
            [sys.executable, "-m", "deeprc.pilot.broker"],
            cwd=self.folder,
            env=os.environ | broker_environment(self.folder, self.mark),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(self.folder / "log" / "broker.err").open("wb"),
            start_new_session=True,  # a Ctrl-C in the terminal is for Snakemake, which then closes the pilot
            text=True,
        )
        threading.Thread(target=self._listen, daemon=True).start()
        start = {"nodes": self.nodes, "cores": self.cores, "gpus": self.gpus, "runtime": self.runtime}
        self._send(start={"resource": resource, "local": self.site.scheduler == "fork", **start})

    def submit(self, tasks: list[Task]) -> None:
        """Hand tasks to the pilot; they wait there for free cores."""
        self._send(submit=[asdict(task) for task in tasks])

    def cancel(self, uids: list[str]) -> None:
        """End tasks that wait or run."""
        self._send(cancel=uids)

    def outcomes(self) -> list[Outcome]:
        """The tasks that ended since the last call."""
        ended = []
        while not self._outcomes.empty():
            ended.append(self._outcomes.get())
        return ended

    def close(self, *, keep: bool = False) -> float:
        """End the pilot and everything that it started; return the seconds that took.

        Its files are removed, unless `keep`.
        """
        started = time.monotonic()
        self.state = "CLOSED"
        if self._broker is not None:
            try:
                self._send(close=True)
                self._broker.stdin.close()
                self._broker.wait(timeout=CLOSING + 5)
            except (BrokenPipeError, subprocess.TimeoutExpired):
                self._broker.kill()
                self._broker.wait()
            sweep(self.mark)
        if not keep:
            shutil.rmtree(self.folder, ignore_errors=True)
        return time.monotonic() - started

    def fail(self, reason: str) -> None:
        """Give the pilot up: no task will end well any more."""
        if not self.ended:
            self.state, self.reason = "FAILED", f"{reason}; RADICAL-Pilot's messages: {self.folder / 'log'}"

    def _send(self, **command: object) -> None:
        if self._broker is None or self._broker.stdin.closed:
            return
        try:
            self._broker.stdin.write(json.dumps(command) + "\n")
            self._broker.stdin.flush()
        except BrokenPipeError:
            self.fail("the process that holds RADICAL-Pilot has ended")

    def _listen(self) -> None:
        for line in self._broker.stdout:
            news = json.loads(line)
            if "pilot" in news:
                if not self.ended:
                    self.state = news["pilot"]
                    self.reason = news.get("reason", self.reason)
            elif news["state"] != "AGENT_EXECUTING":
                cores = [tuple(core) for core in news["cores"]]
                self._outcomes.put(Outcome(news["task"], news["state"], news["code"], cores, news["reason"]))
        self.fail("the process that holds RADICAL-Pilot has ended")


def broker_environment(folder: Path, mark: str) -> dict[str, str]:
    """What the broker, and so the agent and its tasks, find in their environment beside the client's own.

    HOME and TMPDIR are private folders, since RADICAL-Pilot and PSI/J write there; a task that is to see the user's own
    must set them back.
    """
    return {
        MARK: mark,
        "PWD": str(folder),  # RADICAL-Pilot asks $PWD where to put its session folder, not the system
        "HOME": str(folder / "home"),
        "TMPDIR": str(folder / "tmp"),
        "VIRTUAL_ENV": sys.prefix,
        "PATH": f"{sys.prefix}/bin{os.pathsep}{os.environ['PATH']}",
        "RADICAL_BASE": str(folder),
        "RADICAL_CONFIG_USER_DIR": str(folder),
        "RADICAL_LOG_TGT": str(folder / "log" / "radical.log"),
        "RADICAL_LOG_LVL": "ERROR",
        "RADICAL_PROFILE": "FALSE",
        "RADICAL_REPORT": "FALSE",
        "PYTHONUNBUFFERED": "1",
    }
