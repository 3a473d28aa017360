"""A worker of one rank, started as it is and told what its client tells it."""

from __future__ import annotations

import contextlib
import queue
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from deeprc.pilot.gate import Gate
from deeprc.pilot.started import PROGRAM
from deeprc.pilot.worker.line import Line

SAVES = "trap 'sleep 0.3; echo saved > saved; exit 3' TERM; touch began; while :; do sleep 0.05; done"


@contextlib.contextmanager
def worker(
    folder: Path, *modules: str, environment: dict[str, str] | None = None
) -> Iterator[tuple[subprocess.Popen, Line]]:
    """A worker that has said hello: its process, and the line to it."""
    gate, lines = Gate(folder, None), queue.SimpleQueue()
    listening = threading.Thread(target=lambda: [*map(lines.put, gate.workers())])
    listening.start()
    command = [sys.executable, str(PROGRAM), gate.address, str(gate.keyfile), "worker.1", *modules]
    with subprocess.Popen(command, cwd=folder, env=environment) as process:
        try:
            line = lines.get(timeout=60)
            assert line.receive()["hello"] == "worker.1"
            yield process, line
        finally:
            process.kill()
            gate.close()
            listening.join(10)


def test_a_job_that_was_asked_to_end_has_its_time_to_save_when_its_worker_is_to_leave_after_it(tmp_path: Path) -> None:
    """A gang whose first rank has ended tells the others to leave: they are still saving."""
    with worker(tmp_path) as (process, line):
        job = {
            "uid": "a", "argv": ["/bin/bash", "-c", SAVES], "timeout": None, "memory_mb": 0, "sample": None,
            "folder": str(tmp_path), "environment": None, "chosen": None, "variables": {},
            "workdir": str(tmp_path), "repeats": 1, "grace": 60.0,
        }  # fmt: skip
        line.send({"run": job})
        while not (tmp_path / "began").exists():
            assert process.poll() is None
            time.sleep(0.02)
        line.send({"cancel": "a"})
        line.send({"leave": "gently"})
        told = line.receive()
        assert (told["ended"], told["code"], told["why"]) == ("a", 3, "cancel")
        assert (tmp_path / "saved").read_text() == "saved\n"
        assert process.wait(60) == 0


def test_what_modules_set_at_their_import_is_no_jobs_and_its_programs_are_warm_all_the_same(tmp_path: Path) -> None:
    """Within an image a job has the worker's own variables; scikit-learn sets KMP_INIT_AT_FORK, which is read once."""
    (tmp_path / "sets.py").write_text("import os\nos.environ['KMP_INIT_AT_FORK'] = 'FALSE'\n")
    says = "import os, sys; open('said', 'w').write(f\"{'sets' in sys.modules} {'KMP_INIT_AT_FORK' in os.environ}\")"
    environment = {"PYTHONPATH": str(tmp_path), "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}
    with worker(tmp_path, "sets", environment=environment) as (process, line):
        job = {
            "uid": "a", "argv": ["/bin/bash", "-c", f"python3 -c {shlex.quote(says)}"], "timeout": None,
            "memory_mb": 0, "sample": None, "folder": str(tmp_path), "environment": None, "chosen": [],
            "variables": {}, "workdir": str(tmp_path), "repeats": 1, "grace": 60.0,
        }  # fmt: skip
        line.send({"run": job})
        assert line.receive()["code"] == 0
        assert (tmp_path / "said").read_text() == "True False"
        line.send({"leave": "now"})
        process.wait(60)


def test_of_a_short_job_its_end_says_when_it_ran_and_of_a_longer_one_a_file_that_it_has_begun(tmp_path: Path) -> None:
    """Two files less for each of 16,000 short jobs; where the worker of a longer one is killed, its start is known."""
    with worker(tmp_path) as (process, line):
        folders = {name: tmp_path / name for name in ("short", "long", "benchmark", "failed", "never")}
        told, seen = {}, {}
        for name, folder in folders.items():
            folder.mkdir()
            program = ["/nowhere/bash"] if name == "never" else ["/bin/bash", "-c"]
            texts = {"long": "until [[ -e long/started ]]; do sleep 0.02; done", "failed": "exit 3"}
            job = {
                "uid": name, "argv": [*program, texts.get(name, "true")], "timeout": None, "memory_mb": 0,
                "sample": str(folder / "sample.json") if name == "benchmark" else None, "folder": str(folder),
                "environment": None, "chosen": None, "variables": {}, "workdir": str(tmp_path),
                "repeats": 2 if name == "benchmark" else 1, "grace": 60.0,
            }  # fmt: skip
            before = time.time()
            line.send({"run": job})
            told[name] = line.receive()
            seen[name] = before, time.time()
        left = {name: {path.name for path in folder.iterdir()} for name, folder in folders.items()}
        assert left == {
            "short": {"out.0"},
            "long": {"out.0", "started"},
            "benchmark": {"out.0", "started", "times", "sample.json"},
            "failed": {"out.0", "code.0"},
            "never": {"out.0", "started"},
        }
        for name in ("short", "long", "failed"):
            (before, after), news = seen[name], told[name]
            assert before <= news["start"] <= news["stop"] <= after
        assert f"{told['long']['start']:.6f}\n" == (folders["long"] / "started").read_text()
        assert told["long"]["stop"] - told["long"]["start"] > 0.5
        assert "start" not in told["benchmark"] and "start" not in told["never"]
        assert len((folders["benchmark"] / "times").read_text().splitlines()) == 2
        line.send({"leave": "now"})
        process.wait(60)
