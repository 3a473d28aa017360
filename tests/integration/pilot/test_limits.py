"""Jobs that are ended for their time, for their memory, or by Ctrl-C; and how much memory lets run at a time."""

from __future__ import annotations

import os
import re
import signal
import time

import pytest

from deeprc.pilot import Allocation, Pilot
from deeprc.sites import load_site
from pilots import QUIET, WORKFLOWS, events, finish, start, survivors, wait_for
from starts import together

SITE = """\
name: small
description: This machine, as if it had two cores and little memory
contact: the tests
url: none
scheduler: {name: fork}
launcher: {name: mpiexec-hydra, pmi: [pmi1]}
interconnect: {fabric: shared-memory, description: shared memory, provider: shm}
mpi: [{implementation: mpich, version: "5.0", family: mpich, standard_abi: true, pmi: [pmi1]}]
runtime: {kind: none}
partitions: [{name: local, architecture: detect, cores: 2, memory_mb: 900}]
"""
BESIDE = [f"beside.{kind}.{number}" for kind in ("node", "licence", "disk") for number in (1, 2)]
TARGETS = ["ranks_save.txt", "grown.txt", "again.txt", "nothing.txt", *BESIDE]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    path = tmp_path_factory.mktemp("site") / "site.yaml"
    path.write_text(SITE)
    return "--radical-pilot-site", str(path)


@pytest.fixture(scope="module", autouse=True)
def begun(tmp_path_factory, site):
    """Begins first and is looked at last, since it mostly waits.

    In a working directory with a name that no shell likes; so the private folder is elsewhere.
    """
    plain = tmp_path_factory.mktemp("plain-ä@+=")
    folder = plain / 'it\'s $(touch odd) `%s` (é) "a";\nb'
    options = ["--keep-going", "--resources", "licence=1", "disk_mb=1000", "--radical-pilot-grace", "20"]
    options += ["--radical-pilot-folder", str(plain / ".deeprc")]
    process = start(folder, "limits.smk", *site, *options, *QUIET, *TARGETS)
    yield folder, process
    process.kill()
    process.wait()


@pytest.fixture(scope="module")
def limits(begun):
    folder, process = begun
    code, output = finish(process, 240)
    assert not (folder / "odd").exists()
    assert not (folder.parent / "odd").exists()
    return folder, code, output


@pytest.fixture(scope="module")
def refused(tmp_path_factory, site):
    """Two starts that are refused, the first in a folder that is as good as any."""
    folder = tmp_path_factory.mktemp("refused")
    (folder / "a %s").mkdir()
    common = ["--snakefile", WORKFLOWS / "limits.smk", "--executor", "radical-pilot", "--jobs", "100", "--directory"]
    return folder, *together(
        [*common, folder, *site, "--radical-pilot-nodes", "2", *QUIET, "per_core.txt"],
        [*common, folder / "a %s", *QUIET, "nothing.txt"],
    )


def test_what_no_node_has_is_refused_before_anything_starts(refused):
    """Two nodes have as much together; `mem_mb_per_cpu` counts, though Snakemake gives the rule a `mem_mb`."""
    folder, done, _ = refused
    assert done.code == 1
    assert "rule asks_per_core: 1 ranks of 2 cores, 0 accelerators and 1000 MB of memory do not fit" in done.output
    assert "2 nodes with 2 cores, 0 accelerators and 900 MB of memory each" in done.output
    assert not (folder / ".deeprc").exists()


def test_a_private_folder_that_radical_pilot_cannot_use_is_refused(refused):
    folder, _, done = refused
    assert done.code == 1
    assert "the private folder has signs in its path that RADICAL-Pilot's scripts cannot take" in done.output
    assert "found: a space %" in done.output
    assert "fix: name a plain one by --radical-pilot-folder" in done.output
    assert not (folder / "a %s" / ".deeprc").exists()


def test_what_kept_a_pilot_from_starting_is_shown(tmp_path):
    """One by its agent, which finds fewer cores than it is told of; one by RADICAL-Pilot, which cannot submit it."""
    few = load_site("localhost")
    more = few.model_copy(update={"partitions": [few.partition().model_copy(update={"cores": 10_000})]})
    pilots = [Pilot(Allocation(more), tmp_path / "agent"), Pilot(Allocation(few), tmp_path / "launch")]
    (tmp_path / "launch" / "sandbox").mkdir(parents=True)
    (tmp_path / "launch" / "sandbox" / "radical.pilot.sandbox").touch()  # where it wants to have a folder
    try:
        for pilot in pilots:
            pilot.start()
        wait_for(lambda: all(pilot.allocation.ended for pilot in pilots), 240)
    finally:
        for pilot in pilots:
            pilot.close(keep=True)
    words, path = pilots[0].last_words()
    assert words[-1].endswith(f"insufficient cores found ({os.cpu_count()} < 10000)"), words
    assert path.name == "agent_0.err"
    words, path = pilots[1].last_words()
    assert "Not a directory: " in words[-1], words
    assert path.name == "radical.log"


def test_ctrl_c_lets_programs_save_and_a_second_one_does_not_wait(tmp_path, site):
    process = start(tmp_path, "limits.smk", *site, *QUIET, "interrupted.txt", "stubborn.txt")
    try:
        ready = tmp_path / "saved.ready", tmp_path / "stubborn.txt"
        wait_for(lambda: all(path.exists() for path in ready) or process.poll() is not None, 240)
        process.send_signal(signal.SIGINT)
        wait_for((tmp_path / "saved").exists, 20)
        time.sleep(2)
        assert process.poll() is None  # the other has 30 s
        again = time.monotonic()
        process.send_signal(signal.SIGINT)
        code, output = finish(process, 60)
    finally:
        process.kill()
    assert time.monotonic() - again < 15
    assert code != 0
    assert "the running jobs get 30 s to end; Ctrl-C again ends them at once" in output
    assert "Traceback" not in output
    assert survivors(tmp_path) == {}
    assert events(tmp_path)[-1]["state"] == "closed"


def spans(folder, kind: str) -> list[list[float]]:
    return sorted(list(map(float, (folder / f"beside.{kind}.{n}").read_text().split())) for n in (1, 2))


def test_ranks_can_save_at_the_end_of_their_runtime(limits):
    folder, code, output = limits
    assert code == 1
    assert "FAILED: ranks_save (ended after its runtime of 0.15 min)" in output
    assert [(folder / f"saved.{rank}").read_text() for rank in (0, 1)] == ["saved", "saved"], output
    assert not (folder / "ranks_save.txt").exists()
    job = next(e for e in events(folder.parent) if e.get("rule") == "ranks_save" and e["state"] == "failed")
    assert 9 <= job["time"] - job["start"] < 30


def test_a_rank_that_takes_too_much_memory_ends_its_job(limits):
    _, _, output = limits
    told = re.search(r"FAILED: one_rank_grows \(rank 1: (.*)\)\n", output)
    assert told, output
    used = re.fullmatch(r"ended for its memory: (\d+) MB were in use, mem_mb allows 150 for each of 2 ranks", told[1])
    assert 150 < int(used[1]) < 400
    assert output.count("mem_mb is kept by looking at what a job's processes use") == 1, output


def test_another_attempt_may_ask_for_more_memory(limits):
    folder, _, output = limits
    assert re.search(
        r"FAILED: asks_again \(ended for its memory: \d+ MB were in use, mem_mb allows 100; attempt 2 of 2 follows\)",
        output,
    ), output
    assert (folder / "again.txt").exists()


@pytest.mark.parametrize("kind", ["node", "licence", "disk"])
def test_what_a_node_has_and_what_the_user_allows_holds_over_all_jobs(limits, kind):
    (_, stop), (begin, _) = spans(limits[0], kind)
    assert stop <= begin


def test_a_job_without_mem_mb_asks_for_nothing(limits):
    assert (limits[0] / "nothing.txt").exists()
