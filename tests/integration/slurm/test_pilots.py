"""Several pilots of a run on a real Slurm: of two shapes, started when needed, ended when idle."""

from __future__ import annotations

from pathlib import Path

import pytest

from pilots import QUIET, events, finish, start, survivors, wait_for

pytestmark = pytest.mark.requires("slurm")
WORKFLOW = Path(__file__).with_name("pilots.smk")
SHAPES = ["partition=debug,gpus=0,max=2,runtime=10", "partition=debug,runtime=9"]
END = 420  # seconds that three pilots may take on a busy machine


def begin(folder: Path, cluster, site: Path, *arguments: str, shapes=SHAPES):
    options = ["--radical-pilot-site", str(site), "--radical-pilot-idle", "2", "--radical-pilot-pilots", *shapes]
    variables = cluster.environment | {"DEEPRC_ADDRESS": "127.0.0.1"}
    return start(folder, str(WORKFLOW), *options, *arguments, *QUIET, "last.txt", **variables)


@pytest.fixture(scope="module")
def done(cluster, site, tmp_path_factory):
    """A run: its folder, what it said, and its pilots' states by their folders' names."""
    folder = tmp_path_factory.mktemp("pilots")
    code, output = finish(begin(folder, cluster, site), END)
    assert code == 0, output
    told: dict[str, dict] = {}
    for event in events(folder):
        if event["event"] == "pilot":
            told.setdefault(event["pilot"], {}).setdefault(event["state"], event)
    return folder, output, told


def jobs(folder: Path, rule: str) -> list[dict]:
    return [e for e in events(folder) if e["event"] == "job" and e["rule"] == rule and e["state"] == "finished"]


def test_as_many_pilots_of_a_shape_are_started_as_its_jobs_take(done):
    """Each job takes a whole node, so that two pilots of one node have half of them each, as they get ready."""
    folder, output, told = done
    first = [pilot for pilot in told.values() if not pilot["starting"]["gpus"]]
    assert [(pilot["starting"]["nodes"], pilot["starting"]["cores"]) for pilot in first] == [(1, 4)] * 2, output
    parts = jobs(folder, "part")
    assert len(parts) == 6
    assert all(pilot["starting"]["time"] < min(job["start"] for job in parts) for pilot in first)
    lines = [path.read_text().split() for path in sorted((folder / "part").iterdir())]
    assert {devices for _, devices in lines} == {"none"}
    assert {node for node, _ in lines} == {"node1", "node2"}


def test_a_pilot_of_another_shape_is_started_when_a_job_first_needs_it(done):
    folder, _, told = done
    (pilot,) = [pilot for pilot in told.values() if pilot["starting"]["gpus"] == 2]
    assert pilot["starting"]["time"] > max(job["stop"] for job in jobs(folder, "part"))
    assert (folder / "fit.txt").read_text().split()[1] == "0,1"
    assert len(told) == 3


def test_pilots_without_a_job_end_while_the_run_goes_on(done):
    """The two that came first hold all nodes: the third could not start if they did not."""
    folder, output, told = done
    (fit,) = jobs(folder, "fit")
    assert output.count("has had nothing to do for 2 s: it ends") == 3, output
    for pilot in told.values():
        if not pilot["starting"]["gpus"]:
            assert pilot["closed"]["time"] < fit["start"]


def test_nothing_of_them_is_left(done, cluster):
    wait_for(lambda: not cluster.jobs(), 30)
    wait_for(lambda: not survivors(done[0]), 10)


def test_a_job_that_fits_no_pilot_is_refused_by_name(cluster, site, tmp_path):
    """Before anything queues; `-n` says so, too, and what would run where."""
    large = ["--set-resources", "fit:mem_mb=5000"]
    told = (
        "rule fit fits none of the pilots\n"
        "  found: 1 rank x 1 cores, 2 accelerators, 5000 MB of memory\n"
        "  expected: what one of them has\n"
        "    debug-1 (1 node of debug: 4 cores, 4000 MB of memory, 10 min): asks for 2 accelerators, the pilot has 0\n"
        "    debug-2 (1 node of debug: 4 cores, 2 accelerators, 4000 MB of memory, 9 min): asks for 5000 MB of memory,"
        " the pilot has 4000\n"
        "  fix: ask for less, or give another shape (--radical-pilot-pilots)\n"
    )
    runs = [
        begin(tmp_path / "run", cluster, site, *large),
        begin(tmp_path / "dry", cluster, site, *large, "-n"),
        begin(tmp_path / "fits", cluster, site, "-n"),
        begin(tmp_path / "auto", cluster, site, "-n", shapes=["auto,max=3"]),
    ]
    (code, output), (dry, warned), (fits, table), (auto, chosen) = [finish(process, 120) for process in runs]
    assert (code, output.count(told)) == (1, 1), output
    assert not (tmp_path / "run" / ".deeprc").exists()
    assert (dry, f"note: a run would be refused: {told}" in warned) == (0, True), warned
    head = "pilot    partition  nodes  cores  accelerators  minutes  at once  node-hours  jobs\n"
    assert fits == auto == 0
    assert (
        f"{head}debug-1  debug          1      4             0       10      0-2    0.2 each  6: part 6\n"
        "debug-2  debug          1      4             2        9      0-1    0.1 each  1: fit 1\n"
        "at most 0.5 node-hours; 1.9 where each pilot is replaced as often as it may be\n"
    ) in table
    # By the threads that a run gives, whatever this machine has; `reserved` has too few, `closed` is as good as any.
    assert (
        "debug   debug          1      4             2      240      0-3    4.0 each  1: fit 1\n"
        "closed  closed         1      4             0      240      0-3    4.0 each  6: part 6\n"
    ) in chosen
    assert cluster.jobs() == []
