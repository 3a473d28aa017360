"""A node that lacks the environment, on a real Slurm, and disks that are full."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from deeprc.cluster.layout import program
from pilots import QUIET, events, finish, start, survivors, wait_for
from snakemake_executor_plugin_radical_pilot.fleet import LOOK

pytestmark = [pytest.mark.requires("slurm"), pytest.mark.requires("tmpfs")]
WORKFLOW = Path(__file__).with_name("unfit.smk")
BEGIN = 240  # seconds that a pilot may take to start on a busy machine


def hide(cluster, name: str, folder: str) -> None:
    """Begin a node's daemon anew, where that folder is empty."""
    cluster.kill(f"slurmd-{name}")
    script = f'mount -t tmpfs none {shlex.quote(folder)} && exec "$@"'
    daemon = [program("slurmd"), "-D", "-N", name, "-f", str(cluster.conf)]
    cluster.processes[f"slurmd-{name}"] = psutil.Popen(
        ["unshare", "--mount", "bash", "-c", script, "slurmd", *daemon], stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    wait_for(lambda: cluster.states().get(name) == "idle", 60)


def test_jobs_go_on_elsewhere_and_when_there_is_room(cluster, site, tmp_path, tmpfs):
    """A job that has no room for its result fails, with the folder's name; half of it is no result."""
    own, small = tmpfs("96m"), tmpfs("1m")
    hide(cluster, "node2", sys.prefix)
    options = ["--radical-pilot-site", str(site), "--radical-pilot-nodes", "2", "--radical-pilot-runtime", "10"]
    options += ["--radical-pilot-folder", str(own / "private"), "--keep-going", "--config", f"small={small}"]
    variables = cluster.environment | {"DEEPRC_ADDRESS": "127.0.0.1"}
    process = start(tmp_path, str(WORKFLOW), *options, *QUIET, f"{small}/large.bin", "last.txt", **variables)
    said = []
    try:
        wait_for(lambda: (tmp_path / "began").exists() or process.poll() is not None, BEGIN)
        (own / "large").write_bytes(bytes(shutil.disk_usage(own).free - 2_000_000))
        time.sleep(LOOK)  # the room was looked at when this job was handed over, and `last` may come at once
        (tmp_path / "go").touch()
        for line in process.stdout:
            said.append(line)
            if "no space is left in" in line and "jobs wait until there is" in line:
                break
        (own / "large").unlink()
        code, rest = finish(process, BEGIN)
    finally:
        process.kill()
        cluster.kill("slurmd-node2")
        cluster.start()
    output = "".join([*said, rest])
    assert code == 1, output
    assert output.count(f"node2 has no {sys.executable}: no more jobs go there\n") == 1, output
    assert {path.read_text() for path in tmp_path.glob("pair.*.log")} == {
        "".join(f"{rank}: node1\n" for rank in range(4))
    }
    assert (tmp_path / "last.txt").read_text() == "node1\n"
    assert f"FAILED: large (exit code 1; no space is left in {small})" in output and not [*small.iterdir()]
    assert output.count("FAILED") == 1
    assert f"no space is left in {own}/private/runs (" in output and "there is room again: jobs go on\n" in output
    (path,) = own.glob("private/runs/*/events.jsonl")
    (link := tmp_path / ".deeprc").mkdir()
    (link / "runs").symlink_to(path.parents[1])
    ended = [each["rule"] for each in events(tmp_path) if each["event"] == "job" and each["state"] == "finished"]
    assert sorted(ended) == ["last", *["pair"] * 3, "waits"]
    wait_for(lambda: not cluster.jobs(), 30)
    wait_for(lambda: not survivors(tmp_path), 30)
