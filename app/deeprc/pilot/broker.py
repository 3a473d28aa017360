"""The process that holds RADICAL-Pilot: `python -m deeprc.pilot.broker`, started by `deeprc.pilot.client`.

It is a process of its own because RADICAL-Pilot wants its own environment (HOME, TMPDIR, log settings), writes to
standard output, starts dozens of threads, and must outlive a Ctrl-C that is meant for Snakemake. Both sides speak JSON
lines: commands come on standard input, news go to standard output. The end of the input means that the client is
gone, however it ended: the pilot is closed then, so that no crash leaves an allocation behind.

Commands: `{"start": {…}}` first, then `{"submit": [{…}]}`, `{"cancel": [uid, …]}`, `{"close": true}`.
News: `{"pilot": state, …}`, `{"task": uid, "state": state, "code": exit code, "cores": [[node, core], …]}`.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from typing import Any, TextIO

from deeprc.pilot.processes import MARK, sweep

FINAL = {"DONE", "FAILED", "CANCELED"}
CLOSING = 10.0  # seconds that a batch system's session may take to close


class Broker:
    """One RADICAL-Pilot session with one pilot, driven by commands."""

    def __init__(self, news: TextIO) -> None:
        self._news, self._lock = news, threading.Lock()
        self._session = self._tasks = None

    def tell(self, **item: Any) -> None:
        """Send one item of news."""
        with self._lock:
            self._news.write(json.dumps(item) + "\n")
            self._news.flush()

    def start(self, resource: str, local: bool, nodes: int, cores: int, gpus: int, runtime: int) -> None:
        """Open the session and submit the pilot; `runtime` in minutes, `local`: there is no batch system."""
        self._local = local
        import radical.pilot as rp

        self._rp = rp
        self._session = rp.Session()
        pilots = rp.PilotManager(session=self._session)
        self.tell(pilot="SUBMITTING")
        pilot = pilots.submit_pilots(
            rp.PilotDescription(
                {
                    "resource": resource,
                    "nodes": nodes,
                    "cores": cores,
                    "gpus": gpus,
                    "runtime": runtime,
                    "exit_on_error": False,  # else RADICAL-Pilot ends this process with sys.exit in a thread
                }
            )
        )
        pilot.register_callback(lambda pilots: self.tell(pilot=pilots[0].state))
        # The agent boots meanwhile: what can be made ready beside it, is.
        self._tasks = rp.TaskManager(session=self._session)
        self._tasks.register_callback(self._on_task)
        self._tasks.add_pilots(pilot)

    def submit(self, tasks: list[dict]) -> None:
        """Hand tasks (see `client.Task`) to the pilot."""
        self._tasks.submit_tasks(
            [
                self._rp.TaskDescription(
                    {
                        "uid": task["uid"],
                        "executable": task["argv"][0],
                        "arguments": task["argv"][1:],
                        "ranks": task["ranks"],
                        "cores_per_rank": task["cores_per_rank"],
                        "gpus_per_rank": task["gpus_per_rank"],
                    }
                )
                for task in tasks
            ]
        )

    def cancel(self, uids: list[str]) -> None:
        """End tasks that wait or run."""
        self._tasks.cancel_tasks(uids)

    def close(self) -> None:
        """End the pilot and every process that it started.

        A pilot of a batch system is given back by closing the session, which may hang when the agent is dead already.
        A local one has nothing to give back, and closing it takes 4 to 15 s: its processes are ended at once.
        """
        if self._session is not None and not self._local:
            closing = threading.Thread(target=self._session.close, kwargs={"download": False}, daemon=True)
            closing.start()
            closing.join(timeout=CLOSING)
        sweep(os.environ[MARK])

    def _on_task(self, task: Any, state: str) -> None:
        if state != "AGENT_EXECUTING" and state not in FINAL:
            return
        cores = [[slot["node_name"], core.index] for slot in task.slots or [] for core in slot["cores"]]
        reason = task.exception or (task.stderr or "")[-1000:] if state == "FAILED" else None
        self.tell(task=task.uid, state=state, code=task.exit_code, cores=cores, reason=reason)


def main() -> None:
    """Serve commands until the input ends or says `close`."""
    news = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever RADICAL-Pilot prints must not get between the news
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    broker = Broker(news)
    try:
        for line in sys.stdin:
            command, argument = next(iter(json.loads(line).items()))
            if command == "close":
                break
            if command == "start":
                broker.start(**argument)
            elif command == "submit":
                broker.submit(argument)
            elif command == "cancel":
                broker.cancel(argument)
    except Exception as error:
        broker.tell(pilot="FAILED", reason=f"{type(error).__name__}: {error}")
        raise
    finally:
        # Closing can hang when the agent is dead already; what is left after that, `processes.sweep` ends.
        broker.close()
        os._exit(0)


if __name__ == "__main__":
    main()
