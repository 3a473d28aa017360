"""A real Grid Engine on this machine: its master and one execution host, as root, on loopback.

Debian's packages are unpacked, not installed: they want a mail server. Their programs look for a library in one place
of the system only, so those that do are copied with another path of the same length.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from conftest import GRID_ENGINE, need
from deeprc.cluster import free_ports

PATIENCE = 30.0  # seconds that the host may take to come up on a busy machine
BUILT_FOR = b"/usr/lib/gridengine"
LOOK_THERE = ("sge_qmaster", "spoolinit", "spooldefaults.bin")
CELL = "cell"
BOOTSTRAP = """\
admin_user              none
default_domain          none
ignore_fqdn             true
spooling_method         classic
spooling_lib            libspoolc
spooling_params         {folder}/cell/common;{folder}/master
binary_path             {folder}
qmaster_spool_dir       {folder}/master
security_mode           none
listener_threads        2
worker_threads          2
scheduler_threads       1
"""
ENVIRONMENT = """\
pe_name            {name}
slots              999
user_lists         NONE
xuser_lists        NONE
start_proc_args    NONE
stop_proc_args     NONE
allocation_rule    {rule}
control_slaves     TRUE
job_is_first_task  FALSE
urgency_slots      min
accounting_summary FALSE
qsort_args         NONE
"""


@dataclass
class GridEngine:
    """One that runs: its folder, and the environment in which its commands find it."""

    folder: Path
    environment: dict[str, str]
    processes: list[subprocess.Popen] = field(default_factory=list)

    def call(self, *command: str) -> str:
        """The output of one of its commands."""
        done = subprocess.run(
            command, env=os.environ | self.environment, cwd=self.folder, capture_output=True, text=True, timeout=30
        )
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def change(self, option: str, show: list[str], **values: str) -> None:
        """Write what `show` prints, some values replaced, and hand it to `qconf`."""
        lines = [line.split(None, 1) for line in self.call(*show).splitlines() if line.strip()]
        text = "".join(f"{key} {values.get(key, ''.join(rest))}\n" for key, *rest in lines)
        (self.folder / "change").write_text(text)
        self.call("qconf", option, str(self.folder / "change"))

    def logs(self) -> str:
        """What the daemons have to say."""
        return "\n".join(f"== {path}\n{path.read_text()[-2000:]}" for path in self.folder.glob("**/*.log"))


@contextlib.contextmanager
def private_gridengine(slots: int) -> Iterator[GridEngine]:
    """One with the queue `all.q` of that many slots and two parallel environments: `whole` gives all slots of a host,
    `some` what is free. Skips, or fails, where there are no packages of it.
    """
    need("gridengine")
    folder = Path(tempfile.mkdtemp(prefix="g", dir="/tmp"))
    folder.chmod(0o755)
    ports = free_ports(2)
    cluster = GridEngine(
        folder,
        {
            "SGE_ROOT": str(folder), "SGE_CELL": CELL, "SGE_ND": "1", "SGE_QMASTER_PORT": str(ports[0]),
            "SGE_EXECD_PORT": str(ports[1]), "PATH": f"{folder}:{os.environ['PATH']}",
            "LD_LIBRARY_PATH": f"{folder}:{next(GRID_ENGINE.glob('usr/lib/*/libjemalloc.so.2')).parent}",
        },
    )  # fmt: skip
    try:
        _lay_out(cluster)
        _start(cluster, "sge_qmaster")
        _wait(cluster, lambda: bool(cluster.call("qconf", "-sh").strip()))
        _start(cluster, "sge_execd")
        host = socket.gethostname().partition(".")[0]
        cluster.call("qconf", "-as", host)
        soon = {"schedule_interval": "0:0:1", "flush_submit_sec": "1", "flush_finish_sec": "1"}
        cluster.change("-Msconf", ["qconf", "-ssconf"], **soon)
        for name, rule in (("whole", str(slots)), ("some", "$fill_up")):
            (folder / name).write_text(ENVIRONMENT.format(name=name, rule=rule))
            cluster.call("qconf", "-Ap", str(folder / name))
        queue = {"qname": "all.q", "hostlist": host, "slots": str(slots), "pe_list": "some whole", "shell": "/bin/sh"}
        queue["load_thresholds"] = "NONE"  # the machine may be busy with other tests
        cluster.change("-Aq", ["qconf", "-sq"], **queue)
        _wait(cluster, lambda: "lx-" in cluster.call("qhost"))  # the host has told what it is
        yield cluster
    finally:
        with contextlib.suppress(AssertionError, subprocess.SubprocessError):
            cluster.call("qdel", "-u", "root")
            _wait(cluster, lambda: not cluster.call("qstat"), seconds=10)
        for process in reversed(cluster.processes):
            process.kill()
            process.wait(10)
        shutil.rmtree(folder, ignore_errors=True)


def _lay_out(cluster: GridEngine) -> None:
    folder, programs = cluster.folder, GRID_ENGINE / "usr/lib/gridengine"
    here = str(folder).encode().ljust(len(BUILT_FOR), b"/")
    assert len(here) == len(BUILT_FOR), folder
    for path in programs.iterdir():
        if path.name in LOOK_THERE:
            (folder / path.name).write_bytes(path.read_bytes().replace(BUILT_FOR, here))
            (folder / path.name).chmod(0o755)
        else:
            (folder / path.name).symlink_to(path.resolve())
    shared = GRID_ENGINE / "usr/share/gridengine"
    (folder / "util").symlink_to(shared / "util")
    common = folder / CELL / "common"
    for made in (common, folder / "master/job_scripts", folder / "execd"):
        made.mkdir(parents=True)
    host = socket.gethostname().partition(".")[0]
    (common / "bootstrap").write_text(BOOTSTRAP.format(folder=folder))
    (common / "act_qmaster").write_text(f"{host}\n")
    (common / "host_aliases").write_text(f"{host} localhost {socket.getfqdn('127.0.0.1')}\n")
    settings = {"execd_spool_dir": f"{folder}/execd", "min_uid": "0", "min_gid": "0", "mailer": "/bin/true"}
    lines = [line.split(None, 1) for line in (shared / "default-configuration").read_text().splitlines()]
    configuration = [f"{key} {settings.get(key, ''.join(rest))}" for key, *rest in filter(None, lines) if key[0] != "#"]
    (folder / "configuration").write_text("\n".join([*configuration, ""]))
    cluster.call("spoolinit", "classic", "libspoolc", f"{common};{folder}/master", "init")
    cluster.call("spooldefaults.bin", "configuration", str(folder / "configuration"))
    cluster.call("spooldefaults.bin", "complexes", str(shared / "util/resources/centry"))
    cluster.call("spooldefaults.bin", "usersets", str(shared / "util/resources/usersets"))
    cluster.call("spooldefaults.bin", "managers", "root")


def _start(cluster: GridEngine, program: str) -> None:
    with (cluster.folder / f"{program}.log").open("w") as output:
        cluster.processes.append(
            subprocess.Popen(
                [str(cluster.folder / program)], env=os.environ | cluster.environment, stdin=subprocess.DEVNULL,
                stdout=output, stderr=output, start_new_session=True,
            )
        )  # fmt: skip


def _wait(cluster: GridEngine, condition, seconds: float = PATIENCE) -> None:
    deadline = time.monotonic() + seconds
    while True:
        with contextlib.suppress(AssertionError):
            if condition():
                return
        ended = [process.args[0] for process in cluster.processes if process.poll() is not None]
        assert not ended, f"{ended} ended\n{cluster.logs()}"
        assert time.monotonic() < deadline, cluster.logs()
        time.sleep(0.1)
