"""One small study started again and again: killed, with other data and options, and compared with a fresh run.

Without a pilot (`--executor local`), which has no part in it. Starts that run no job are made in one process.
"""

from __future__ import annotations

import base64
import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import yaml

from deeprc.core.files import read_json
from deeprc.workflow.lock import hold
from starts import Ended, together

ROOT = Path(__file__).resolve().parents[3]
SMALL = {
    "pipelines": ["forecasting"],
    "forecasting": {
        "dataset": "ett",
        "path": "mine.csv",
        "target": "load",
        "horizon": 4,
        "input_size": 12,
        "steps": 2,
        "models": ["GRU"],
    },
}
pytestmark = pytest.mark.timeout(900)


def series(factor: int) -> str:
    """A file of the same size for any factor of one digit."""
    rows = [
        f"{datetime(2020, 1, 1) + timedelta(hours=hour)},{factor * (10 + 5 * math.sin(hour / 3.82)):08.3f}"
        for hour in range(300)
    ]
    return "\n".join(["date,load", *rows]) + "\n"


def options(folder: Path, **forecasting: object) -> list[str]:
    config = {**SMALL, "forecasting": SMALL["forecasting"] | forecasting}
    (folder / "mine.yaml").write_text(yaml.safe_dump(config))
    local = ["--profile", "site/localhost", "--executor", "local", "--cores", "2"]
    return [*local, "--directory", str(folder), "--configfile", str(folder / "mine.yaml")]


def command(folder: Path, **forecasting: object) -> list[str]:
    return [str(Path(sys.executable).parent / "snakemake"), *options(folder, **forecasting)]


def begin(folder: Path, **forecasting: object) -> subprocess.Popen:
    environment = {**os.environ, "VIRTUAL_ENV": sys.prefix}
    both = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    words = command(folder, **forecasting)
    return subprocess.Popen(words, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, **both)


def end(process: subprocess.Popen) -> subprocess.CompletedProcess:
    try:
        output, _ = process.communicate(timeout=600)
    finally:
        process.kill()
    return subprocess.CompletedProcess(process.args, process.returncode, output)


def start(folder: Path, **forecasting: object) -> subprocess.CompletedProcess:
    return end(begin(folder, **forecasting))


def without_jobs(folder: Path, *more: str, **forecasting: object) -> Ended:
    """How a start ends that runs none of the jobs."""
    (done,) = together([*options(folder, **forecasting), *more])
    return done


def idle(folder: Path, *more: str, **forecasting: object) -> str:
    """What a start says that ends well and has nothing to run."""
    done = without_jobs(folder, *more, **forecasting)
    assert done.code == 0, done.output
    return done.output


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("again")
    (folder / "mine.csv").write_text(series(3))
    return folder


def test_after_kill_9_the_same_command_goes_on(folder, tmp_path):
    """While it lives, another start is refused, from another folder too; killed, its lock is taken over, and what it
    had made is kept."""
    first = subprocess.Popen(command(folder), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while not list((folder / ".snakemake").glob("locks/*.output.lock")):
            assert first.poll() is None
            time.sleep(0.05)
        refused = without_jobs(folder)
        elsewhere = without_jobs(tmp_path, "--config", f"results={folder}/results", path=str(folder / "mine.csv"))
        assert first.poll() is None
    finally:
        first.send_signal(signal.SIGKILL)
        first.wait()
    assert refused.code == 1
    assert f"error: results: another run holds these results: process {first.pid} on this machine" in refused.output
    assert f"`kill {first.pid}`" in refused.output and "Traceback" not in refused.output
    assert elsewhere.code == 1 and f"`kill {first.pid}`" in elsewhere.output, elsewhere.output
    dry = idle(folder, "-n")
    assert "cannot be locked" not in dry and "is going on" not in dry
    done = start(folder)
    assert done.returncode == 0, done.stdout
    assert f"(process {first.pid}) was killed: its lock is taken over" in done.stdout
    assert (folder / "results" / "report.html").exists()
    assert "Nothing to be done" in idle(folder)


def test_a_lock_that_nothing_is_known_of_is_one_clear_error_and_unlock_works(folder):
    lock = folder / ".snakemake" / "locks" / "0.output.lock"
    lock.parent.mkdir(exist_ok=True)
    lock.write_text("results/forecasting/prepared\nresults/forecasting/metrics.json\n")
    refused = without_jobs(folder)
    assert refused.code == 1
    assert "Snakemake's lock is held, and nothing says by whom" in refused.output and "Traceback" not in refused.output
    idle(folder, "--nolock")
    idle(folder, "--unlock")
    assert "Nothing to be done" in idle(folder)


REPORTER = """
import json
from snakemake_interface_report_plugins.reporter import ReporterBase

class Reporter(ReporterBase):
    def render(self):
        told = {str(each.path): [category.name, each.caption]
                for category, below in self.results.items() for files in below.values() for each in files}
        with open("told.json", "w") as file:
            json.dump([told, self.workflow_description, sorted({str(job.rule) for job in self.jobs})], file)
"""


def test_snakemakes_own_report_holds_our_results_and_reporters_are_told_them(folder, tmp_path):
    idle(folder, "--report", "own.html")
    page, results = (folder / "own.html").read_text(encoding="utf-8"), folder / "results"
    uris = re.findall(r'"data:[^",]+;filename=([^;"]+);base64,([^"]+)"', page)
    held = {name: base64.b64decode(data) for name, data in uris}
    names = ("report.html", "metrics.json", "run.json")
    assert {name: held.get(name) for name in names} == {name: (results / name).read_bytes() for name in names}
    plugin = tmp_path / "snakemake_report_plugin_told"  # Snakemake takes none that is a single file
    plugin.mkdir()
    (plugin / "__init__.py").write_text(REPORTER)
    words, environment = command(folder), {**os.environ, "VIRTUAL_ENV": sys.prefix, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [*words, "--reporter", "told"], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told, about, rules = json.loads((folder / "told.json").read_text())
    assert {path: category for path, (category, _) in told.items()} == {
        "results/report.html": "Results", "results/metrics.json": "Results", "results/run.json": "Provenance",
    }  # fmt: skip
    assert "the same inputs give the same bytes" in told["results/metrics.json"][1] and "Deep RC" in about
    assert {"forecasting_prepare", "forecasting_train", "forecasting_evaluate", "report"} <= {*rules}


def test_other_data_and_options_give_what_a_fresh_run_gives(folder, tmp_path):
    """An older file of the same size takes the place of the data, the horizon is another; a bad file did nothing."""
    (tmp_path / "mine.csv").write_text(series(7))
    fresh = begin(tmp_path, horizon=3)
    before = {path: path.stat().st_mtime_ns for path in folder.glob("results/**/*") if path.is_file()}
    good = folder / "good.csv"
    shutil.copy2(folder / "mine.csv", good)
    (folder / "mine.csv").write_text(good.read_text().replace("2020-01-01 05:00:00", "2020-01-01 05:00:01"))
    bad = without_jobs(folder, horizon=3)
    assert bad.code == 1 and "FAILED: check the transformer data" in bad.output
    changed = {path for path, stamp in before.items() if path.stat().st_mtime_ns != stamp}
    assert changed == {folder / "results" / "logs" / "forecasting_check.log"}

    (folder / "older.csv").write_text(series(7))
    os.utime(folder / "older.csv", (10**9, 10**9))
    shutil.copy2(folder / "older.csv", folder / "mine.csv")
    done = start(folder, horizon=3)
    assert done.returncode == 0, done.stdout
    assert "Nothing to be done" in idle(folder, horizon=3)
    (folder / "elsewhere").mkdir()
    (folder / "mine.csv").rename(folder / "elsewhere" / "mine.csv")
    assert "forecasting_" not in idle(folder, "-n", horizon=3, path="elsewhere/mine.csv")
    (folder / "elsewhere" / "mine.csv").rename(folder / "mine.csv")
    fresh = end(fresh)
    assert fresh.returncode == 0, fresh.stdout
    touched = idle(folder, "--touch", "--forcerun", "report", horizon=3)
    assert "Execute 1 jobs" in touched and "Report:" not in touched
    with hold(str(folder / "results"), print, None):  # a run that goes on
        kept = without_jobs(folder, "--delete-all-output", horizon=3)
    assert kept.code == 1 and f"`kill {os.getpid()}`" in kept.output and "Deleting" not in kept.output
    mine, theirs = (json.dumps(read_json(place / "results" / "metrics.json")) for place in (folder, tmp_path))
    assert mine == theirs
    idle(folder, "--delete-all-output", horizon=3)
    assert not (folder / "results" / "report.html").exists()
