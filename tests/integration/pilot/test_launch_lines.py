"""Launch lines for launchers that cannot be had here, run: stand-ins that take what these take start the ranks."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import local_engine  # noqa: F401  it finds the patches
import stand_in
from deeprc.launch import Layout, compose
from deeprc.pilot.launch_scripts import launch_script, rank_number
from deeprc.sites import load_site
from samples.sites import cluster

import deeprc_launch  # isort: skip

HYDRA = Path(sys.executable).with_name("mpiexec")
JSRUN = {"scheduler": {"name": "lsf", "csm": True}, "launcher": {"name": "jsrun"}}
SITES = {
    "frontera": ("ibrun", "ibrun"),
    "polaris": ("pals", "mpiexec"),
    "aurora": ("pals", "mpiexec"),
    "jsrun": ("jsrun", "jsrun"),
}


def put(folder: Path, called: str, kind: str) -> None:
    """The stand-in, and TACC's program that binds ranks."""
    here = shlex.join([sys.executable, stand_in.__file__, str(HYDRA), kind])
    for name, text in ((called, f'exec {here} "$@"'), ("task_affinity", 'exec "$@"')):
        (folder / name).write_text(f"#!/bin/bash\n{text}\n")
        (folder / name).chmod(0o755)


def site_of(name: str):
    return cluster(**JSRUN) if name == "jsrun" else load_site(name)


@pytest.mark.parametrize(("ranks", "nodes"), [(2, 1), (4, 2)])
@pytest.mark.parametrize("name", SITES)
def test_the_launch_script_starts_each_rank_once(name, ranks, nodes, tmp_path):
    site = site_of(name)
    partition = site.partition()
    kind, called = SITES[name]
    programs, folder = tmp_path / "bin", tmp_path / "task"
    programs.mkdir(), folder.mkdir()
    put(programs, called, kind)
    plan = compose(site, partition, Layout(ranks, 1, 0, nodes, 0), [], image=None, comm="mpi", placed=True)
    assert not plan.refused, plan.reason
    rank = tmp_path / "rank.sh"
    rank.write_text(f'RP_RANK={rank_number(site, partition)}\necho "$PMI_SIZE" >> {folder}/rank.$RP_RANK\n')
    # The modules of those sites are not here; which are loaded is held in tests/golden.
    script = folder / "launch.sh"
    script.write_text(launch_script(replace(plan, modules=[]), ["/bin/bash", str(rank)], folder))
    of_node = ranks // nodes
    slots = [
        {"node_name": f"n{i // of_node}", "node_index": i // of_node, "gpus": [], "cores": [{"index": i % of_node}]}
        for i in range(ranks)
    ]
    deeprc_launch.place(slots, of_node, folder)
    environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}
    done = subprocess.run(["/bin/bash", str(script)], env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    written = {path.name: path.read_text() for path in folder.glob("rank.*")}
    assert written == {f"rank.{i}": f"{ranks}\n" for i in range(ranks)}


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("ibrun", "-n 2 -o 0 true"),
        ("jsrun", "--nrs=3 --tasks_per_rs=1 --cpu_per_rs=1 --gpu_per_rs=0 --rs_per_host=2 --bind=packed:1 true"),
        ("jsrun", "--ntasks=3 true"),
        ("pals", "-n 2 --ppn 2 --hostfile /dev/null --cpu-bind depth true"),
        ("pals", "-n 2 --ppn 2 --depth 1 --cpu-bind depth"),
    ],
)
def test_stand_ins_refuse_what_the_launcher_would(kind, words):
    done = subprocess.run(
        [sys.executable, stand_in.__file__, str(HYDRA), kind, *words.split()], capture_output=True, timeout=60
    )
    assert done.returncode == 2
