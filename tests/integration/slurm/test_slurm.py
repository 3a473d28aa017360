"""Workflows in a pilot on a real Slurm of two nodes with four made-up cores and two made-up accelerators each."""

from __future__ import annotations

import contextlib
import re
import secrets
import signal
import time
from pathlib import Path

import pytest

from deeprc.launch import Layout, compose
from deeprc.sites import load_site
from pilots import QUIET, events, finish, holding, jobs_that_began, start, survivors, wait_for, watched
from strangers import GREET, TALK, attempt, listening

pytestmark = pytest.mark.requires("slurm")
WORKFLOW = Path(__file__).with_name("jobs.smk")
BEGIN = 240  # seconds that a pilot may take to start on a busy machine
ONE = [f"one/{number}.txt" for number in range(6)]


@pytest.fixture(scope="module")
def launch(cluster, site):
    """A function that starts a workflow in a pilot of the cluster."""

    def begin(folder: Path, *arguments: str, nodes: int = 2, where: Path = site, **environment: str):
        options = ["--radical-pilot-site", str(where), "--radical-pilot-nodes", str(nodes)]
        options += ["--radical-pilot-runtime", "10", *arguments]
        variables = cluster.environment | {"DEEPRC_ADDRESS": "127.0.0.1"} | environment
        return start(folder, str(WORKFLOW), *options, **variables)

    return begin


@pytest.fixture(scope="module")
def done(launch, cluster, tmp_path_factory, stranger):
    """A run with jobs of every kind, one of which fails."""
    folder = tmp_path_factory.mktemp("done")
    targets = [*ONE, *(f"alone/{n}.txt" for n in range(4)), *(f"devices/{n}.txt" for n in range(4))]
    targets += ["world.txt", "two.txt", "script.txt", "never.txt", "large.txt", "long.txt", "behind.txt"]
    began = time.monotonic()
    token = secrets.token_hex(16)
    process = launch(folder, "--keep-going", *QUIET, *targets, API_TOKEN=token)
    watch = contextlib.ExitStack()
    seen = watch.enter_context(watched(stranger, token))
    try:
        wait_for(cluster.jobs, BEGIN)
        (name,) = cluster.jobs()
        job = cluster.call("scontrol", "show", "job", cluster.call("squeue", "--noheader", "--format=%i").split()[0])
    finally:
        code, output = finish(process, BEGIN)
        watch.close()
    print(f"a pilot on Slurm: {time.monotonic() - began:.0f} s in all\n{output}")
    return (
        folder,
        code,
        output,
        name,
        job,
        cluster.jobs(),
        holding(folder, token) + holding(cluster.folder, token),
        seen,
    )


def jobs(folder: Path, rule: str, state: str = "finished") -> list[dict]:
    return [e for e in events(folder) if e["event"] == "job" and e["rule"] == rule and e["state"] == state]


def test_jobs_of_one_rank_run_on_both_nodes(done):
    folder, _, output, *_ = done
    lines = [(folder / name).read_text().split() for name in ONE]
    others = [path.read_text().split() for path in (folder / "devices").iterdir()]
    assert {node for node, *_ in lines + others} == {"node1", "node2"}, output
    assert {tuple(rest) for _, *rest in lines} == {("1", "0")}
    assert (folder / "script.txt").read_text() == "scripted\n"


def test_no_secret_is_left_or_seen_by_another_user(done):
    """The jobs have it: one of them shows so."""
    assert (done[0] / "logs" / "two.log").read_text().count(" secret") == 2
    *_, files, command_lines = done
    assert (files, command_lines) == ([], [])


def test_no_node_has_more_jobs_than_memory_for_them(done):
    ran = [
        (job["start"], job["stop"], (done[0] / job["output"][0]).read_text().split()[0]) for job in jobs(done[0], "one")
    ]
    assert len(ran) == 6
    for begin, _, node in ran:
        assert sum(start <= begin < stop for start, stop, other in ran if other == node) <= 2, ran


def test_mpi_in_a_job_of_one_rank_is_a_world_of_one(done):
    """Several in the same worker, which `srun` has started as a rank."""
    assert [(done[0] / f"alone/{number}.txt").read_text() for number in range(4)] == ["1\n"] * 4


def test_six_ranks_on_two_nodes_share_a_world(done):
    lines = (done[0] / "logs" / "world.log").read_text().splitlines()
    assert lines == [f"{rank}: rank {rank} of 6 on node{1 + rank // 3}" for rank in range(6)]
    (job,) = jobs(done[0], "world")
    assert 0.1 < job["cpu_seconds"] < 120 and job["memory_mb"] == 600, job  # six Pythons that import mpi4py


def test_a_job_lies_on_as_many_nodes_as_it_asks_for(done):
    assert (done[0] / "logs" / "two.log").read_text().splitlines() == ["0: node1 2 secret", "1: node2 2 secret"]


def test_jobs_at_the_same_time_have_accelerators_of_their_own(done):
    found = [(job, (done[0] / job["output"][0]).read_text().split()) for job in jobs(done[0], "device")]
    assert len(found) == 4
    assert {device for _, (_, device) in found} <= {"0", "1"}
    beside = [
        (one, other)
        for number, (job, one) in enumerate(found)
        for later, other in found[number + 1 :]
        if job["start"] < later["stop"] and later["start"] < job["stop"]
    ]
    assert beside
    assert all(one != other for one, other in beside), found


def test_the_launch_line_is_the_one_that_the_plan_composes(done, site):
    """Word for word, with the nodes that the pilot has chosen."""
    folder = done[0]
    where = load_site(site)
    for rule, layout, hosts in (
        ("world", Layout(6, 1, 0, 2, 100), "node1,node2"),
        ("two_nodes", Layout(2, 1, 0, 2), "node1,node2"),
        ("one", Layout(1, 1, 0, 1, 1500), r"node[12]"),
        ("device", Layout(1, 1, 1, 1), r"node[12]"),
    ):
        for job in jobs(folder, rule):
            *line, shell, script = job["argv"]
            plan = compose(where, where.partition(), layout, [shell, script], placed=True)
            expected = [re.escape(word).replace(re.escape("{hosts}"), hosts) for word in plan.argv]
            assert len(job["argv"]) == len(expected)
            assert all(map(re.fullmatch, expected, job["argv"])), job["argv"]
            assert line[0] == "srun"
            assert script.endswith("/command.sh")
    (world,) = jobs(folder, "world")
    assert world["argv"][:-2] == [
        "srun", "--nodes=2", "--ntasks=6", "--ntasks-per-node=3", "--cpus-per-task=1", "--mpi=pmi2",
        "--kill-on-bad-exit=1", "--nodelist=node1,node2", "--exact", "--mem=287", "--gres=none",
    ]  # fmt: skip


def test_one_rank_that_fails_ends_the_job_and_is_shown(done):
    folder, code, output, *_ = done
    assert code == 1
    assert output.count("FAILED: do what cannot be done (exit code 7 of rank 4)") == 1
    assert "  | the reason is this\n" in output
    assert not (folder / "never.txt").exists()
    (job,) = jobs(folder, "one_rank_fails", "failed")
    assert job["exit"] == 7
    assert job["time"] - job["start"] < 30


def test_outputs_of_nodes_whose_clocks_are_wrong_have_this_machines_time(done):
    """Else the next start would make `behind.txt` anew, as it is older than what it was made from."""
    ahead, behind = (done[0] / f"{name}.txt" for name in ("ahead", "behind"))
    assert behind.read_text() == "ahead\n"
    assert ahead.stat().st_mtime <= behind.stat().st_mtime <= time.time()


def test_memory_above_the_limit_is_told_apart_from_a_runtime_that_is_over(done):
    output = done[2]
    (large,) = [line for line in output.splitlines() if "FAILED: too_large (" in line]
    assert "ended for its memory: " in large and large.endswith("MB were in use, mem_mb allows 60)")
    assert output.count("FAILED: too_long (ended after its runtime of 0.05 min)") == 1, output


def test_the_site_has_the_word_on_the_allocation(done):
    """Its options, which PSI/J knows nothing of, reach `sbatch`; and all accelerators were asked for."""
    *_, name, job, left, _, _ = done
    assert name.startswith("deeprc-")
    assert "Comment=tried" in job
    assert "NumNodes=2" in job
    assert "NumTasks=8" in job
    assert "TresPerNode=gres:gpu:2" in job
    assert left == [] or left == [name]  # Slurm may still be looking after its end


def test_nothing_of_it_is_left(done, cluster):
    wait_for(lambda: not cluster.jobs(), 30)
    wait_for(lambda: not survivors(done[0]), 10)


def test_another_launcher_is_told_its_hosts_by_a_file(launch, hydra_site, cluster, tmp_path):
    """Hydra, which binds no accelerators: the pilot tells each rank its own."""
    targets = ["world.txt", "two.txt", "one/0.txt", *(f"devices/{number}.txt" for number in range(4)), "never.txt"]
    _, output = finish(launch(tmp_path, "--keep-going", *QUIET, *targets, where=hydra_site), BEGIN)
    lines = (tmp_path / "logs" / "world.log").read_text().splitlines()
    assert [line.partition(" on ")[0] for line in lines] == [f"{rank}: rank {rank} of 6" for rank in range(6)]
    assert {line[-5:] for line in lines} == {"node1", "node2"}
    assert output.count("FAILED: do what cannot be done (exit code 7 of rank 4)") == 1, output
    (world,) = jobs(tmp_path, "world")
    (folder,) = tmp_path.glob(".deeprc/runs/*/jobs/world.*")
    assert world["argv"][1:7] == ["-np", "6", "-ppn", "3", "-f", f"{folder}/hosts"]
    assert [line.split()[1] for line in sorted((tmp_path / "logs" / "two.log").read_text().splitlines())] == [
        "node1", "node2",
    ]  # fmt: skip
    found = [(tmp_path / f"devices/{number}.txt").read_text().split() for number in range(4)]
    assert {device for _, device in found} <= {"0", "1"}
    wait_for(lambda: not cluster.jobs(), 30)


def test_whoever_ends_the_workflow_ends_the_job(launch, cluster, tmp_path, stranger):
    """By Ctrl-C, or by `kill -9`, each on a node of its own. Until then, no other user of the nodes is heard."""
    numbers, token = (signal.SIGINT, signal.SIGKILL), secrets.token_hex(16)
    folders = [tmp_path / number.name for number in numbers]
    both = [launch(folder, *QUIET, "slept.txt", nodes=1, API_TOKEN=token) for folder in folders]
    try:
        wait_for(lambda: all((folder / "slept.txt").exists() for folder in folders), BEGIN)
        assert all(holding(folder, token) for folder in folders)
        wait_for(lambda: [len(jobs_that_began(folder)) for folder in folders] == [1, 1], 30)
        ports = listening(folders[0], besides=both[0].pid)  # which listens for the workers
        assert len(ports) > 50
        assert attempt(stranger, GREET, *ports) == {str(port): "CURVE" for port in ports}
        assert attempt(stranger, TALK, "", 1, *ports) == {"let in": [], "told": []}
        began = time.monotonic()
        for process, number in zip(both, numbers, strict=True):
            process.send_signal(number)
        for process in both:
            process.communicate(timeout=120)
        assert time.monotonic() - began < 120  # a few on an idle machine; the jobs themselves would take 186.5
    finally:
        for process in both:
            process.kill()
    wait_for(lambda: not cluster.jobs(), 30)
    wait_for(lambda: not survivors(tmp_path), 30)
    assert all(process.returncode != 0 for process in both)
    assert holding(tmp_path, token) == []


def test_what_slurm_refuses_is_one_clear_error(launch, cluster, tmp_path):
    cases = {
        "invalid partition specified: nowhere": ["--radical-pilot-partition", "closed"],
        "3 nodes: more than there are": ["--radical-pilot-nodes", "3"],
        "5 cores of a node: more than there are": ["--radical-pilot-cores", "5"],
        "it could never begin: Slurm says PartitionTimeLimit of a job of 1:40:00 in debug; ask for a shorter time:"
        " --radical-pilot-runtime, or another partition": ["--radical-pilot-runtime", "100"],
    }
    started = [
        launch(tmp_path / str(number), *arguments, *QUIET, "one/0.txt")
        for number, arguments in enumerate(cases.values())
    ]
    for words, (code, output) in zip(cases, [finish(process, BEGIN) for process in started], strict=True):
        assert code == 1
        assert output.count(words) == 1, output
        assert "Traceback" not in output
    assert cluster.jobs() == []
    assert survivors(tmp_path) == {}


def test_a_wrong_machine_stops_the_run_before_it_has_begun(launch, cluster, tmp_path):
    process = launch(tmp_path, *QUIET, "one/0.txt", SLURM_CONF="/etc/another.conf")
    code, output = finish(process, 60)
    assert code == 1
    assert "this is not here-slurm" in output
    assert f"SLURM_CONF={cluster.environment['SLURM_CONF']} in the environment" in output
    assert "Traceback" not in output
    assert not (tmp_path / ".deeprc").exists()


def test_a_plan_without_a_run_works_on_any_machine(launch, tmp_path):
    code, output = finish(launch(tmp_path, "-n", "--", "one/0.txt", SLURM_CONF="/etc/another.conf"), 60)
    assert code == 0, output
    assert "one" in output
