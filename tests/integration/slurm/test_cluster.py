"""`deeprc cluster`: a Slurm of three nodes that anybody can start, mends itself, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import pwd
import random
import re
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from deeprc import cluster
from deeprc.cluster.layout import CONF, lay_out
from deeprc.cluster.standing import DEFAULT
from deeprc.sites import load_site
from deeprc.sites.identity import matches
from pilots import survivors

pytestmark = pytest.mark.requires("slurm")
DEEPRC = Path(sys.executable).parent / "deeprc"
DAEMONS = ["munged", "slurmctld", "slurmd-node1", "slurmd-node2", "slurmd-node3"]
# As another user, who is no root and has a home of his own.
OTHERS = """
from pathlib import Path
folder = Path(sys.argv[1])
try:
    there, _ = deeprc.cluster.up(folder)
    print(there.call("srun", "-N3", "-n3", "--gpus-per-node=2", "bash", "-c", "echo $UID $CUDA_VISIBLE_DEVICES"))
finally:
    print(deeprc.cluster.down(folder))
"""


def deeprc(verb: str, folder: Path, *options: str, **shell: str) -> subprocess.CompletedProcess:
    """`deeprc cluster …` in a shell that knows of no cluster, unless by what `shell` has."""
    command = [DEEPRC, "cluster", verb, "--folder", folder, *options]
    known = {name: value for name, value in os.environ.items() if name not in ("SLURM_CONF", "DEEPRC_ADDRESS")}
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=known | shell)


def listening(pids: set[int]) -> set[str]:
    """At which addresses these processes listen."""
    found = (each for each in psutil.net_connections("inet") if each.status == psutil.CONN_LISTEN)
    return {each.laddr.ip for each in found if each.pid in pids}


def test_no_two_clusters_begin_with_the_same_job_whoever_seeds_chance(tmp_path):
    """By job and step MPICH finds its shared memory: that of a killed job of an earlier cluster broke another's."""
    first = []
    for name in ("one", "two"):
        random.seed(0)  # as hypothesis does
        (tmp_path / name).mkdir()
        lay_out(tmp_path / name, cluster.ClusterShape())
        first += re.findall(r"FirstJobId=(\d+)", (tmp_path / name / "slurm.conf").read_text())
    assert len({*first}) == 2


def test_it_comes_up_mends_itself_and_leaves_nothing(tmp_path_factory):
    folder = tmp_path_factory.mktemp("c", numbered=False) / "cluster"
    try:
        begun = deeprc("up", folder)
        assert begun.stdout == f"export SLURM_CONF={folder}/slurm.conf DEEPRC_ADDRESS=127.0.0.1\n", begun.stderr
        assert begun.stderr == f"node1, node2, node3: up, in {folder}\n"
        there = cluster.standing(folder)
        assert [*there.processes] == DAEMONS
        assert matches(load_site("cluster-local"), there.environment, "laptop")
        assert listening({process.pid for process in there.processes.values()}) == {"127.0.0.1"}
        pids = {name: process.pid for name, process in there.processes.items()}
        again = deeprc("up", folder)
        assert again.stdout == begun.stdout and "up already" in again.stderr
        there.kill("slurmd-node2")
        told = deeprc("status", folder, "--json")
        assert told.returncode == 1 and json.loads(told.stdout)["missing"] == ["slurmd-node2"]
        assert deeprc("up", folder).returncode == 0
        there = cluster.standing(folder)
        assert [name for name, process in there.processes.items() if process.pid != pids[name]] == ["slurmd-node2"]
        assert deeprc("status", folder).stdout == "node1  idle\nnode2  idle\nnode3  idle\n0 jobs\n"
        # One job that goes on, and what another has left behind, in a session of its own.
        there.call("sbatch", "--chdir", str(folder), "--nodelist=node2", "--wrap", "sleep 1000")
        there.call("srun", "bash", "-c", f"cd {folder}; setsid sleep 1000 < /dev/null &> /dev/null &")
        there.wait(lambda: any("slurmstepd" in " ".join(each) for each in survivors(folder).values()))
        there.kill("slurmd-node2")  # what it has begun goes on
    finally:
        ended = deeprc("down", folder)
    assert ended.stderr == "down\n", ended.stderr
    assert not folder.exists() and survivors(folder) == {}
    assert deeprc("down", folder).stderr == "no cluster was up\n"
    assert deeprc("status", folder).stdout == "no cluster is up: deeprc cluster up\n"


def test_it_needs_no_root(stranger, sticky):
    nobody = type(stranger)()
    nobody.UID = pwd.getpwnam("nobody").pw_uid  # Slurm wants a user with a name
    printed = nobody.run(OTHERS, sticky / "c", modules=("encodings.idna", "deeprc.cluster"), timeout=120)
    assert printed.split("\n") == [f"{nobody.UID} 0,1"] * 3 + ["", "True", ""]


def test_what_cannot_be_started_is_refused(tmp_path, monkeypatch):
    (tmp_path / "mine").write_text("")
    with pytest.raises(Exception, match="something else is in this folder"):
        cluster.up(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    with pytest.raises(Exception, match="too long for sockets"):
        cluster.up(tmp_path / ("x" * 100))
    with pytest.raises(Exception, match=r"cannot stand in slurm.conf\n  found: ' '\n  expected: letters"):
        cluster.up(tmp_path / "a b")
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    monkeypatch.setattr(os, "environ", os.environ | {"PATH": "/nowhere"})
    monkeypatch.setattr("deeprc.cluster.layout.PROGRAMS", ("slurmctld", "no-such-daemon"))
    with pytest.raises(Exception, match="found: no no-such-daemon"):
        cluster.up(tmp_path / "other")


def test_no_cluster_within_another_and_nothing_else_is_removed_with_it(tmp_path):
    outer = tmp_path / "c"
    (outer / "other").mkdir(parents=True)
    lay_out(outer, DEFAULT)
    with pytest.raises(Exception, match=r"lies in that of another cluster\n  found: .*/c\n"):
        cluster.up(outer / "other" / "inner")
    lay_out(outer / "other", DEFAULT)  # one that an older Deep RC has let in
    with pytest.raises(Exception, match=r"would be removed with it\n  found: other\n"):
        cluster.down(outer)
    assert (outer / "other" / "slurm.conf").exists() and (outer / "slurm.conf").exists()
    assert cluster.down(outer / "other") and cluster.down(outer)
    assert not outer.exists()


def test_the_site_file_says_what_is_started():
    site = load_site("cluster-local")
    for part in site.partitions:
        gpus = 0 if part.name == "cpu" else DEFAULT.gpus
        assert (part.nodes, part.cores, part.gpus) == (DEFAULT.nodes, DEFAULT.cores, gpus)
        assert part.memory_mb == DEFAULT.memory_mib
        assert f"Nodes=ALL Default=YES MaxTime={part.max_minutes} State=UP" in CONF


@pytest.mark.parametrize("stands", [True, False])
def test_the_end_of_a_cluster_tells_a_shell_that_still_has_its_name(stands, tmp_path):
    folder, first = tmp_path / "c", "down" if stands else "no cluster was up"
    known = {"SLURM_CONF": f"{folder}/slurm.conf", "DEEPRC_ADDRESS": "127.0.0.1"}

    def down(**shell: str) -> list[str]:
        if stands:
            folder.mkdir()
            lay_out(folder, DEFAULT)
        return deeprc("down", folder, **shell).stderr.splitlines()

    why = "this shell still looks for it: unset"
    assert down(**known) == [first, f"{why} SLURM_CONF DEEPRC_ADDRESS"]
    assert down(SLURM_CONF=f"{tmp_path}/./c/slurm.conf") == [first, f"{why} SLURM_CONF"]
    assert down(**known | {"SLURM_CONF": "/etc/slurm/slurm.conf"}) == down() == [first]
