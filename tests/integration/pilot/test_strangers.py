"""Another user of the machine and the ports of a run: who has no key is not heard, whatever is sent."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import zmq

from conftest import Stranger
from pilots import QUIET, events, finish, jobs_that_began, start, survivors, wait_for
from strangers import COMMAND, GREET, MODULES, SCAN, TALK, attempt, listening

BEGIN = 240  # seconds that a pilot may take to start on a busy machine
pytestmark = pytest.mark.requires("root")


def look(folder: Path) -> subprocess.CompletedProcess:
    """What the doctor says of a run."""
    program, checks = Path(sys.executable).with_name("deeprc"), "libzmq,sockets,folders,secrets"
    words = ["doctor", "--security", "--json", "--checks", checks, "--folder", str(folder / ".deeprc")]
    return subprocess.run([str(program), *words], capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def attacked(tmp_path_factory):
    """A run, half of whose jobs run while every port of it is scanned; and what strangers found before."""
    folder, stranger, found = tmp_path_factory.mktemp("attacked"), Stranger(), {}
    process, scanner = start(folder, "strangers.smk", *QUIET, "all"), None
    try:
        wait_for((folder / "waiting").exists, BEGIN)
        (key,) = folder.glob(".deeprc/runs/*/pilot-1/curve")
        found["mode"], found["ports"] = key.stat().st_mode, listening(folder)
        ports = found["ports"]
        found["greetings"] = attempt(stranger, GREET, *ports)
        found["doctor"] = look(folder)
        found["commands"] = attempt(stranger, COMMAND, *ports)
        found["nobody"] = attempt(stranger, TALK, "", 1, *ports)
        found["wrong key"] = attempt(stranger, TALK, zmq.curve_keypair()[0].decode(), 1, *ports)
        found["insider"] = attempt(stranger, TALK, key.read_text().split()[0], 10, *ports)
        found["scanned"] = attempt(stranger, SCAN, *ports)
        scanner = stranger.start(SCAN, *ports, modules=MODULES)
        (folder / "go").touch()
        found["code"], found["output"] = finish(process, BEGIN)
    except subprocess.TimeoutExpired:
        found["code"] = "it hangs"
    finally:
        process.kill()
        if scanner:
            scanner.kill()
    return folder, found


def test_every_port_of_a_run_asks_for_keys(attacked):
    """And none is anything else: RADICAL-Pilot's port for commands in plain text is not opened."""
    _, found = attacked
    assert len(found["ports"]) > 50
    assert found["greetings"] == {str(port): "CURVE" for port in found["ports"]}
    assert found["commands"] == []


def test_the_doctor_finds_all_of_it_closed(attacked):
    """Of its own and in a row each; that it has tried each port disturbs no job: see the scan below."""
    folder, found = attacked
    told = json.loads(found["doctor"].stdout)
    assert found["doctor"].returncode == 0, told
    (pilot,) = told["pilots"]
    assert Path(pilot).is_relative_to(folder)
    rows = [row for one in told["checks"] if one["check"] == "sockets" for row in one["figures"]]
    answers = {row["socket"]: row["answer"] for row in rows if row["process"] == "RADICAL-Pilot"}
    assert answers == {f"127.0.0.1:{port}": "curve" for port in found["ports"]}
    (gate,) = (row["socket"] for row in rows if row["process"] == "Snakemake")
    assert Path(gate).parent == Path(pilot)


@pytest.mark.parametrize("who", ["nobody", "wrong key"])
def test_who_has_no_key_is_neither_let_in_nor_told_anything(attacked, who):
    """Registries read and written, a published `cancel_pilots`, work taken from queues and put into them."""
    assert attacked[1][who] == {"let in": [], "told": []}


def test_who_has_the_key_is(attacked):
    """Else the test above would pass for nothing: the same words, and every port answers; the registries, too."""
    _, found = attacked
    assert sorted(map(int, found["insider"]["let in"])) == found["ports"]
    answers = [each for each in found["insider"]["told"] if "bridges" in each]
    assert len(answers) == 2
    assert not any("stranger" in each for each in answers)


def test_the_keys_are_the_owners_and_go_away_with_the_pilot(attacked):
    folder, found = attacked
    assert found["mode"] & 0o777 == 0o600
    assert not list(folder.rglob("curve"))


def test_a_scan_of_every_port_leaves_the_run_as_it_is(attacked):
    folder, found = attacked
    assert found["code"] == 0, found
    assert found["scanned"] == len(found["ports"])
    done = [e for e in events(folder) if e["event"] == "job" and e["state"] == "finished"]
    spans = {}
    for when in ("before", "after"):
        ran = [job for job in done if job["output"][0].startswith(when)]
        assert len(ran) == 12
        spans[when] = max(job["stop"] for job in ran) - min(job["start"] for job in ran)
    print(spans)
    assert spans["after"] < 2 * spans["before"] + 4, spans  # the scanner takes its share of two cores, too
    assert survivors(folder) == {}


def parts(folder: Path) -> dict[str, int]:
    """The bridges and components of an agent, by name: forks, which show in what they write only."""
    found = {}
    for pid, arguments in survivors(folder).items():
        if not any("deeprc_forks" in word for word in arguments):
            continue
        with contextlib.suppress(OSError):  # it has just ended
            output = Path(f"/proc/{pid}/fd/1").readlink()
            if output.suffix == ".out" and "sandbox" in output.parts:
                found[output.stem] = pid
    return found


def test_a_dead_bridge_ends_its_pilot_and_a_hung_run_ends_when_it_is_asked_to(tmp_path):
    process = start(tmp_path, "strangers.smk", "--radical-pilot-pilots", "2", *QUIET, "all")
    try:
        wait_for(lambda: len(jobs_that_began(tmp_path)) == 13, BEGIN)
        os.kill(parts(tmp_path)["agent_scheduling_queue"], signal.SIGKILL)
        wait_for(lambda: len(jobs_that_began(tmp_path)) == 14, BEGIN)  # the waiting job, with another pilot
        stopped = parts(tmp_path)
        assert len(stopped) > 10
        for pid in stopped.values():
            os.kill(pid, signal.SIGSTOP)
        (tmp_path / "go").touch()
        wait_for((tmp_path / "gate.txt").exists, 60)
        time.sleep(2)  # all are handed out: those of several ranks now wait for what does not answer
        asked = time.monotonic()
        process.send_signal(signal.SIGTERM)
        code, output = finish(process, 90)
    finally:
        process.kill()
    assert time.monotonic() - asked < 60
    assert code == 1
    assert "taking another one for 1 jobs" in output
    assert output.count("FAILED: the pilot (the run was asked to end, and none of its jobs has run for 15 s)") == 1
    assert "Traceback" not in output
    words = [path.read_text() for path in tmp_path.rglob("agent_0.err")]
    assert sum("agent_scheduling_queue of RADICAL-Pilot has ended\n" in text for text in words) == 1
    assert survivors(tmp_path) == {}
