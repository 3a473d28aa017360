"""RADICAL-Pilot as an engine (see `engine`): the link to the process that holds it (`broker`)."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from deeprc.core.ownership import private
from deeprc.core.umask import PRIVATE
from deeprc.pilot import curve, patched
from deeprc.pilot.address import LOOPBACK
from deeprc.pilot.batch import give_back, note_job, settle_job
from deeprc.pilot.engine import Launch, PilotNews, TaskNews, Wanted
from deeprc.pilot.environment import broker_environment, check_path, passed_on, refusal
from deeprc.pilot.fitness import UNFIT
from deeprc.pilot.last_words import last_words
from deeprc.pilot.processes import PATIENCE, note_session, sweep
from deeprc.pilot.resource import SPARED, bootstrap_text, resource_config, write_resource_config

GONE = "the process that holds RADICAL-Pilot has ended"


class Link:
    """A broker, and the pipes to it.

    Parameters
    ----------
    folder
        Where all of RADICAL-Pilot's files go; made by `start`, readable by its owner only.
    """

    def __init__(self, folder: Path) -> None:
        for what, path, fix in (
            ("the private folder", folder, "name a plain one by --radical-pilot-folder; the rest may stay"),
            ("the project's environment", Path(sys.prefix), "put the project into a folder of a plain name"),
        ):
            check_path(path, what=what, fix=fix)
        curve.check()
        patched.check()
        self.folder = folder
        self._news: queue.SimpleQueue[PilotNews | TaskNews | None] = queue.SimpleQueue()
        self._wanted: Wanted | None = None
        self._broker: subprocess.Popen | None = None
        self._watch: threading.Thread | None = None
        self._sending, self._closed = threading.Lock(), False

    @property
    def log(self) -> Path:
        """The folder of RADICAL-Pilot's messages."""
        return self.folder / "log"

    def last_words(self) -> tuple[list[str], Path]:
        """The end of what it has written of its failure, and the file that this stands in."""
        return last_words(self.folder)

    def start(self, wanted: Wanted) -> None:
        """Start the broker, and have it submit the pilot."""
        self._wanted = wanted
        for name in ("", "home", "tmp", "log", "sandbox"):
            private(self.folder / name, fix="name another folder for the pilot")
        curve.write(self.folder)
        given = wanted.submission
        bootstrap = self.folder / "bootstrap.sh"
        bootstrap.write_text(bootstrap_text(wanted.site, self.folder, towards=wanted.address) if given else SPARED)
        config = resource_config(
            wanted.site, wanted.partition, sandbox=self.folder / "sandbox", bootstrap=bootstrap, queued=bool(given)
        )
        resource = write_resource_config(self.folder, wanted.site, config)
        own = broker_environment(self.folder, wanted.mark, towards=wanted.address or LOOPBACK, given=given)
        self._broker = subprocess.Popen(
            [sys.executable, "-m", "deeprc.pilot.broker"],
            cwd=self.folder,
            env=passed_on(os.environ) | own,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(self.log / "broker.err").open("wb"),
            umask=PRIVATE,  # of all that RADICAL-Pilot makes; jobs have the user's
            start_new_session=True,  # a Ctrl-C in the terminal is for Snakemake, which then calls close()
            text=True,
        )
        note_session(self.folder, self._broker.pid)
        if given:
            note_job(self.folder, wanted.site.scheduler.name, given.name)
        threading.Thread(target=self._listen, daemon=True).start()
        self._watch = threading.Thread(target=self._await_broker, daemon=True)
        self._watch.start()
        size = {"nodes": wanted.nodes, "cores": wanted.cores, "gpus": wanted.gpus, "runtime": wanted.runtime}
        queued = {"queue": given.queue} if given and given.queue else {}
        job = [wanted.site.scheduler.name, given.name] if given else None
        files = list(map(str, [*wanted.private, self.folder / curve.NAME]))
        self._send(start={"resource": resource, "job": job, "private": files, **size, **queued})

    def submit(self, tasks: Sequence[Launch]) -> None:
        """Hand tasks to RADICAL-Pilot."""
        self._send(submit=[asdict(task) for task in tasks])

    def cancel(self, uids: Sequence[str]) -> None:
        """End tasks that wait or run."""
        self._send(cancel=list(uids))

    def news(self) -> Iterator[PilotNews | TaskNews]:
        """What the broker tells, and its end."""
        yield from iter(self._news.get, None)

    def close(self) -> None:
        """End the broker and all that it has started; ask the batch system to end its job."""
        if self._broker is not None and not self._closed:
            self._send(close=True)
            self._closed = True
            if self._watch:
                self._watch.join(PATIENCE + 5)
            if not self._watch or self._watch.is_alive():
                self._broker.kill()
            # It leads the session of all that it started. Until it is waited for, no other process can get its number.
            sweep(self._wanted.mark, self._broker.pid)
            code = self._broker.wait()
            with contextlib.suppress(BrokenPipeError):  # what it did not take before it died
                self._broker.stdin.close()
            if self._wanted.submission and code:  # else the broker has done so
                give_back(self._wanted.site.scheduler.name, self._wanted.submission.name)
            if self._wanted.submission:
                settle_job(self.folder)
        (self.folder / curve.NAME).unlink(missing_ok=True)
        self._news.put(None)

    def _send(self, **command: object) -> None:
        if self._closed:
            return
        try:
            with self._sending:
                self._broker.stdin.write(json.dumps(command) + "\n")
                self._broker.stdin.flush()
        except BrokenPipeError:
            self._gone()

    def _listen(self) -> None:
        try:
            for line in self._broker.stdout:
                self._news.put(self._read(json.loads(line)))
        except Exception as error:  # a defect of ours: the run ends with it, instead of waiting for ever
            words = f"what RADICAL-Pilot told could not be taken in: {type(error).__name__}: {error}"
            self._news.put(PilotNews("FAILED", words))
            raise

    def _read(self, news: dict) -> PilotNews | TaskNews:
        if "pilot" not in news:
            cores = list(map(tuple, news["cores"]))
            return TaskNews(news["task"], news["state"], news["code"], cores, news["nodes"], news["reason"])
        state, reason, words = news["pilot"], news.get("reason"), self.folder / "refusal"
        refused, broken = state == "FAILED" and words.exists(), ()
        if refused:
            reason = refusal(self._wanted.site, words.read_text())
        elif state == "FAILED" and (unfit := self.folder / UNFIT).exists():  # its first node, which has begun it
            broken = (unfit.read_text().strip(),)
            reason = f"{broken[0]} has no {sys.prefix}"
        return PilotNews(state, reason, news.get("said", ""), reason is not None, refused, broken)

    def _await_broker(self) -> None:
        # Its output says nothing about its end: processes that RADICAL-Pilot has forked hold that open, too.
        os.waitid(os.P_PID, self._broker.pid, os.WEXITED | os.WNOWAIT)
        self._gone()

    def _gone(self) -> None:
        self._news.put(PilotNews("FAILED", GONE, explained=False))
