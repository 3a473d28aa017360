"""Two trainings started by hand in one folder of checkpoints."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from deeprc.learning.checkpoints.lock import place

OPTIONS = '{"steps": 4000, "learning_rate": 0.002, "batch_size": 16}'


def test_the_second_of_two_trainings_is_refused_and_a_killed_one_is_gone_on_from(prepared, tmp_path, mpirun):
    checkpoints = tmp_path / "checkpoints"
    train = ["-m", "deeprc.applications.forecasting.train", "--prepared", str(prepared), "--model", "DLinear"]
    train += ["--config", OPTIONS, "--checkpoints", str(checkpoints), "--how", '{"checkpoint_steps": 20}']

    def wait(what) -> None:
        end = time.monotonic() + 90
        while not what():
            assert first.poll() is None and time.monotonic() < end
            time.sleep(0.1)

    with subprocess.Popen([sys.executable, *train, "--out", str(tmp_path / "a")]) as first:
        try:
            wait(lambda: list(checkpoints.glob("step-*/commit.json")))
            os.kill(first.pid, signal.SIGSTOP)  # its steps are many: it is not to be at their end before it is killed
            second = mpirun(2, [*train, "--out", tmp_path / "b"])
            assert second.returncode == 2
            assert second.stderr.count("error: ") == 1
            assert f"error: {checkpoints}: another training is saved in this folder\n" in second.stderr
            assert f"  found: process {first.pid} on " in second.stderr
            assert "Traceback" not in second.stderr
        finally:
            first.kill()
    assert place(checkpoints).exists()
    third = subprocess.run([sys.executable, *train, "--out", tmp_path / "c"], capture_output=True, text=True)
    assert third.returncode == 0, third.stderr
    assert "goes on after step " in third.stdout
    assert list(tmp_path.iterdir()) == [Path(tmp_path / "c")]
