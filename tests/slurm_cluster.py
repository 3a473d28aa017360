"""A real Slurm on this machine: munged, slurmctld and a slurmd for each of some made-up nodes, all on loopback."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from conftest import need

PATIENCE = 60.0  # seconds that the nodes may take to come up on a busy machine

CONF = """\
ClusterName=deeprc
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/pgid
TaskPlugin={task}
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_interval=1,batch_sched_delay=0
MpiDefault=none
FirstJobId={first}
MinJobAge=300
KillWait=2
InactiveLimit=0
ReturnToService=2
GresTypes=gpu
{nodes}
PartitionName=debug Nodes=ALL Default=YES MaxTime=60 State=UP
PartitionName=closed Nodes=ALL MaxTime=60 State=DOWN
"""


@dataclass
class Cluster:
    """A Slurm that runs: its folder, and the environment in which its commands find it."""

    folder: Path
    nodes: int
    cores: int
    gpus: int
    environment: dict[str, str]
    processes: list[subprocess.Popen] = field(default_factory=list)

    def call(self, *command: str, timeout: float = 30) -> str:
        """The output of a command of Slurm."""
        done = subprocess.run(
            command, env={**os.environ, **self.environment}, capture_output=True, text=True, timeout=timeout
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def jobs(self) -> list[str]:
        """The names of the jobs that wait, run or are being ended."""
        return self.call("squeue", "--noheader", "--format=%j").split()

    def logs(self) -> str:
        """What the daemons have to say."""
        return "\n".join(f"== {path.name}\n{path.read_text()[-2000:]}" for path in self.folder.glob("*.log"))


def free_ports(count: int) -> list[int]:
    """Numbers of ports that nobody on loopback uses, and that no connection gets which begins before they are used."""
    with contextlib.ExitStack() as held:
        found: list[int] = []
        while len(found) < count:
            with contextlib.suppress(OSError):
                port = random.randrange(20_000, 32_000)  # below those that the system gives away
                held.enter_context(socket.socket()).bind(("127.0.0.1", port))
                found.append(port)
        return found


@contextlib.contextmanager
def private_cluster(**options: object) -> Iterator[Cluster]:
    """One in a folder of its own; skips, or fails, where there is no Slurm."""
    need("slurm")
    folder = Path(tempfile.mkdtemp(prefix="slurm"))  # short: a socket's name has 107 characters
    try:
        with slurm_cluster(folder, **options) as running:
            yield running
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def slurm_cluster(
    folder: Path, *, nodes: int = 2, cores: int = 4, gpus: int = 2, task: str = "task/none", near: dict | None = None
) -> Iterator[Cluster]:
    """Start it in `folder`, which is best short: it holds sockets; end it with all that runs in it.

    The nodes have as many cores and accelerators as they are told to have; these are made up. `near`: by the node's
    name, the cores that gres.conf says are near to each of its accelerators; without it, it says nothing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "state").mkdir(exist_ok=True)
    host = socket.gethostname().partition(".")[0]
    controller, *ports = free_ports(nodes + 1)
    lines = [
        f"NodeName=node{i + 1} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs={cores} CoresPerSocket={cores} "
        f"RealMemory=4000 Gres=gpu:{gpus} State=UNKNOWN"
        for i, port in enumerate(ports)
    ]
    # MPICH calls its shared memory after job and step: what a killed one of another cluster has left must not be found.
    first = random.randrange(1000, 60_000_000)
    conf = folder / "slurm.conf"
    conf.write_text(
        CONF.format(host=host, controller=controller, folder=folder, nodes="\n".join(lines), task=task, first=first)
    )
    devices = [folder / f"gpu{number}" for number in range(gpus)]
    for device in devices:
        os.mknod(device, 0o666 | 0o020000, os.makedev(1, 3))  # a null device each
    (folder / "gres.conf").write_text(
        "".join(
            f"NodeName=node{node + 1} Name=gpu File={device}{cores and f' Cores={cores}'}\n"
            for node in range(nodes)
            for device, cores in zip(devices, (near or {}).get(f"node{node + 1}", [""] * gpus), strict=True)
        )
    )
    key = folder / "munge.key"
    key.touch(mode=0o400)
    key.write_bytes(os.urandom(128))
    cluster = Cluster(folder, nodes, cores, gpus, {"SLURM_CONF": str(conf)})
    try:
        _start(cluster, "munged", "--foreground", "--force", f"--key-file={key}", f"--socket={folder}/munge.socket",
               f"--pid-file={folder}/munged.pid", f"--log-file={folder}/munged.log",
               f"--seed-file={folder}/munged.seed")  # fmt: skip
        _wait(cluster, lambda: (folder / "munge.socket").exists())
        _start(cluster, "slurmctld", "-D", "-c", "-f", str(conf))
        for number in range(nodes):
            _start(cluster, "slurmd", "-D", "-N", f"node{number + 1}", "-f", str(conf))
        _wait(cluster, lambda: _idle(cluster) == nodes)
        yield cluster
    finally:
        with contextlib.suppress(subprocess.SubprocessError, AssertionError):
            if cluster.jobs():
                cluster.call("scancel", "--user=root")
                _wait(cluster, lambda: not cluster.jobs(), seconds=20)
        for process in reversed(cluster.processes):
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)


def _start(cluster: Cluster, program: str, *arguments: str) -> None:
    name = f"{program}{len(cluster.processes)}"
    with (cluster.folder / f"{name}.out.log").open("w") as output:
        cluster.processes.append(
            subprocess.Popen(
                [shutil.which(program) or program, *arguments],
                env={**os.environ, **cluster.environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        )


def _idle(cluster: Cluster) -> int:
    try:
        return cluster.call("sinfo", "--noheader", "--Node", "--partition=debug", "--format=%T").split().count("idle")
    except (AssertionError, subprocess.TimeoutExpired):
        return 0


def _wait(cluster: Cluster, condition, seconds: float = PATIENCE) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        ended = [process.args[0] for process in cluster.processes if process.poll() is not None]
        assert not ended, f"{ended} ended\n{cluster.logs()}"
        assert time.monotonic() < deadline, cluster.logs()
        time.sleep(0.2)
