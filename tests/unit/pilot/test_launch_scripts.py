"""Launch scripts: exact text, and what a real shell makes of them."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from deeprc.launch import Layout, compose
from deeprc.pilot.launch_scripts import filled, launch_script, listens, rank_number, rank_setup, rank_words
from deeprc.pilot.launch_scripts import slots as slots_of
from deeprc.pilot.resource import PATCHES
from deeprc.sites import Site
from samples.sites import LAPTOP, cluster, laptop

sys.path.append(str(PATCHES))
import deeprc_launch


def slot(node: int, *cores: int, gpus: tuple[int, ...] = ()) -> dict:
    """A rank's place, as RADICAL-Pilot's scheduler tells it."""
    return {
        "node_name": f"n{node}",
        "node_index": node,
        "cores": [{"index": core} for core in cores],
        "gpus": [{"index": gpu} for gpu in gpus],
    }


def plan(site, ranks=4, cores=1, gpus=0, nodes=2, **options):
    return compose(site, site.partition(), Layout(ranks, cores, gpus, nodes), ["stage"], placed=True, **options)


def shown(folder: Path, site, the_plan, argv=("job", "a b")) -> list[str]:
    """The words that the launcher gets, by a real run of the script with a launcher that prints them."""
    (folder / the_plan.launcher[0]).write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    (folder / the_plan.launcher[0]).chmod(0o755)
    (folder / "launch.sh").write_text(launch_script(the_plan, argv, folder))
    environment = {"PATH": f"{folder}:/usr/bin:/bin", "SLURM_EXPORT_ENV": "NONE", "SLURM_PROCID": "0"}
    done = subprocess.run(["bash", folder / "launch.sh"], env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


@pytest.fixture
def odd(tmp_path) -> Path:
    folder = tmp_path / "a job's $folder"
    folder.mkdir()
    return folder


def test_the_launcher_gets_the_plans_words_and_the_pilots_hosts(odd):
    site = cluster(launcher={"name": "srun", "pmi": ["pmi2"], "options": ["--comment=${HOME}, $(date) `x`"]})
    deeprc_launch.place([slot(0, 0), slot(0, 1), slot(2, 0), slot(2, 1)], 4, odd)
    assert shown(odd, site, plan(site)) == [
        "--nodes=2", "--ntasks=4", "--ntasks-per-node=2", "--cpus-per-task=1", "--kill-on-bad-exit=1",
        "--nodelist=n0,n2", "--exact", "--mem=0", "--gres=none", "--comment=, $(date) `x`", "job", "a b",
    ]  # fmt: skip


def test_a_file_of_hosts_has_a_line_for_each_rank(odd):
    site = cluster(launcher={"name": "mpirun-openmpi", "program": "mpirun"})
    deeprc_launch.place([slot(1, 0), slot(1, 1), slot(2, 0), slot(2, 1)], 4, odd)
    words = shown(odd, site, plan(site))
    assert words[words.index("--hostfile") + 1] == f"{odd}/hosts"
    assert (odd / "hosts").read_text() == "n1\nn1\nn2\nn2\n"


@pytest.mark.parametrize(
    ("slots", "each", "offset"),
    [
        ([slot(0, 0), slot(0, 1)], 64, 0),
        ([slot(0, 4), slot(0, 5)], 64, 4),
        ([slot(2, 4, 5), slot(2, 6, 7)], 32, 66),  # after two nodes of 32 such ranks, and two more
        ([slot(1, 0), slot(1, 1), slot(2, 0), slot(2, 1)], 2, 2),
    ],
)
def test_offset_among_the_ranks_of_the_allocation(odd, slots, each, offset):
    """`ibrun` is told how many ranks a node holds, and the first one's number: both must be meant alike."""
    site = cluster(launcher={"name": "ibrun"})
    nodes = len({slot["node_index"] for slot in slots})
    made = plan(site, len(slots), len(slots[0]["cores"]), nodes=nodes)
    assert slots_of(site, site.partition(), made) == each
    assert made.environment["IBRUN_TASKS_PER_NODE"] == str(each)
    deeprc_launch.place(slots, each, odd)
    words = shown(odd, site, made)
    assert words[words.index("-o") + 1] == str(offset)


@pytest.mark.parametrize(
    ("slots", "binding"),
    [
        ([slot(0, 6, 7), slot(0, 9, 8)], "list:6,7:9,8"),
        ([slot(0, 2), slot(0, 3), slot(1, 2), slot(1, 3), slot(2, 2)], "list:2:3"),
        ([slot(0, 2), slot(1, 5)], "none"),  # PALS takes one list for all nodes
    ],
)
def test_pals_binds_to_the_cores_that_the_pilot_has_chosen(odd, slots, binding):
    site = cluster(launcher={"name": "mpiexec-pals", "program": "mpiexec"})
    deeprc_launch.place(slots, 64, odd)
    words = shown(odd, site, plan(site, len(slots), nodes=len({slot["node_index"] for slot in slots})))
    assert words[words.index("--cpu-bind") + 1] == binding
    assert "--depth" not in words


def test_a_line_as_it_was_used(odd):
    words = ["srun", "--nodelist={hosts}", "-f", "{hostfile}", "{other}", "awk {print}"]
    assert filled(words, odd) == words
    assert filled(words, odd, ["n1", "n1", "n0"])[1] == "--nodelist=n1,n0"
    deeprc_launch.place([slot(0, 0), slot(2, 0)], 4, odd)
    assert filled(words, odd) == ["srun", "--nodelist=n0,n2", "-f", f"{odd}/hosts", "{other}", "awk {print}"]


def test_script_before_the_launcher():
    site = cluster(launcher={"name": "srun", "pmi": ["pmi2"]}, modules=["PrgEnv-gnu", "use /sw"])
    text = launch_script(plan(site, 1, nodes=1), ["/bin/bash", "/j/job.sh"], Path("/j"))
    lines = text.splitlines()
    assert lines[:2] == ["#!/usr/bin/env bash", ". /j/placement.sh"]
    assert "SLURM_EXPORT_ENV" in lines[2].split()  # PSI/J submits with --export=NONE: the ranks would lack the PATH
    assert lines[-4:-1] == ["module load PrgEnv-gnu", "module use /sw", "export OMP_NUM_THREADS=1"]
    assert lines[-1] == (
        "exec srun --nodes=1 --ntasks=1 --cpus-per-task=1 --kill-on-bad-exit=1 "
        '"--nodelist=${DEEPRC_HOSTS}" --exact --mem=0 --gres=none /bin/bash /j/job.sh'
    )


@pytest.mark.requires("lmod")
def test_modules_are_loaded_in_a_shell_that_knows_none(odd):
    """A real Lmod, in a shell as a batch job's: without a login, and without the user's functions."""
    (odd / "sw").mkdir()
    (odd / "sw" / "network.lua").write_text('setenv("NETWORK", "fast")\n')
    site = cluster(modules=["network"])
    made = plan(site, 1, nodes=1)
    deeprc_launch.place([slot(0, 0)], 64, odd)
    (odd / "srun").write_text('#!/bin/sh\necho "$NETWORK"\n')
    (odd / "srun").chmod(0o755)
    (odd / "launch.sh").write_text(launch_script(made, ["job"], odd))
    environment = {"PATH": f"{odd}:/usr/bin:/bin", "HOME": str(odd), "MODULEPATH": f"{odd}/sw"}
    done = subprocess.run(["bash", odd / "launch.sh"], env=environment, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("fast\n", "")


@pytest.mark.parametrize(
    ("given", "number"),
    [
        ({"PMI_RANK": "3", "SLURM_PROCID": "0"}, "3"),
        ({"PMIX_RANK": "4"}, "4"),
        ({"OMPI_COMM_WORLD_RANK": "5"}, "5"),
        ({"PALS_RANKID": "6"}, "6"),
        ({"JSM_NAMESPACE_RANK": "7"}, "7"),
        ({"SLURM_PROCID": "8"}, "8"),
        ({}, "0"),
    ],
)
def test_a_rank_finds_its_number_whatever_the_launcher_calls_it(given, number):
    for site in (laptop(), cluster(), cluster(launcher={"name": "ibrun"})):
        wanted = "0" if site.launcher.name == "srun" and len(given) == 2 else number  # srun's own word counts there
        script = f"set -u; echo {rank_number(site, site.partition())}"
        assert subprocess.run(["bash", "-c", script], env=given, capture_output=True, text=True).stdout == f"{wanted}\n"


def test_accelerators_are_told_by_the_pilot_where_the_launcher_does_not(odd):
    site = laptop()
    deeprc_launch.place([slot(0, 0, gpus=(1, 3)), slot(0, 1, gpus=(0, 2))], 4, odd)
    lines = rank_setup(site, site.partition(), plan(site, 2, gpus=0, nodes=1), odd)
    assert lines == ["export OMP_NUM_THREADS=1"]
    two = {**LAPTOP["partitions"][0], "accelerator": {"vendor": "amd", "model": "MI", "count": 4}}
    site = Site.model_validate({**LAPTOP, "partitions": [two]})
    lines = rank_setup(site, site.partition(), plan(site, 2, gpus=2, nodes=1), odd)
    for rank, seen in ((0, "1,3"), (1, "0,2")):
        script = "\n".join([f"RP_RANK={rank}", *lines, "echo $ROCR_VISIBLE_DEVICES"])
        assert subprocess.run(["bash", "-c", script], capture_output=True, text=True).stdout == f"{seen}\n"
    assert (odd / "peers").read_text().splitlines() == ["1,3,0,2", "0,2,1,3"]
    peers = rank_setup(site, site.partition(), replace(plan(site, 2, gpus=2, nodes=1), gpus_seen=4), odd)
    script = "\n".join(["RP_RANK=1", *peers, "echo $ROCR_VISIBLE_DEVICES"])
    assert subprocess.run(["bash", "-c", script], capture_output=True, text=True).stdout == "0,2,1,3\n"
    srun = cluster()
    assert rank_setup(srun, srun.partition(), plan(srun, 2, gpus=1, nodes=1), odd) == ["export OMP_NUM_THREADS=1"]


def test_jobs_in_a_worker_are_no_ranks_of_the_workers_world():
    site = cluster()
    (first, *_) = rank_setup(site, site.partition(), plan(site, 1, nodes=1), Path("/j"))
    given = {"PMI_RANK": "0", "PMI_FD": "9", "PMIX_NAMESPACE": "x", "SLURM_STEP_ID": "1", "SLURM_JOB_ID": "7"}
    done = subprocess.run(["bash", "-c", f"{first}; env"], env=given, capture_output=True, text=True)
    assert {line.split("=")[0] for line in done.stdout.splitlines()} & given.keys() == {"SLURM_JOB_ID"}


def test_the_container_is_in_the_ranks_own_script(catalog_image):
    site = cluster(mpi=[{"implementation": "mpich", "version": "4.3", "family": "mpich", "pmi": ["pmi2"]}])
    made = plan(site, 2, nodes=1, image=catalog_image, image_path="/i/it's.sif")
    assert not made.refused, made.reason
    words = rank_words(made, ["/bin/bash", "/j/a b/command.sh"])
    script = f'apptainer() {{ printf "%s\\n" "$@"; }}; {words}'
    done = subprocess.run(["bash", "-c", script], env={**os.environ, "PWD": "/"}, capture_output=True, text=True)
    assert done.stdout.splitlines()[0] == "exec"
    assert done.stdout.splitlines()[-3:] == ["/i/it's.sif", "/bin/bash", "/j/a b/command.sh"]


@pytest.fixture
def catalog_image():
    from deeprc.images.catalog import load_catalog

    return load_catalog().image("cpu")


def test_a_launcher_that_strangers_can_ask_has_no_variable_of_the_user(tmp_path):
    """The real mpiexec, as its own rank sees it; launchers' and networks' variables come from it to the ranks."""
    site = laptop()
    assert listens(site, site.partition())
    theirs = {
        "MY_TOKEN": "x", "OF_MINE": "1", "a-b": "2", "BASH_FUNC_f%%": "() {  :\n}", "LINES": "a\nFI_X=1",
        "PYTHONPATH": "/mine", "RP_TASK_ID": "t", "DEEPRC_PILOT": "p", "UCX_TLS": "all", "FI_PROVIDER": "a b",
        "HYDRA_LAUNCHER": "fork", "PATH": os.environ["PATH"],
    }  # fmt: skip
    the_plan = replace(plan(site, ranks=2, nodes=1), environment={"SITES": "$FI_PROVIDER"})
    deeprc_launch.place([slot(0, 0), slot(0, 1)], 2, tmp_path)
    (tmp_path / "hosts").write_text("localhost\n" * 2)
    show = "import os; p = os.getppid(); q = int(open(f'/proc/{p}/stat').read().split()[3]); "
    show += "os.environ['PMI_RANK'] == '0' and os.write(1, open(f'/proc/{q}/environ', 'rb').read())"
    argv = [sys.executable, "-IS", "-c", show]
    (tmp_path / "launch.sh").write_text(launch_script(the_plan, argv, tmp_path, bare=True))
    done = subprocess.run(["bash", tmp_path / "launch.sh"], env=theirs, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    names = {"RP_TASK_ID": "t", "DEEPRC_PILOT": "p", "UCX_TLS": "all", "FI_PROVIDER": "a b", "SITES": "a b"}
    kept = dict(one.split("=", 1) for one in done.stdout.split("\0") if one)
    assert kept == {**names, "HYDRA_LAUNCHER": "fork", "PATH": os.environ["PATH"]}
