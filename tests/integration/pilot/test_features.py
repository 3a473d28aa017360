"""The features that a job can have: the same files as with the local executor, and no litter."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from pilots import QUIET, WORKFLOWS, events, run, survivors, tree
from starts import Ended, together

PLANTED = "immutables.py"  # one of Snakemake's modules, which is not to be taken from where a job runs


@pytest.fixture(scope="module")
def features(tmp_path_factory):
    """The workflow of features, run by the pilot and by the local executor; home and temporary folder are its own."""
    base = tmp_path_factory.mktemp("features")
    variables = {"DEEPRC_TEST_VARIABLE": "seen", "XDG_CACHE_HOME": str(base / "cache")}
    # As `make` exports it: a shell that expands it fails, or runs the rest of it.
    variables["DEEPRC_TEST_ODD"] = "${-*-command-variables-*-} $(touch $TMPDIR/expanded) `touch $TMPDIR/expanded` \"'\\"
    for name, variable in (("home", "HOME"), ("tmp", "TMPDIR")):
        (base / name).mkdir()
        variables[variable] = str(base / name)
    (base / "pilot").mkdir()
    (base / "pilot" / PLANTED).write_text("raise SystemExit('planted')\n")
    pilot = run(base / "pilot", "features.smk", *QUIET, **variables)
    left = {name: sorted(path.name for path in (base / name).iterdir()) for name in ("home", "tmp")}
    local = run(base / "local", "features.smk", "--cores", "2", executor="local", **variables)
    assert local[0] == 0, local[1]
    return base, pilot, left


def test_every_feature_gives_the_same_files_as_the_local_executor(features):
    base, (code, output), _ = features
    assert code == 0, output
    made, expected = tree(base / "pilot"), tree(base / "local")
    made.pop(PLANTED)
    bench = "bench.tsv"
    rows = [line.split("\t") for line in made.pop(bench).splitlines()]
    assert len(rows) == len(expected.pop(bench).splitlines()) == 3  # a header and two repeats
    assert all(0.1 <= float(row[0]) < 5 for row in rows[1:])
    for files, folder in ((made, "pilot"), (expected, "local")):
        files["environment.txt"] = files["environment.txt"].replace(str(base / folder), "<workdir>")
    assert made == expected


def records(folder: Path) -> dict[str, dict]:
    """What Snakemake has written down of each file that was made, less what differs from run to run."""
    found = {}
    for path in (folder / ".snakemake" / "metadata").rglob("*"):
        if path.is_file():
            record = json.loads(path.read_text().replace(str(folder), "<workdir>"))
            assert record.pop("starttime") <= record.pop("endtime") + 1
            del record["job_hash"]
            if record["rule"] == "group_end":  # a Snakemake inside runs it, which has summed its input or has not
                del record["input_checksums"]
            found[path.name] = record
    return found


def test_snakemakes_own_records_are_those_of_the_local_executor(features):
    base, _, _ = features
    made = records(base / "pilot")
    assert len(made) > 20
    assert made == records(base / "local")
    assert not [*(base / "pilot" / ".snakemake" / "incomplete").iterdir()]


def test_a_retry_is_told_and_counted(features):
    base, (_, output), _ = features
    attempts = [e for e in events(base / "pilot") if e["event"] == "job" and e["rule"] == "retried"]
    assert [(e["attempt"], e["state"]) for e in attempts if e["state"] != "submitted"] == [
        (1, "failed"),
        (2, "finished"),
    ]
    assert "FAILED: retried (exit code 1; attempt 2 of 3 follows)" in output


def test_what_a_rule_cannot_choose_is_told_once(features):
    _, (_, output), _ = features
    assert output.count("rule odd: qos=debug has no effect, the pilot has its own for the whole workflow") == 1


def test_events_hold_what_the_timeline_needs(features):
    base, _, _ = features
    first, *rest = events(base / "pilot")
    assert first["event"] == "run"
    assert first["site"] == "localhost"
    assert first["versions"]["radical.pilot"]
    assert [e["state"] for e in rest if e["event"] == "pilot"] == ["starting", "active", "closing", "closed"]
    assert [e["left"] for e in rest if e["event"] == "end"] == [0]
    jobs = [e for e in rest if e["event"] == "job" and e["state"] != "submitted"]
    assert len(jobs) == sum(e["event"] == "job" and e["state"] == "submitted" for e in rest)
    for job in jobs:
        assert job["submit"] <= job["start"] <= job["stop"] <= job["time"]
        assert len(job["cores"]) == len(job["nodes"]) == job["ranks"] * job["cores_per_rank"]
        assert set(job["nodes"]) == {"localhost"}
    threads = next(job for job in jobs if job["rule"] == "threads")
    assert threads["cores"] == [0, 1]
    sample = next(job for job in jobs if job["wildcards"] == {"sample": "a"})
    assert sample["label"] == "make sample a"
    assert sample["log"] == "logs/a.log"
    assert sample["output"] == ["sample-a.txt"]
    commands = {job["rule"]: job["command"] for job in jobs}
    assert commands["folder"] == "mkdir folder; cp intermediate.txt folder/copy.txt"
    assert commands["scripted"] == "script: features_script.py"
    assert not [job for job in jobs if job["image"] or "command.sh" in job["command"]]


def test_progress_names_stages_and_counts_and_is_not_drowned(features):
    _, (_, output), _ = features
    assert "starting a pilot on localhost" in output
    assert "the pilot is ready (" in output
    assert " finished: make sample a (" in output
    done = [line for line in output.splitlines() if " done · " in line]
    count, total = done[-1].split("]")[1].split(" done")[0].split("/")
    assert int(count) == int(total)  # every job, those of the group and of the checkpoint too
    for noise in ("FutureWarning", "Select jobs", "Execute "):
        assert noise not in output


def test_nothing_is_left_outside_the_private_folder(features):
    base, _, left = features
    assert left == {"home": [], "tmp": []}
    assert {path.name for path in (base / "pilot").iterdir() if path.name.startswith((".", "rp."))} == {
        ".deeprc",
        ".snakemake",
    }
    assert (base / "pilot" / ".deeprc").stat().st_mode & 0o077 == 0
    assert survivors(base) == {}


def test_nothing_to_do_starts_no_pilot(features):
    base, _, _ = features
    runs = list((base / "pilot" / ".deeprc" / "runs").iterdir())
    code, output = run(base / "pilot", "features.smk", *QUIET, DEEPRC_TEST_VARIABLE="seen")
    assert code == 0, output
    assert "Nothing to be done" in output
    assert list((base / "pilot" / ".deeprc" / "runs").iterdir()) == runs


def dry_runs(*starts: tuple[Path, Path, str, list[str]]) -> list[Ended]:
    """`-n` in each folder with its Snakefile, its executor and its options."""
    common = ["-n", "--cores", "2", "--jobs", "100", "--snakefile"]
    arguments = (
        [*common, snakefile, "--directory", folder, "--executor", executor, *options]
        for folder, snakefile, executor, options in starts
    )
    return together(*arguments, DEEPRC_TEST_VARIABLE="seen")


def test_dry_run_starts_no_pilot(tmp_path):
    (done,) = dry_runs((tmp_path, WORKFLOWS / "features.smk", "radical-pilot", []))
    assert done.code == 0, done.output
    assert not (tmp_path / ".deeprc").exists()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("param", "params have changed since last execution:\n        params\n"),
        (
            "code",
            "code has changed since last execution:\n        protect, scripted\n",
        ),  # the copied script lies elsewhere
        ("input", "updated input files:\n        updated\n"),
        ("output", "output files have to be generated:\n        touched\n"),
    ],
)
def test_what_a_change_redoes_is_as_with_the_local_executor(features, tmp_path, change, expected):
    """Only the last two cases change the folders, each what no case before it looks at."""
    base, *_ = features
    snakefile, options = WORKFLOWS / "features.smk", []
    if change == "param":
        options = ["--config", "chosen=fancy"]
    elif change == "code":
        shutil.copy(WORKFLOWS / "features_script.py", tmp_path)
        text = snakefile.read_text()
        snakefile = tmp_path / "features.smk"
        snakefile.write_text(
            text.replace('echo kept > {output}"\n\n\nrule touched', 'echo more > {output}"\n\n\nrule touched')
        )
        assert snakefile.read_text() != text
    for name in ("pilot", "local"):
        if change == "input":
            (base / name / "first.txt").write_text("another\n")
        elif change == "output":
            (base / name / "touched").unlink()
    both = {"pilot": "radical-pilot", "local": "local"}
    found = dry_runs(*((base / name, snakefile, executor, options) for name, executor in both.items()))
    assert [done.code for done in found] == [0, 0], found
    reasons = {
        name: done.output.partition("Reasons:")[2].partition("This was a dry-run")[0]
        for name, done in zip(both, found, strict=True)
    }
    assert expected in reasons["pilot"]
    assert reasons["pilot"] == reasons["local"]
