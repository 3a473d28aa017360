"""The end of a part of RADICAL-Pilot, with real processes."""

import contextlib
import os
import signal
import subprocess
import sys
import time

from deeprc.pilot.resource import PATCHES

# Two processes that end by themselves: one of a pilot that is being closed, and one of a pilot that runs.
PROGRAM = """
import subprocess, sys, time
import deeprc_watch as watch
watch.LOOK, watch.PATIENCE = 0.1, 0.5
watch.watch("closed", subprocess.Popen(["sleep", "0.3"]).pid)
time.sleep(0.6)
watch.forget()
time.sleep(0.7)
print("alive", flush=True)
watch.watch("lasting", subprocess.Popen(["sleep", "60"]).pid)
watch.watch("work_queue", subprocess.Popen(["sleep", "0.3"]).pid)
time.sleep(30)
"""
BRIDGE = """
import time, threading
import radical.utils as ru
bridge = ru.zmq.Server(uid="the.registry")
bridge._iterate_urls = lambda: ["tcp://nowhere:1"]
threading.Thread(target=bridge._work).start()
time.sleep(30)
"""


def python(program: str, folder, **environment: str) -> tuple[int, str, str]:
    variables = {**os.environ, "PYTHONPATH": str(PATCHES), "HOME": str(folder), **environment}
    process = subprocess.Popen(
        [sys.executable, "-c", program], env=variables, cwd=folder, text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=(folder / "err").open("w"),
    )  # fmt: skip
    try:
        assert process.wait(60) is not None
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    return process.returncode, process.stdout.read(), (folder / "err").read_text()


def test_a_part_that_has_ended_ends_the_process_that_has_started_it(tmp_path):
    """A zombie has ended, too; not so what ends as it is told to."""
    began = time.monotonic()
    code, printed, told = python(PROGRAM, tmp_path)
    assert (code, printed, told) == (1, "alive\n", "work_queue of RADICAL-Pilot has ended\n")
    assert time.monotonic() - began < 20


def test_an_error_in_a_thread_without_which_nothing_goes_on_ends_its_process(tmp_path):
    code, _, told = python(BRIDGE, tmp_path)
    assert code == 1
    assert told.splitlines()[-1].startswith("the.registry of RADICAL-Pilot cannot go on: ")
