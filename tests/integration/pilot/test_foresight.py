"""Real workers that import for jobs to come: on idle cores alone, and out of the way of a job that is ready."""

from __future__ import annotations

import time

from deeprc.pilot.foresight import GIVEN_UP, Expected
from deeprc.pilot.tasks import Shape
from here import Here, shell
from pilots import QUIET, events, run, survivors, wait_for

WARM, GONE = Shape(1, warm=("fractions",)), Shape(1, warm=("no_such_module",))
BROWSER = """#!/bin/sh
[ -e {folder}/open ] && exit 0
echo $$ > {folder}/importing
exec sleep 300
"""


def test_a_job_finds_its_imports_done_and_no_more_workers_start_than_it_can_use(here):
    pilot = here(3)
    pilot.workers.expect({WARM: Expected(1, 1)})
    pilot.workers.submit([shell("a", "sleep 4")])
    wait_for(lambda: len(pilot.processes) == 2, 20)
    assert pilot.get().uid == "a"
    assert len(pilot.processes) == 2
    pilot.workers.submit([shell("b", "true", warm=WARM.warm)])
    assert (pilot.get().state, len(pilot.processes)) == ("DONE", 2)


class Importing(Here):
    """Workers with imports never come to their end, and are killed where they are cancelled."""

    def launch(self, tasks) -> None:
        self.imports = getattr(self, "imports", [])
        for task, _ in tasks:
            if task.argv[-1] == "fractions":
                task.argv[:] = ["/bin/sleep", "100"]
                self.imports.append(task.uid)
        super().launch(tasks)
        self.workers._cancel = lambda names: [self.processes[name].kill() for name in names]


def test_a_job_that_is_ready_takes_the_core_of_one_that_imports_not_for_ever(tmp_path):
    pilot = Importing(tmp_path, 2)
    try:
        pilot.workers.expect({WARM: Expected(1, 1)})
        pilot.workers.submit([shell("long", "sleep 40")])
        for turn in range(GIVEN_UP):
            wait_for(lambda turn=turn: pilot.settle() or len(pilot.imports) == turn + 1, 20)
            began = time.monotonic()
            pilot.workers.submit([shell(f"{turn}", "true")])
            assert (pilot.get().uid, pilot.imports[turn] in pilot.processes) == (f"{turn}", False)
            assert time.monotonic() - began < 5
        time.sleep(2)  # its worker would be there by now
        assert len(pilot.imports) == GIVEN_UP
    finally:
        for process in pilot.processes.values():
            process.kill()
        pilot.close()


def test_what_a_job_asks_of_memory_goes_before_imports_done_for_another(here):
    pilot = here(3, memory=1000)
    pilot.workers.expect({Shape(1, warm=("fractions",), memory_mb=800): Expected(2, 2)})
    wait_for(lambda: len(pilot.processes) == 1, 20)
    pilot.workers.submit([shell("a", "true", memory_mb=500)])
    assert pilot.get().state == "DONE"


def test_imports_that_fail_are_told_by_the_job_that_wants_them_alone(here):
    pilot = here(2)
    pilot.workers.expect({GONE: Expected(1, 1)})
    pilot.workers.submit([shell("other", "sleep 6")])
    assert pilot.get().state == "DONE"
    started = pilot.workers._make.made
    assert started == 1 + GIVEN_UP
    pilot.workers.submit([shell("wants", "true", warm=GONE.warm)])
    outcome = pilot.get()
    assert (outcome.uid, outcome.state, outcome.reason) == ("wants", "FAILED", "it said nothing")
    assert pilot.workers._make.made == started + 2


def test_a_job_that_needs_all_cores_begins_at_once_though_an_import_is_under_way(tmp_path):
    """By RADICAL-Pilot: what imports is ended, with what it has started, and the job that it was for imports itself."""
    browser = tmp_path / "browser"
    browser.write_text(BROWSER.format(folder=tmp_path))
    browser.chmod(0o755)
    code, output = run(tmp_path, "foresight.smk", "--radical-pilot-cores", "2", *QUIET[:-1], BROWSER=str(browser))
    assert code == 0, output
    ended = {event["rule"]: event for event in events(tmp_path) if event.get("state") == "finished"}
    assert ended["whole"]["start"] - ended["first"]["stop"] < 5
    assert len(ended["whole"]["cores"]) == 2
    assert (tmp_path / "used.txt").read_text() == "True\n"
    assert survivors(tmp_path) == {}
