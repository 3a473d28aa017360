"""The executor with a real pilot: the same files as with the local executor, ranks, failures, and no litter."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

HERE = Path(__file__).parent
QUIET = ["--quiet", "host", "progress", "reason", "rules", "--"]


def start(folder: Path, snakefile: str, *arguments: str, executor: str = "radical-pilot", **environment: str):
    folder.mkdir(exist_ok=True)
    command = [str(Path(sys.executable).parent / "snakemake"), "--snakefile", str(HERE / snakefile)]
    command += ["--executor", executor, "--jobs", "100", *arguments]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, "PATH": path, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run(*arguments, timeout: float = 180, **options) -> tuple[int, str]:
    process = start(*arguments, **options)
    try:
        output, _ = process.communicate(timeout=timeout)
    finally:
        process.kill()
    return process.returncode, output


def tree(folder: Path) -> dict[str, str]:
    """Every file that a workflow made, with its content and mode."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.relative_to(folder).parts[0][0] != ".")
    return {str(p.relative_to(folder)): f"{p.stat().st_mode:o} {p.read_text()}" for p in files}


def events(folder: Path) -> list[dict]:
    (path,) = folder.glob(".deeprc/runs/*/events.jsonl")
    return [json.loads(line) for line in path.read_text().splitlines()]


def survivors(folder: Path) -> list[str]:
    """Processes of this user that still work for a run in `folder`."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE and str(folder) in " ".join(process.environ().values()):
                found.append(" ".join(process.cmdline()))
        except psutil.Error:
            continue
    return [command for command in found if "pytest" not in command]


@pytest.fixture(scope="module")
def features(tmp_path_factory):
    """The workflow of features, run by the pilot and by the local executor, from a home of its own."""
    base = tmp_path_factory.mktemp("features")
    (base / "home").mkdir()
    variables = {"DEEPRC_TEST_VARIABLE": "seen", "HOME": str(base / "home"), "XDG_CACHE_HOME": str(base / "cache")}
    pilot = run(base / "pilot", "features.smk", *QUIET, **variables)
    local = run(base / "local", "features.smk", "--cores", "2", executor="local", **variables)
    assert local[0] == 0, local[1]
    return base, pilot


def test_every_feature_gives_the_same_files_as_the_local_executor(features):
    base, (code, output) = features
    assert code == 0, output
    made, expected = tree(base / "pilot"), tree(base / "local")
    bench = "bench.tsv"
    rows = [line.split("\t") for line in made.pop(bench).splitlines()]
    assert len(rows) == len(expected.pop(bench).splitlines()) == 3  # a header and two repeats
    assert all(0.1 <= float(row[0]) < 5 for row in rows[1:])
    for files, folder in ((made, "pilot"), (expected, "local")):
        files["environment.txt"] = files["environment.txt"].replace(str(base / folder), "<workdir>")
    assert made == expected


def test_a_retry_is_told_and_counted(features):
    base, (_, output) = features
    attempts = [e for e in events(base / "pilot") if e["event"] == "job" and e["rule"] == "retried"]
    assert [(e["attempt"], e["state"]) for e in attempts] == [(1, "failed"), (2, "finished")]
    assert "FAILED: retried" in output


def test_events_hold_what_the_timeline_needs(features):
    base, _ = features
    first, *rest = events(base / "pilot")
    assert first["event"] == "run"
    assert first["site"] == "localhost"
    assert first["versions"]["radical.pilot"]
    assert [e["state"] for e in rest if e["event"] == "pilot"] == ["starting", "active", "closing", "closed"]
    jobs = [e for e in rest if e["event"] == "job"]
    for job in jobs:
        assert job["submit"] <= job["start"] <= job["stop"] <= job["time"]
        assert len(job["cores"]) == job["ranks"] * job["cores_per_rank"]
    threads = next(job for job in jobs if job["rule"] == "threads")
    assert threads["cores"] == [0, 1]
    sample = next(job for job in jobs if job["wildcards"] == {"sample": "a"})
    assert sample["label"] == "make sample a"
    assert sample["log"] == "logs/a.log"
    assert sample["output"] == ["sample-a.txt"]


def test_progress_names_stages_and_counts(features):
    _, (_, output) = features
    assert "starting a pilot on localhost" in output
    assert "the pilot is ready (" in output
    assert "make sample a (" in output
    assert "FutureWarning" not in output


def test_nothing_is_left_outside_the_private_folder(features):
    """The home folder, the working directory and the private folder after a run that went well but for a retry."""
    base, _ = features
    assert [path.name for path in (base / "home").iterdir()] == []
    assert {path.name for path in (base / "pilot").iterdir() if path.name.startswith((".", "rp."))} == {
        ".deeprc",
        ".snakemake",
    }
    assert (base / "pilot" / ".deeprc").stat().st_mode & 0o077 == 0
    assert survivors(base) == []


def test_nothing_to_do_starts_no_pilot(features):
    base, _ = features
    runs = list((base / "pilot" / ".deeprc" / "runs").iterdir())
    code, output = run(base / "pilot", "features.smk", *QUIET, DEEPRC_TEST_VARIABLE="seen", timeout=30)
    assert code == 0, output
    assert "Nothing to be done" in output
    assert list((base / "pilot" / ".deeprc" / "runs").iterdir()) == runs


def test_dry_run_starts_no_pilot(tmp_path):
    code, output = run(tmp_path, "features.smk", "-n", timeout=30)
    assert code == 0, output
    assert not (tmp_path / ".deeprc").exists()


def test_ranks_share_a_world_and_one_that_fails_ends_the_job(tmp_path):
    code, output = run(tmp_path, "mpi.smk", "--keep-going", *QUIET, "world.txt", "never.txt", timeout=90)
    assert code == 1, output
    assert sorted((tmp_path / "logs" / "world.log").read_text().splitlines()) == ["0: rank 0 of 2", "1: rank 1 of 2"]
    assert [(tmp_path / f"ranks.{rank}").read_text() for rank in (0, 1)] == ["2\n", "2\n"]
    # The failure: its name for people, the code of the rank that failed, its words, its log; and no output left.
    assert "FAILED: do what cannot be done (exit code 7 of rank 1)" in output
    assert "  | 1: the reason is this" in output
    assert "  log: logs/fails.log" in output
    assert not (tmp_path / "never.txt").exists()
    job = next(e for e in events(tmp_path) if e["event"] == "job" and e["state"] == "failed")
    assert job["exit"] == 7
    assert job["time"] - job["start"] < 10
    # What the pilot wrote stays after a failure, and its place is told.
    (kept,) = (tmp_path / ".deeprc" / "runs").iterdir()
    assert f"were kept: {kept}" in output
    assert (kept / "pilot" / "log").is_dir()
    assert survivors(tmp_path) == []


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("large.txt", ["rule too_large asks for 1000 cores, the pilot has", "1000 ranks x 1 cores"]),
        ("gpu.txt", ["rule accelerator asks for 1 accelerators, the pilot has 0"]),
    ],
)
def test_impossible_requests_fail_at_once(tmp_path, target, expected):
    started = time.monotonic()
    code, output = run(tmp_path, "mpi.smk", *QUIET, target, timeout=60)
    assert code == 1
    for text in expected:
        assert text in output
    assert time.monotonic() - started < 20
    assert survivors(tmp_path) == []


def test_interrupt_ends_everything_quickly(tmp_path):
    process = start(tmp_path, "mpi.smk", *QUIET, "slept.txt")
    try:
        wait_for(lambda: list(tmp_path.glob(".deeprc/runs/*/jobs/*/started")), 60)
        interrupted = time.monotonic()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
        assert process.returncode != 0
        assert time.monotonic() - interrupted < 10
        assert survivors(tmp_path) == []
        assert not (tmp_path / "slept.txt").exists()
    finally:
        process.kill()


def test_a_killed_client_takes_its_pilot_along(tmp_path):
    process = start(tmp_path, "mpi.smk", *QUIET, "slept.txt")
    try:
        wait_for(lambda: list(tmp_path.glob(".deeprc/runs/*/jobs/*/started")), 60)
    finally:
        process.kill()
        process.wait()
    wait_for(lambda: not survivors(tmp_path), 30)


def wait_for(condition, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.2)
