"""The simulated machine: exact times of small loads, and bounds that no schedule breaks."""

import json
import random
import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from deeprc.bench.simulate import load, run
from deeprc.bench.simulate.machine import Costs, SimulatedPilot
from deeprc.cli import command_line
from deeprc.core import events
from deeprc.core.errors import ConfigError
from deeprc.pilot.patience import PRESSED
from deeprc.pilot.tasks import Task
from deeprc.sites import load_site, site_file

AT_ONCE = Costs(launches=0, worker=0, job=0, world=0, leave=0)


def simulated(nodes, jobs, costs=AT_ONCE, after=None) -> SimulatedPilot:
    """Of jobs (name, seconds, ranks, cores, nodes); `after`: those that are submitted when the first has ended."""
    seconds = {name: took for name, took, *_ in [*jobs, *(after or [])]}

    def tasks(given):
        return [Task(name, [], ranks, cores, nodes=count) for name, _, ranks, cores, count in given]

    ended = {"a": tasks(after or [])}
    machine = SimulatedPilot(nodes, costs, seconds=seconds.__getitem__, ended=lambda uid: ended.get(uid, []), width=1)
    machine.submit(tasks(jobs))
    machine.run()
    assert machine.done == len(seconds)
    return machine


def test_jobs_run_one_after_the_other_on_their_cores():
    machine = simulated([(2, 0, 0)], [(name, 10, 1, 1, 0) for name in "abcd"])
    assert (machine.last_end, machine.busy, machine.workers) == (20, [2.0] * 20, 2)


def test_each_step_costs_what_is_said():
    """Two workers, the second of which is launched a second later; the third job waits for the end of the first."""
    costs = Costs(launches=1, worker=0.5, job=0.25, world=4, leave=1)
    machine = simulated([(2, 0, 0)], [(name, 10, 1, 1, 0) for name in "abc"], costs)
    assert machine.last_end == 1 + 0.5 + 2 * 10.25
    assert simulated([(2, 0, 0)] * 2, [("m", 10, 4, 1, 2)], costs).last_end == 1 + 4 + 10


def test_several_ranks_wait_for_whole_blocks_and_younger_jobs_go_on_meanwhile():
    jobs = [("a", 4, 1, 1, 0), ("m", 5, 4, 1, 2), ("b", 3, 1, 1, 0)]
    machine = simulated([(2, 0, 0)] * 2, jobs)
    assert machine.busy == [2.0] * 3 + [1.0] + [4.0] * 5  # the idle worker of the first gives its core up at once


@pytest.mark.parametrize("order", ["wide first", "wide last", "mixed"])
def test_no_job_of_several_nodes_is_overtaken_for_ever(order):
    """Those of one node take each node that comes free, thousands of them, and one-rank jobs what is left of it."""
    chosen = random.Random(order)
    small = [(f"s{n}", chosen.uniform(20, 60), 1, 1, 0) for n in range(500)]
    node = [(f"n{n}", chosen.uniform(30, 90), 2, 1, 1) for n in range(600)]
    wide = [(f"w{n}", chosen.uniform(30, 90), 12, 1, 6) for n in range(5)]
    jobs = [*small, *node]
    chosen.shuffle(jobs)
    jobs = {"wide first": jobs[:9] + wide + jobs[9:], "wide last": [*jobs, *wide]}.get(order, [*jobs, *wide])
    if order == "mixed":
        chosen.shuffle(jobs)
    machine = simulated([(2, 0, 0)] * 8, jobs)
    assert machine.longest <= PRESSED + 90 + 1e-6  # what runs on the nodes that are kept for it may go on
    if order == "wide first":
        assert machine.longest > PRESSED  # it did wait
    # Of 8 nodes, 6 are emptied for it.
    assert sum(machine.busy) / (16 * machine.last_end) > 0.85


def test_what_comes_after_waits():
    assert simulated([(4, 0, 0)], [("a", 7, 1, 1, 0)], after=[("b", 5, 1, 1, 0)]).last_end == 12


job = st.tuples(st.integers(1, 9), st.integers(1, 3), st.integers(1, 2))


@given(st.lists(job, min_size=1, max_size=20), st.integers(1, 3), st.booleans())
def test_no_makespan_is_below_the_bound_and_no_core_is_counted_twice(wanted, nodes, free):
    jobs = [(str(i), s, ranks, cores, -(-ranks // (4 // cores))) for i, (s, ranks, cores) in enumerate(wanted)]
    jobs = [job for job in jobs if job[4] <= nodes]
    machine = simulated([(4, 0, 0)] * nodes, jobs, AT_ONCE if free else Costs())
    work = sum(s * ranks * cores for _, s, ranks, cores, _ in jobs)
    assert machine.last_end >= max([work / (4 * nodes), *(s for _, s, *_ in jobs)], default=0) - 1e-6
    assert sum(machine.busy) == pytest.approx(work)
    assert all(busy <= 4 * nodes + 1e-6 for busy in machine.busy)
    assert [machine.schedule.rooms.free, machine.schedule.rooms.soon] == [[(4, 0, 0)] * nodes, [(0, 0, 0)] * nodes]


def test_ten_thousand_jobs_on_a_thousand_nodes(tmp_path):
    """The load of docs/scale.md, in a few seconds; the seed gives the same each time."""
    made = tmp_path / "made.json"
    line = ["simulate", "--site", "frontier", "--nodes", "1024", "--jobs", "10000", "--launches", "0"]
    told = CliRunner().invoke(
        command_line(line), [*line, "--output", str(made), "--picture", str(tmp_path / "made.svg")]
    )
    assert told.exit_code == 0
    assert told.output.splitlines()[-100:][0] and "SIMULATED, nothing of this was measured: frontier" in told.output
    figures = json.loads(made.read_text())
    assert figures["utilisation_while_waiting"] > 0.99
    assert figures["bound_s"] <= figures["makespan_s"] < 1.2 * figures["bound_s"]
    assert [stage["jobs"] for stage in figures["stages"]] == [7000, 2000, 800, 200]
    wide = figures["stages"][-1]
    assert wide["launch"][0] == "srun" and wide["nodes"] == 4
    # A container for each node and job, 11 calls each; 13 for each job.
    assert (wide["files"]["image_starts"], wide["files"]["metadata_in_image"]) == (800, 800 * 11 + 200 * 13)
    words = "".join(ET.parse(tmp_path / "made.svg").getroot().itertext())
    assert "Simulated, not measured: frontier, 1,024 nodes, 10,000 jobs" in words


def test_the_seed_decides(tmp_path):
    ends = {
        seed: run.run("frontera", None, 8, "mixed", 200, seed, Costs(), tmp_path)["makespan_s"] for seed in (1, 1, 2)
    }
    again = run.run("frontera", None, 8, "mixed", 200, 1, Costs(), tmp_path)
    assert again["makespan_s"] == ends[1] != ends[2]
    assert again["simulated"] is True and again["gpu_utilisation"] is None


def test_what_limits_is_told(tmp_path):
    path, told = tmp_path / "study.yaml", {}
    for name, text, launches in (
        ("chain", "{name: a, jobs: 1, median: 50}, {name: b, jobs: 1, median: 50, after: [a]}", 0),
        ("engine", "{name: a, jobs: 100, median: 50}", 2),
        ("nothing", "{name: a, jobs: 5600, median: 50}", 0),
    ):
        path.write_text(f"stages: [{text}]")
        told[name] = run.run("frontier", None, 1, str(path), None, 1, Costs(launches=launches), tmp_path)["limits"]
    assert told["chain"] == ["one chain of jobs takes as long as all, whatever the machine"]
    assert told["engine"][0].startswith(
        "the pilot's engine starts 2 workers or jobs of several ranks a second: the 56 "
    )
    assert re.fullmatch(r"nothing by more than a hundredth: 0\.\d+% above the bound", told["nothing"][0])


def test_nothing_limits_what_ends_at_its_bound_and_gangs_are_those_that_are_there_at_once(tmp_path):
    path = tmp_path / "study.yaml"
    path.write_text("stages: [{name: node, jobs: 8, ranks: 8, cores: 7, gpus: 1, median: 900, sigma: 0}]")
    made = run.run("frontier", None, 4, str(path), None, 1, AT_ONCE, tmp_path)
    assert made["makespan_s"] == made["bound_s"] == 1800
    assert made["limits"] == ["nothing by more than a hundredth: 0.00% above the bound"]
    # A job lies on one node, whose ranks share a container: four of them are there, one after the other.
    assert [made["stages"][0]["files"][key] for key in ("image_starts", "image_starts_warm")] == [8, 4]


def test_a_stage_that_does_not_fit_is_named(tmp_path):
    path = tmp_path / "study.yaml"
    path.write_text("stages: [{name: wide, jobs: 1, ranks: 64, cores: 7}]")
    with pytest.raises(ConfigError, match=r"study\.yaml: stage wide: ") as told:
        run.run("frontier", None, 4, str(path), None, 1, AT_ONCE, tmp_path)
    assert "radical-pilot" not in str(told.value) and "--nodes" in str(told.value)


PART = load_site("frontier").partition(None)


def test_a_file_of_stages(tmp_path):
    path = tmp_path / "study.yaml"
    path.write_text(
        "stages: [{name: sort, jobs: 1, ranks: 16, rows: 1000000}, {name: b, jobs: 30, median: 5, after: [sort]}]"
    )
    sort, after = load.load(str(path), None, PART)
    assert (sort.rows, after.after, after.jobs) == (1_000_000, ("sort",), 30)
    assert [*after.seconds(1, 8)] == [5.0] * 30
    (alone,) = sort.seconds(1, 8)
    assert [*load.load(str(path), 62, PART)[0].seconds(1, 8)] == [alone] * 2
    assert 0 < alone < 1
    assert [stage.jobs for stage in load.load(str(path), 62, PART)] == [2, 60]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("stages: [{name: a, jobs: 1, rank: 2}]", "unknown key of a stage.*found: rank.*did you mean 'ranks'"),
        (
            "{sed: 3, stages: [{name: a, jobs: 1}]}",
            "unknown key of a file of stages.*found: sed.*expected: one of stages",
        ),
        ("stages: [{name: a, jobs: 0}]", "stage a: jobs.*found: 0.*a whole number from 1"),
        ("stages: [{name: a, jobs: 1, after: [b]}, {name: b, jobs: 1}]", "comes after a stage that is not before it"),
        ("stages: [{name: a}]", "a stage lacks a key"),
        ("stages: [{name: a, jobs: 1}, {name: a, jobs: 1}]", "two stages have one name"),
        ("stages: [{name: a, jobs: 1}, {name: b, jobs: 1, after: a}]", "comes after a list of others.*found: a"),
        ("stages: [{name: a, jobs: 1, median: .nan}]", "stage a: median.*found: nan"),
        ("jobs: 3", "no stages"),
    ],
)
def test_a_file_that_says_nothing_is_refused(tmp_path, text, told):
    path = tmp_path / "study.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as refused:
        load.load(str(path), None, PART)
    assert re.search(told, str(refused.value), re.DOTALL)


def test_a_run_that_was_gives_its_times(tmp_path):
    path = tmp_path / "events.jsonl"
    job = events.JobEvent(
        time=15.0, state="finished", job=1, rule="train", label="train", ranks=2, submit=9.0, argv=[], cores_per_rank=3,
        start=10.0, stop=14.5,
    )  # fmt: skip
    large = replace(job, gpus_per_rank=4, memory_mb=1001, stop=20.0)
    active = events.PilotEvent(time=8.0, state="active")
    path.write_text("".join(events.line(each) + "\n" for each in (active, job, large)) + '{"event": "jo')  # killed
    stage, other = load.load(str(path), 6, PART)
    assert (stage.name, stage.jobs, stage.ranks, stage.cores, [*stage.seconds(1, 8)]) == ("train", 3, 2, 3, [4.5] * 3)
    assert (other.name, other.ranks, other.gpus, other.memory_mb, other.times) == ("train 2", 2, 4, 501, (10.0,))
    assert (stage.gpus, stage.memory_mb) == (0, 0)
    with pytest.raises(ConfigError, match="cannot be simulated"):
        load.load("Snakefile", None, PART)


def test_what_has_no_room_is_refused(tmp_path):
    path = tmp_path / "study.yaml"
    for stage in ("cores: 57", "gpus: 9", "ranks: 9, cores: 56"):
        path.write_text(f"stages: [{{name: a, jobs: 1, {stage}}}]")
        with pytest.raises(ConfigError, match="do not fit"):
            run.run("frontier", None, 8, str(path), None, 1, Costs(), tmp_path)


def test_more_nodes_than_there_are_are_refused_with_the_number_that_was_asked_for(tmp_path):
    with pytest.raises(ConfigError) as refused:
        run.run("localhost", None, 5, "mixed", None, 1, Costs(), tmp_path)
    assert str(refused.value).splitlines() == [
        "site localhost, partition local: 5 nodes: more than there are",
        "  expected: at most 1",
        "  fix: fewer --nodes",
    ]


def test_a_site_of_ones_own_within_a_job_of_it(tmp_path, monkeypatch):
    """The launch line is of that file, and the nodes are those that were asked for, not the job's."""
    own, study = tmp_path / "site.yaml", tmp_path / "study.yaml"
    text = site_file("frontera").read_text()
    own.write_text(text.replace("name: frontera\n", "name: mine\n"))
    study.write_text("stages: [{name: a, jobs: 224, median: 50}]")
    monkeypatch.setenv("SLURM_JOB_ID", "1")
    figures = run.run(str(own), None, 4, str(study), None, 1, AT_ONCE, tmp_path)
    assert (figures["site"], figures["cores"], figures["makespan_s"]) == ("mine", 224, 50.0)
    assert figures["stages"][0]["launch"][0] == "ibrun"
