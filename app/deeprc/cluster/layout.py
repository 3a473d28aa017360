"""The files of a Slurm on one machine: slurm.conf, gres.conf, and munge's key.

Sources: slurm.conf.html, gres.conf.html of Slurm 22.05; tried with Debian's 22.05.8.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import secrets
import shutil
import socket
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from deeprc.core.errors import ConfigError
from deeprc.core.files import write_json

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "sinfo", "squeue", "scancel")
SHAPE = "shape.json"  # what a folder was laid out as
# What is in such a folder: what is written here, what daemons write, and what jobs print that begin there.
OWN = (
    *("*.json", "slurm.conf", "gres.conf", "gpu[0-9]*", "munge.*", "munged.*", "slurmctld.*", "slurmd-*", "spool-*"),
    *("state", "slurm-*.out"),
)
ELSEWHERE = "name another folder by --folder"
LONGEST = 80  # characters of the folder's path: a socket's name, which is longer, may have 107
CONF = """\
ClusterName=deeprc
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmUser={user}
SlurmdUser={user}
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
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
SlurmdTimeout={silence}
ReturnToService=2
GresTypes=gpu
{nodes}
PartitionName=debug Nodes=ALL Default=YES MaxTime=60 State=UP
PartitionName=closed Nodes=ALL MaxTime=60 State=DOWN
"""
# Its jobs go before those of `debug`, which then end, or wait anew.
URGENT = """\
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
PartitionName=urgent Nodes=ALL MaxTime=60 State=UP PriorityTier=2
"""


@dataclass(frozen=True)
class ClusterShape:
    """What a cluster is made of.

    Attributes
    ----------
    nodes, cores, gpus, memory_mib
        How many nodes, and what each says that it has; all of it may be made up.
    task
        Slurm's plugin that binds tasks.
    near
        By the node's name, the cores that gres.conf says are near to each of its accelerators; without it, it says
        nothing of them.
    silence
        Seconds after which a node that does not answer is down, with all jobs that lie on it.
    urgent
        Whether there is a partition `urgent`, for whose jobs those of `debug` are ended.
    """

    nodes: int = 2
    cores: int = 4
    gpus: int = 2
    memory_mib: int = 4000
    task: str = "task/none"
    near: Mapping[str, Sequence[str]] = field(default_factory=dict)
    silence: int = 300
    urgent: bool = False

    @property
    def names(self) -> list[str]:
        """The nodes'."""
        return [f"node{number + 1}" for number in range(self.nodes)]


def program(name: str) -> str | None:
    """The path of a program of Slurm's or munge's: daemons are where not everybody's PATH leads."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def require_programs() -> None:
    """Raise a ConfigError where Slurm or munge is not installed here."""
    if missing := [name for name in PROGRAMS if not program(name)]:
        raise ConfigError(
            "no Slurm to start on this machine",
            found=f"no {', '.join(missing)}",
            fix="install them; on Debian and Ubuntu: apt-get install --no-install-recommends slurm-wlm munge",
        )


def free_ports(count: int) -> list[int]:
    """Numbers of ports that nobody on loopback uses, and that no connection gets which begins before they are used."""
    with contextlib.ExitStack() as held:
        found: list[int] = []
        while len(found) < count:
            with contextlib.suppress(OSError):
                port = 20_000 + secrets.randbelow(12_000)  # below those that the system gives away
                held.enter_context(socket.socket()).bind(("127.0.0.1", port))
                found.append(port)
        return found


def require_path(folder: Path) -> None:
    """Raise a ConfigError where a folder's path is too long for sockets, or has what slurm.conf takes for an end."""
    if len(str(folder)) > LONGEST:
        raise ConfigError("this path is too long for sockets", where=folder, expected=f"at most {LONGEST} characters")
    if other := sorted({*re.findall(r"[^\w@+=./-]", str(folder))}):
        raise ConfigError(
            "this path cannot stand in slurm.conf", where=folder, found=" ".join(map(repr, other)),
            expected="letters, digits and _ @ + = . / - only", fix=ELSEWHERE,
        )  # fmt: skip


def lay_out(folder: Path, shape: ClusterShape) -> Path:
    """Write the files of a cluster into a folder of its own; the path of slurm.conf.

    Raises
    ------
    ConfigError
        Where the folder's path is none for it.
    """
    require_path(folder)
    (folder / "state").mkdir(exist_ok=True)
    host = socket.gethostname().partition(".")[0]
    controller, *ports = free_ports(shape.nodes + 1)
    lines = [
        f"NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs={shape.cores} "
        f"CoresPerSocket={shape.cores} RealMemory={shape.memory_mib} Gres=gpu:{shape.gpus} State=UNKNOWN"
        for name, port in zip(shape.names, ports, strict=True)
    ]
    devices = [folder / f"gpu{number}" for number in range(shape.gpus)]
    for device in devices:
        device.symlink_to("/dev/null")  # Slurm wants a device; a node of its own could be made by root only
    (folder / "gres.conf").write_text(
        "".join(
            f"NodeName={name} Name=gpu File={device}{cores and f' Cores={cores}'}\n"
            for name in shape.names
            for device, cores in zip(devices, shape.near.get(name, [""] * shape.gpus), strict=True)
        )
    )
    key = folder / "munge.key"
    key.touch(mode=0o600)
    key.write_bytes(os.urandom(128))
    # MPICH calls its shared memory after job and step: what a killed one of another cluster has left must not be found.
    # A seed that somebody gave `random` (hypothesis does, for tests) would begin each cluster with the same number.
    first = 1000 + secrets.randbelow(60_000_000)
    conf = folder / "slurm.conf"
    conf.write_text(
        CONF.format(
            host=host, controller=controller, folder=folder, nodes="\n".join(lines), task=shape.task, first=first,
            user=_name(), silence=shape.silence,
        )
        + (URGENT if shape.urgent else "")
    )  # fmt: skip
    write_json(folder / SHAPE, asdict(shape))
    return conf


def _name() -> str:
    """The user's name."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        raise ConfigError("Slurm wants a user with a name", found=f"uid {os.geteuid()}, which has none here") from None
