"""A worker of one rank, started as it is and told what its client tells it."""

from __future__ import annotations

import queue
import shlex
import subprocess
import sys
import threading
import time
from pathlib import Path

from deeprc.pilot.gate import Gate
from deeprc.pilot.workers import PROGRAM

SAVES = "trap 'sleep 0.3; echo saved > saved; exit 3' TERM; touch began; while :; do sleep 0.05; done"


def test_a_job_that_was_asked_to_end_has_its_time_to_save_when_its_worker_is_to_leave_after_it(tmp_path: Path) -> None:
    """A gang whose first rank has ended tells the others to leave: they are still saving."""
    gate, lines = Gate(tmp_path, None), queue.SimpleQueue()
    listening = threading.Thread(target=lambda: [*map(lines.put, gate.workers())])
    listening.start()
    command = [sys.executable, str(PROGRAM), gate.address, str(gate.keyfile), "worker.1"]
    with subprocess.Popen(command, cwd=tmp_path) as process:
        try:
            line = lines.get(timeout=60)
            assert line.receive()["hello"] == "worker.1"
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
        finally:
            process.kill()
            gate.close()
            listening.join(10)


def test_what_modules_set_at_their_import_is_no_jobs_and_its_programs_are_warm_all_the_same(tmp_path: Path) -> None:
    """Within an image a job has the worker's own variables; scikit-learn sets KMP_INIT_AT_FORK, which is read once."""
    (tmp_path / "sets.py").write_text("import os\nos.environ['KMP_INIT_AT_FORK'] = 'FALSE'\n")
    says = "import os, sys; open('said', 'w').write(f\"{'sets' in sys.modules} {'KMP_INIT_AT_FORK' in os.environ}\")"
    gate, lines = Gate(tmp_path, None), queue.SimpleQueue()
    listening = threading.Thread(target=lambda: [*map(lines.put, gate.workers())])
    listening.start()
    command = [sys.executable, str(PROGRAM), gate.address, str(gate.keyfile), "worker.1", "sets"]
    environment = {"PYTHONPATH": str(tmp_path), "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}
    with subprocess.Popen(command, cwd=tmp_path, env=environment) as process:
        try:
            line = lines.get(timeout=60)
            assert line.receive()["hello"] == "worker.1"
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
        finally:
            process.kill()
            gate.close()
            listening.join(10)
