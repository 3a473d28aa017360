"""The process that holds RADICAL-Pilot: `python -m deeprc.pilot.broker`, started by `deeprc.pilot.client`.

It is a process of its own because RADICAL-Pilot wants its own environment (HOME, TMPDIR, log settings), writes to
standard output, starts dozens of threads, and must outlive a Ctrl-C that is meant for Snakemake. Both sides speak JSON
lines: commands come on standard input, news go to standard output. The end of the input means that the client is
gone, however it ended: the pilot is closed then, so that no crash leaves an allocation behind. Where this process is
killed, too, a fork of it does that (`outlive`).

Commands: `{"start": {…}}` first, then `{"submit": [{…}]}`, `{"cancel": [uid, …]}`, `{"close": true}`.
News, in the words of `engine`: `{"pilot": state, …}`, `{"task": uid, "state": state, "code": exit code, "cores":
[[node, core], …], "nodes": [number of each rank's]}`.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import os
import queue
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any, TextIO

import psutil

from deeprc.pilot.ended import HYDRA
from deeprc.pilot.processes import MARK, sweep

FINAL = {"DONE", "FAILED", "CANCELED"}  # RADICAL-Pilot's states of tasks and pilots, which `engine` calls the same
TASKS = {"AGENT_EXECUTING": "RUNNING"} | {state: state for state in FINAL}
PILOTS = {"PMGR_ACTIVE": "ACTIVE"} | dict.fromkeys(FINAL, "FAILED")  # the others are on the way
LOOK = 1.0  # seconds between two looks of the fork


class Broker:
    """One RADICAL-Pilot session with one pilot, driven by commands.

    Parameters
    ----------
    job
        The batch system and the name of the pilot's job, or None.
    private
        The client's files that are to go where it cannot remove them.
    """

    def __init__(self, news: TextIO, job: list[str] | None, private: list[str]) -> None:
        self._news, self._lock = news, threading.Lock()
        self._closing = threading.Lock()
        self._session = self._tasks = None
        self._private, self._turns = private, itertools.count()
        self._give_back = None
        if job is not None:  # now: it must be at once that it is given back
            from deeprc.pilot.batch import give_back

            self._give_back = functools.partial(give_back, *job)

    def tell(self, **item: Any) -> None:
        """Send one item of news."""
        with self._lock:
            self._news.write(json.dumps(item) + "\n")
            self._news.flush()

    def start(self, wanted: dict) -> None:
        """Open the session and submit the pilot: `wanted` is what RADICAL-Pilot's description of one takes."""
        import deeprc_watch  # of the patches
        import radical.pilot as rp

        deeprc_watch.end = lambda words: self.tell(pilot="FAILED", reason=words)

        self._rp = rp
        self._session = rp.Session()
        pilots = rp.PilotManager(session=self._session)
        self.tell(pilot="STARTING")
        pilot = pilots.submit_pilots(
            # exit_on_error: RADICAL-Pilot would end this process with sys.exit in a thread.
            rp.PilotDescription({**wanted, "exit_on_error": False})
        )
        pilot.register_callback(lambda pilots: self._on_pilot(pilots[0].state))
        # The agent boots meanwhile: what can be made ready beside it, is.
        self._tasks = rp.TaskManager(session=self._session)
        self._tasks.register_callback(self._on_task)
        self._tasks.add_pilots(pilot)

    def submit(self, tasks: list[dict]) -> None:
        """Hand tasks (see `engine.Launch`) to the pilot; their metadata are for `patches/deeprc_launch.py`."""
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
                        "mem_per_rank": task["memory_mb"],
                        "metadata": {
                            "deeprc": _own(task),
                            "node": task["node"],
                            "avoid": task["avoid"],
                            "turn": next(self._turns),
                        },
                        **({"ranks_per_node": -(-task["ranks"] // task["nodes"])} if task["nodes"] else {}),
                    }
                )
                for task in tasks
            ]
        )

    def cancel(self, uids: list[str]) -> None:
        """End tasks that wait or run."""
        self._tasks.cancel_tasks(uids)

    def forget(self) -> None:
        """Remove the private files of a client that is gone."""
        for path in self._private:
            with contextlib.suppress(OSError):
                Path(path).unlink()

    def close(self) -> None:
        """End the pilot, every process that it started, and this one.

        RADICAL-Pilot's own way takes 4 to 15 s, and may hang when the agent is dead already. Its processes are ended at
        once, so that none can submit a job any more; then the batch system is asked to end the pilot's.
        """
        with self._closing:  # whoever comes second waits here for the end
            sweep(os.environ[MARK], os.getsid(0))
            if self._give_back is not None:
                self._give_back()
            os._exit(0)  # RADICAL-Pilot's threads would keep this process up

    def _on_pilot(self, state: str) -> None:
        self.tell(pilot=PILOTS.get(state, "STARTING"), said=f"RADICAL-Pilot says: {state}")

    def _on_task(self, task: Any, state: str) -> None:
        if state not in TASKS:
            return
        cores = [[slot["node_name"], core.index] for slot in task.slots or [] for core in slot["cores"]]
        reason = (last_line(task.stderr or "") or task.exception) if state == "FAILED" else None
        nodes = [slot["node_index"] for slot in task.slots or []]
        self.tell(task=task.uid, state=TASKS[state], code=task.exit_code, cores=cores, nodes=nodes, reason=reason)


def _own(task: dict) -> dict | None:
    """The launch script of a task that has one."""
    return {name: task[name] for name in ("script", "slots")} if task["script"] else None


def last_line(text: str) -> str:
    """The last line of what a task wrote on its standard error; a launcher's own only where there is nothing else: of
    Hydra's the first, which tells the cause; the others lead up from there. A traceback that its rank could not end, as
    another one's end had it killed, is left out where anything else was said.
    """
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    own = [line for line in lines if not line.startswith(("srun: ", "slurmstepd", "mpiexec", "prterun", HYDRA))]
    hydras = [line for line in lines if line.startswith(HYDRA)]
    begins = max((at for at, line in enumerate(own) if line.startswith("Traceback (most recent call last)")), default=0)
    whole = own[:begins] if all(line.startswith(" ") for line in own[begins + 1 :]) else own
    return (whole[-1:] or own[-1:] or hydras[:1] or lines[-1:] or [""])[0].strip()


def listen(broker: Broker, source: TextIO, commands: queue.SimpleQueue) -> None:
    """Pass on the commands; close at once when told to or when the input ends, whatever else goes on meanwhile."""
    for line in source:
        command, argument = next(iter(json.loads(line).items()))
        if command == "close":
            break
        commands.put((command, argument))
    else:
        broker.forget()
    broker.close()


def outlive(broker: Broker, *pipes: TextIO) -> None:
    """Fork a process that closes the pilot where this one is killed, by which all that it started would be orphans.

    It leaves the private files to a client that goes on, and lets go of its pipes.
    """
    client, parent = os.getppid(), os.getpid()
    if os.fork():
        return
    for pipe in pipes:
        os.close(pipe.fileno())
    while os.getppid() == parent:
        time.sleep(LOOK)
    if not psutil.pid_exists(client):
        broker.forget()
    broker.close()


def main() -> None:
    """Serve commands until the input ends or says `close`."""
    # RADICAL-Pilot's processes must not read the commands or print between the news. Those that it forks close
    # sys.stdin, and would wait for ever for its lock if a thread of ours were reading there.
    source, news = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    begin = json.loads(source.readline() or "{}").get("start")
    if begin is None:  # the client is gone, or has changed its mind
        return
    import deeprc_forks  # of the patches

    deeprc_forks.begin()  # it imports RADICAL-Pilot beside this process
    broker, commands = Broker(news, begin.pop("job"), begin.pop("private")), queue.SimpleQueue()
    outlive(broker, source, news)  # before there are threads, or anything else
    commands.put(("start", begin))
    threading.Thread(target=listen, args=(broker, source, commands), daemon=True).start()
    serve = {"start": broker.start, "submit": broker.submit, "cancel": broker.cancel}
    try:
        while True:
            command, argument = commands.get()
            serve[command](argument)
    except Exception as error:
        traceback.print_exc()
        broker.tell(pilot="FAILED", reason=f"{type(error).__name__}: {error}".partition("\n")[0])
    finally:
        broker.close()


if __name__ == "__main__":
    main()
