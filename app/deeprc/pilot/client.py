"""The near side of a pilot: start it, hand it tasks, hear what became of them, close it."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import shutil
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from deeprc.errors import ConfigError
from deeprc.launch import Layout, Plan, compose
from deeprc.pilot.processes import MARK, PATIENCE, sweep
from deeprc.pilot.resource import resource_config, write_resource_config
from deeprc.pilot.tasks import Outcome, Task
from deeprc.pilot.workers import Workers
from deeprc.sites import Site

HOOKS = Path(__file__).with_name("hooks")  # of RADICAL-Pilot's processes
GONE = "the process that holds RADICAL-Pilot has ended"


class Pilot:
    """One pilot on a site's partition.

    `state` is NEW, STARTING, RADICAL-Pilot's own state of it (`active` once it runs tasks), FAILED or CLOSED; `running`
    holds the tasks that run and since when (seconds since the epoch).

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
        for name, count in (("nodes", nodes), ("cores", cores), ("runtime", runtime)):
            if count is not None and count < 1:
                raise ConfigError(f"a pilot without {name}", found=f"{name} = {count}", expected="1 or more")
        self.site, self.partition = site, site.partition(partition)
        if cores is not None:
            self.partition = self.partition.model_copy(update={"cores": cores, "reserved_cores": []})
        self.nodes, self.runtime, self.folder = nodes, runtime, folder.absolute()
        self.mark = uuid.uuid4().hex
        self.state = "NEW"
        self.reason: str | None = None
        self.running: dict[str, float] = {}
        self._outcomes: queue.SimpleQueue[Outcome] = queue.SimpleQueue()
        self._broker: subprocess.Popen | None = None
        self._active_since: float | None = None
        self._workers: Workers | None = None
        self._several: dict[str, Task] = {}  # those of several ranks, which RADICAL-Pilot starts one by one
        self._cancelled: set[str] = set()
        self._sending = threading.Lock()

    @property
    def cores(self) -> int:
        """Cores of the whole pilot."""
        return self.nodes * self.partition.usable_cores

    @property
    def gpus(self) -> int:
        """Accelerators of the whole pilot."""
        return self.nodes * self.partition.gpus

    @property
    def active(self) -> bool:
        """Whether it runs tasks."""
        return self.state == "PMGR_ACTIVE"

    @property
    def remaining(self) -> float:
        """Seconds that the pilot may still live."""
        lived = time.monotonic() - self._active_since if self._active_since is not None else 0.0
        return self.runtime * 60 - lived

    @property
    def why(self) -> str:
        """Why it has ended."""
        if self.reason is None and self.remaining < 15:
            return f"its time of {self.runtime} min is over"
        return self.reason or f"RADICAL-Pilot says: {self.state}"

    @property
    def ended(self) -> bool:
        """Whether no task can run any more."""
        return self.state in {"FAILED", "CANCELED", "DONE", "CLOSED"}

    def plan(self, task: Task) -> Plan:
        """How a task is started: what `deeprc plan` prints, with the nodes left to the pilot."""
        nodes = -(-task.ranks * task.cores_per_rank // self.partition.usable_cores)
        layout = Layout(task.ranks, task.cores_per_rank, task.gpus_per_rank, nodes)
        return compose(self.site, self.partition, layout, task.argv, placed=True)

    def start(self) -> None:
        """Start the pilot and return at once."""
        for name in ("", "home", "tmp", "log", "sandbox"):
            (self.folder / name).mkdir(parents=True, exist_ok=True, mode=0o700)
        config = resource_config(
            self.site, self.partition, environment=Path(sys.prefix), sandbox=self.folder / "sandbox"
        )
        resource = write_resource_config(self.folder, self.site, config)
        local = self.site.scheduler.name == "fork"
        self.state = "STARTING"
        self._broker = subprocess.Popen(
            [sys.executable, "-m", "deeprc.pilot.broker"],
            cwd=self.folder,
            env=passed_on(os.environ) | broker_environment(self.folder, self.mark, local=local),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(self.logs / "broker.err").open("wb"),
            start_new_session=True,  # a Ctrl-C in the terminal is for Snakemake, which then calls close()
            text=True,
        )
        threading.Thread(target=self._listen, daemon=True).start()
        self._watch = threading.Thread(target=self._await_broker, daemon=True)
        self._watch.start()
        self._workers = Workers(
            self.cores,
            self.gpus,
            self.folder,
            local=local,
            launch=self._launch,
            report=self._report,
            began=lambda uid: self.running.update({uid: time.time()}),
        )
        size = {"nodes": self.nodes, "cores": self.cores, "gpus": self.gpus, "runtime": self.runtime}
        self._send(start={"resource": resource, "local": local, **size})

    def submit(self, tasks: list[Task]) -> None:
        """Hand tasks to the pilot; they wait there for free cores."""
        self._workers.submit(tasks)
        several = [task for task in tasks if task.ranks > 1]
        self._several |= {task.uid: task for task in several}
        if several:
            self._launch(several)

    def cancel(self, uids: list[str]) -> None:
        """End tasks that wait or run."""
        others = self._workers.cancel(uids)
        self._cancelled |= {*others}
        if others:
            self._send(cancel=others)

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
        if self._workers is not None:
            self._workers.close()
        if self._broker is not None:
            self._send(close=True)
            self._watch.join(PATIENCE + 5)
            if self._watch.is_alive():
                self._broker.kill()
            # It leads the session of all that it started. Until it is waited for, no other process can get its number.
            sweep(self.mark, self._broker.pid)
            self._broker.wait()
            with contextlib.suppress(BrokenPipeError):  # what it did not take before it died
                self._broker.stdin.close()
        if not keep:
            shutil.rmtree(self.folder, ignore_errors=True)
        return time.monotonic() - started

    @property
    def logs(self) -> Path:
        """The folder of RADICAL-Pilot's messages."""
        return self.folder / "log"

    def fail(self, reason: str) -> None:
        """Give the pilot up: no task will end well any more."""
        if not self.ended:
            self.state, self.reason = "FAILED", reason

    def _send(self, **command: object) -> None:
        try:
            with self._sending:
                self._broker.stdin.write(json.dumps(command) + "\n")
                self._broker.stdin.flush()
        except BrokenPipeError:
            self.fail(GONE)

    def _listen(self) -> None:
        for line in self._broker.stdout:
            news = json.loads(line)
            if "pilot" in news:
                if not self.ended:
                    self.state = news["pilot"]
                    if self.active and self._active_since is None:
                        self._active_since = time.monotonic()
                    self.reason = news.get("reason", self.reason)
            else:
                self._hear(news["task"], news["state"], news["code"], list(map(tuple, news["cores"])), news["reason"])

    def _hear(self, uid: str, state: str, code: int | None, cores: list, reason: str | None) -> None:
        """News of a worker, or of a task of several ranks."""
        self._workers.news(uid, state, cores, reason)
        task = self._several.get(uid)
        if task is None:
            return
        if state == "AGENT_EXECUTING":
            self.running[uid] = time.time()
            return
        del self._several[uid]
        if state == "CANCELED" and uid not in self._cancelled and task.timeout:
            state, reason = "FAILED", f"ended after its runtime of {task.timeout / 60:g} min"
        self._report(Outcome(uid, state, code, cores, reason))

    def _launch(self, tasks: list[Task]) -> None:
        self._send(submit=[asdict(task) for task in tasks])

    def _report(self, outcome: Outcome) -> None:
        self.running.pop(outcome.uid, None)
        self._outcomes.put(outcome)

    def _await_broker(self) -> None:
        # Its output says nothing of its end: processes that RADICAL-Pilot has forked hold that open, too.
        os.waitid(os.P_PID, self._broker.pid, os.WEXITED | os.WNOWAIT)
        self.fail(GONE)


def passed_on(environment: Mapping[str, str]) -> dict[str, str]:
    """The part of the client's environment that RADICAL-Pilot can hand to its agent.

    It writes `export NAME="value"` into scripts, where a shell expands what looks like an expansion, and fails or even
    runs it: `make` exports `MAKEOVERRIDES=${-*-command-variables-*-}`. The jobs' scripts set the whole environment.
    """
    return {name: value for name, value in environment.items() if not {"$", "`"} & set(value)}


def broker_environment(folder: Path, mark: str, *, local: bool) -> dict[str, str]:
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
        "PYTHONPATH": os.pathsep.join(filter(None, [str(HOOKS), os.environ.get("PYTHONPATH")])),
        "DEEPRC_LOOPBACK": "1" if local else "",
        "RADICAL_BASE": str(folder),
        "RADICAL_CONFIG_USER_DIR": str(folder),
        "RADICAL_LOG_TGT": str(folder / "log" / "radical.log"),
        "RADICAL_LOG_LVL": "ERROR",
        "RADICAL_PROFILE": "FALSE",
        "RADICAL_REPORT": "FALSE",
        "PYTHONUNBUFFERED": "1",
    }
