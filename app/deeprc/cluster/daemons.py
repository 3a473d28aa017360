"""The daemons of a Slurm on one machine, each started once and ended by its process id."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from deeprc.cluster.layout import SHAPE, ClusterShape, program
from deeprc.core.errors import DeepRCError
from deeprc.core.files import write_json

PATIENCE = 60.0  # seconds that the nodes may take to come up on a busy machine
NOTED = "daemons.json"


class Cluster:
    """A Slurm that was laid out in `folder`; `environment` is that in which its commands find it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.conf = folder, folder / "slurm.conf"
        self.environment = {"SLURM_CONF": str(self.conf)}
        self.processes: dict[str, psutil.Process] = _noted(folder / NOTED)

    @property
    def shape(self) -> ClusterShape:
        """What it was laid out as."""
        return ClusterShape(**json.loads((self.folder / SHAPE).read_text()))

    @property
    def names(self) -> list[str]:
        """The nodes."""
        return self.shape.names

    def call(self, *command: str, timeout: float = 30) -> str:
        """The output of a command of Slurm.

        Raises
        ------
        DeepRCError
            With its own words, where it fails.
        """
        done = subprocess.run(
            [program(command[0]) or command[0], *command[1:]], env={**os.environ, **self.environment},
            capture_output=True, text=True, timeout=timeout,
        )  # fmt: skip
        if done.returncode != 0:
            raise DeepRCError(f"{command[0]} failed", found=done.stderr.strip())
        return done.stdout

    def jobs(self) -> list[str]:
        """The names of the jobs that wait, run or are being ended."""
        return self.call("squeue", "--noheader", "--format=%j").split()

    def states(self) -> dict[str, str]:
        """The state of each node, in Slurm's words; empty where the controller does not answer."""
        with contextlib.suppress(DeepRCError, subprocess.TimeoutExpired):
            text = self.call("sinfo", "--noheader", "--Node", "--partition=debug", "--format=%N %T")
            return dict(line.split(None, 1) for line in text.splitlines())
        return {}

    def logs(self) -> str:
        """What the daemons have to say."""
        return "\n".join(f"== {path.name}\n{path.read_text()[-2000:]}" for path in self.folder.glob("*.log"))

    def missing(self) -> list[str]:
        """The daemons that should run and do not."""
        return [name for name in self._wanted() if not alive(self.processes.get(name))]

    def start(self) -> list[str]:
        """Start the daemons that do not run, and wait until all nodes can be used; the names of those started."""
        begun = self.missing()
        for name in begun:
            if name == "munged":
                (self.folder / "munge.socket").unlink(missing_ok=True)
            self._start(name, self._wanted()[name])
            if name == "munged":
                self.wait((self.folder / "munge.socket").exists)
        self.wait(lambda: set(self.states()) == {*self.names} and not any(map(_gone, self.states().values())))
        return begun

    def kill(self, name: str) -> None:
        """End a daemon at once, as a power cut does, and leave alone what it has started."""
        self.processes[name].kill()
        with contextlib.suppress(psutil.Error):
            self.processes[name].wait(10)

    def stop(self) -> None:
        """End all jobs, all daemons, and what is left of the jobs."""
        deadline = time.monotonic() + 20
        with contextlib.suppress(DeepRCError, subprocess.TimeoutExpired):
            if self.jobs():
                self.call("scancel", f"--user={os.geteuid()}")
            # On a node that is down they do not end: what is left of them is, below.
            while self.jobs() and not self.missing() and time.monotonic() < deadline:
                time.sleep(0.2)
        for process in [*reversed(self.processes.values()), *self._left()]:
            with contextlib.suppress(psutil.Error):
                process.terminate()
                try:
                    process.wait(10)
                except psutil.TimeoutExpired:
                    process.kill()
                    process.wait(10)
        self.processes.clear()

    def wait(self, condition: Callable[[], object], seconds: float = PATIENCE) -> None:
        """Wait until `condition()` holds; a DeepRCError with the logs where a daemon has ended, or it takes long."""
        deadline = time.monotonic() + seconds
        while not condition():
            ended = [name for name, process in self.processes.items() if not alive(process)]
            if ended or time.monotonic() > deadline:
                why = f"{', '.join(ended)} ended" if ended else f"it takes more than {seconds:.0f} s"
                raise DeepRCError(f"the cluster does not come up: {why}", where=self.folder, found=self.logs())
            time.sleep(0.2)

    def _wanted(self) -> dict[str, list[str]]:
        """The arguments of each daemon, in the order in which they are started."""
        inside = {name: f"{self.folder}/munged.{name}" for name in ("pid", "log", "seed")}
        munge = [f"--key-file={self.folder}/munge.key", f"--socket={self.folder}/munge.socket"]
        munge += [f"--pid-file={inside['pid']}", f"--log-file={inside['log']}", f"--seed-file={inside['seed']}"]
        wanted = {"munged": ["--foreground", "--force", *munge], "slurmctld": ["-D", "-f", str(self.conf)]}
        return wanted | {f"slurmd-{name}": ["-D", "-N", name, "-f", str(self.conf)] for name in self.names}

    def _start(self, name: str, arguments: list[str]) -> None:
        daemon = name.partition("-")[0]
        with (self.folder / f"{name}.out.log").open("a") as output:
            self.processes[name] = psutil.Popen(
                [program(daemon) or daemon, *arguments], env={**os.environ, **self.environment}, cwd=self.folder,
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
            )  # fmt: skip
        noted = {each: [process.pid, process.create_time()] for each, process in self.processes.items()}
        write_json(self.folder / NOTED, noted)

    def _left(self) -> list[psutil.Process]:
        """What jobs have left running on the nodes; not whoever has the cluster's name in his shell.

        The slurmd's own part in a job (slurmstepd) writes its name over its environment; on a node that is down it
        goes on when the job has ended.
        """
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                variables = process.environ()
                of_job = variables.get("SLURM_CONF") == str(self.conf) and "SLURMD_NODENAME" in variables
                steps = process.name() == "slurmstepd" and Path(process.cwd()).is_relative_to(self.folder)
                if of_job or steps:
                    found.append(process)
        return found


def alive(process: psutil.Process | None) -> bool:
    """Whether it still runs."""
    with contextlib.suppress(psutil.Error):
        return bool(process and process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    return False


def _gone(state: str) -> bool:
    """Whether a node in this state of Slurm's can run nothing."""
    return any(word in state for word in ("down", "unk", "not_resp")) or state.endswith("*")


def _noted(path: Path) -> dict[str, psutil.Process]:
    """The daemons that were written down, as far as they are still the same processes."""
    found = {}
    with contextlib.suppress(OSError, ValueError):
        for name, (pid, began) in json.loads(path.read_text()).items():
            with contextlib.suppress(psutil.Error):
                process = psutil.Process(pid)
                if process.create_time() == began:
                    found[name] = process
    return found
