"""A real Grid Engine: what is detected of it, what a job of it is asked by and tells, and ranks within one."""

import json
import os
import sys
import time
from pathlib import Path

import pytest
import yaml

from deeprc import schedulers
from deeprc.core.errors import ConfigError
from deeprc.pilot.allocation import Allocation
from deeprc.schedulers import scheduler
from deeprc.sites import load_site
from deeprc.sites.allocation import asked
from deeprc.sites.detect import cores, memory_mb
from deeprc.sites.detect.machine import find_out
from deeprc.sites.draft import write_draft
from gridengine_cluster import private_gridengine

GRID = scheduler("gridengine")


@pytest.fixture(scope="module")
def cluster():
    with private_gridengine(slots=cores()) as running:
        kinds = running.call("qconf", "-sc") + "gpu gpu INT <= YES YES 0 0\n"
        (running.folder / "complexes").write_text(kinds)
        running.call("qconf", "-Mc", str(running.folder / "complexes"))
        yield running


@pytest.fixture(autouse=True)
def environment(cluster, monkeypatch):
    for name, value in cluster.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("SLURM_CONF", raising=False)


@pytest.fixture(scope="module")
def site_file(cluster, tmp_path_factory):
    """The draft of a site file for it, as `deeprc site detect --draft` writes it."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in cluster.environment.items():
            patch.setenv(name, value)
        return write_draft(find_out(), tmp_path_factory.mktemp("sites"))


def wait_for(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return found


def test_it_is_detected_with_its_queue(cluster):
    found = schedulers.detect()
    assert (found.name, found.remark, found.left_out) == ("gridengine", None, [])
    assert found.version.startswith("8.")
    (queue,) = found.queues
    assert (queue.name, queue.nodes, queue.here, queue.gres) == ("all.q", 1, True, None)
    assert (queue.cores * queue.threads, queue.arch) == (cores(), find_out().architecture)
    assert abs(queue.memory_mb - memory_mb()) < 0.1 * memory_mb()


def test_a_draft_takes_the_parallel_environment_of_whole_hosts_and_no_pilot_can_be_had(site_file):
    site = load_site(site_file)
    options = asked(site, site.partition(), 2, 1)
    assert options == ["-q", "all.q", "-pe", "whole", str(2 * cores())]
    with pytest.raises(ConfigError) as error:
        Allocation(site)
    assert error.value.problem == f"no pilot can have nodes from Grid Engine: {GRID.no_pilot}"
    assert error.value.expected == "one of fork, lsf, pbspro, slurm"


def test_ranks_in_a_job_are_one_world_and_the_doctor_knows_its_options(cluster, site_file, tmp_path):
    """The real `qsub` with the site's options, the doctor within the job, and the ranks that Hydra starts there."""
    site = load_site(site_file)
    deeprc = str(Path(sys.executable).with_name("deeprc"))
    doctor = [deeprc, "doctor", "--site", str(site_file), "--ranks", "2", "--json"]
    script = tmp_path / "job.sh"
    # Not even `-V` hands on LD_LIBRARY_PATH, by which the unpacked commands find what they need.
    export = " ".join(f"{name}={os.environ[name]}" for name in ("PATH", "LD_LIBRARY_PATH"))
    script.write_text(f"export {export}\n{' '.join(doctor)} --checks machine,world > {tmp_path}/said 2>&1\n")
    options = [*asked(site, site.partition(), 1, 1), *GRID.named.format("deeprc-longname").split(), "-V", "-j", "y"]
    number = cluster.call("qsub", "-terse", *options, "-o", str(tmp_path / "out"), str(script)).strip()
    assert GRID.left("deeprc-longname") == [number]
    assert GRID.left("deeprc-long") == []  # the table of qstat would show ten letters of it
    wait_for(lambda: not GRID.left("deeprc-longname"))
    said = json.loads((tmp_path / "said").read_text())
    checks = {check["subject"]: check for check in said["checks"]}
    assert checks["world size"]["status"] == "ok", checks["world size"]
    assert checks["world size"]["text"].startswith("2 ranks on 1 node are one world")
    known = ("scheduler", "parallel environment whole", "queue all.q")
    assert {subject: checks[subject]["status"] for subject in known} == dict.fromkeys(known, "ok")


def test_a_job_that_waits_says_why_and_is_ended(cluster, tmp_path):
    held = [*GRID.named.format("deeprc-waits").split(), "-pe", "whole", str(40 * cores()), "-b", "y"]
    number = cluster.call("qsub", "-terse", *held, "-o", str(tmp_path), "-e", str(tmp_path), "true").strip()
    wait_for(lambda: GRID.waits("deeprc-waits") not in (None, "qw"))
    assert GRID.waits("deeprc-waits") == (
        'qw (cannot run in PE "whole" because it only offers 2 slots)'.replace("2", str(cores()))
    )
    assert GRID.left("deeprc-waits") == [number]
    GRID.end("deeprc-waits")
    assert GRID.left("deeprc-waits") == []
    assert GRID.waits("deeprc-waits") is None


@pytest.mark.parametrize(
    ("options", "subject", "found", "status"),
    [
        (["-pe some"], "parallel environment some", "$fill_up: what is free", False),
        (["-pe hole"], "parallel environment hole", "there are some, whole", False),
        (["-pe whole", "-l gpu=2"], "resource gpu", f"2 for each slot, {cores()} times as many for a node", None),
    ],
)
def test_the_doctor_asks_it_about_the_sites_options(site_file, options, subject, found, status):
    content = yaml.safe_load(site_file.read_text())
    content["partitions"][0] |= {"scheduler_options": options, "nodes": 2}
    other = site_file.parent.parent / "other" / "site.yaml"
    other.parent.mkdir(exist_ok=True)
    other.write_text(yaml.safe_dump(content))
    site = load_site(other)
    from deeprc.sites.allocation import job_of

    told = {remark.subject: remark for remark in GRID.checks(job_of(site, site.partition(), 2, 1))}
    assert (told[subject].found, told[subject].same) == (found, status)
