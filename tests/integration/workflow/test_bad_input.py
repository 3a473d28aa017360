"""Mistakes that must be found before anything queues: one clear error, no pilot, nothing written."""

from __future__ import annotations

from pathlib import Path

import pytest

from deeprc.applications.registry import MINE
from deeprc.workflow.study import Study
from starts import Ended, together

CASES = {
    "unknown model": (
        ["forecasting={models: [NHITZ]}"],
        ["unknown model 'NHITZ'", "did you mean 'NHITS'?"],
    ),
    "unknown key": (
        ["forecastng={}"],
        ["unknown key 'forecastng'", "did you mean 'forecasting'?"],
    ),
    "unknown key below": (
        ["hydrology={epoch: 3}"],
        ["unknown key 'hydrology.epoch'", "did you mean 'epochs'?"],
    ),
    "unknown pipeline": (
        ["pipelines=[forecasts]"],
        ["--config: unknown application 'forecasts'", "forecasting, hydrology", "did you mean 'forecasting'?"],
    ),
    "wrong value": (
        ["forecasting={horizon: -1}"],
        ["key 'forecasting.horizon'", "greater than 0"],
    ),
    "own data that are not there": (
        ["hydrology={path: no-such-file.csv}"],
        ["key 'hydrology.path': no such file or folder", "no-such-file.csv"],
    ),
    "too little space": (
        ["min_free_mb=1000000000"],
        ["too little space in the results folder", "1000000000 MB"],
    ),
}


@pytest.fixture(scope="module")
def ended(tmp_path_factory) -> dict[str, tuple[Path, Ended]]:
    """How each case has ended, in a folder of its own; and two more that need nothing but a start."""
    cases = {case: ["--config", *config] for case, (config, _) in CASES.items()}
    braces = ["forecasting={title: '{b} of {model}'}", "hydrology={missing: ['{b}']}"]  # no wildcards, but names
    cases["dry run"] = ["-n", "--config", "min_free_mb=1000000000", *braces]
    cases["results are a file"] = []
    folders = {case: tmp_path_factory.mktemp("bad") for case in cases}
    (folders["results are a file"] / "results").write_text("precious")
    profile = ["--profile", "site/localhost", "--directory"]
    study = tmp_path_factory.mktemp("bad") / "study"
    Study(study, ["forecasting"], ["localhost"]).make()
    config = study / "config" / "config.yaml"
    config.write_text(config.read_text().partition(f"\n{MINE}:")[0] + "\n")
    folders["a study without options of its own"] = study
    starts = [[*profile, folders[case], *arguments] for case, arguments in cases.items()]
    cases["a study without options of its own"] = []
    starts.append(["--snakefile", study / "workflow" / "Snakefile", *profile, study, "-n", "summary"])
    found = together(*starts)
    return {case: (folders[case], one) for case, one in zip(cases, found, strict=True)}


def test_a_study_may_be_without_options_of_its_own(ended):
    _, done = ended["a study without options of its own"]
    assert done.code == 0 and "\nsummary  " in done.output, done.output


@pytest.mark.parametrize("case", CASES)
def test_mistake_stops_the_run_before_it_starts(ended, case):
    folder, done = ended[case]
    assert done.code != 0
    for text in CASES[case][1]:
        assert text in done.output
    assert "Traceback" not in done.output
    assert not (folder / ".deeprc").exists()
    assert not (folder / "results").exists()


def test_results_folder_that_is_a_file(ended):
    folder, done = ended["results are a file"]
    assert done.code != 0
    assert "is a file, where the results folder" in done.output
    assert (folder / "results").read_text() == "precious"


def test_dry_run_needs_neither_space_nor_pilot(ended):
    folder, done = ended["dry run"]
    assert done.code == 0, done.output
    assert "forecasting_train" in done.output
    assert not (folder / ".deeprc").exists()


@pytest.mark.requires("tmpfs")
def test_results_folder_that_cannot_be_written(snakemake, tmp_path, tmpfs):
    readonly = tmpfs("1m", "ro")
    done = snakemake(tmp_path, "--config", f"results={readonly}/results", timeout=60)
    assert done.returncode != 0
    assert "the results folder cannot be written" in done.stdout
    assert not (tmp_path / ".deeprc").exists()


@pytest.mark.requires("tmpfs")
def test_disk_that_fills_up_is_named_with_the_file_that_did_not_fit(snakemake, tmp_path, tmpfs):
    disk = tmpfs("1m")
    done = snakemake(tmp_path, "--config", f"results={disk}/results", "min_free_mb=0", timeout=300)
    assert done.returncode != 0
    assert f"  | error: {disk}/results/data/beijing.csv: no space left to write this file" in done.stdout
    assert f"  log: {disk}/results/logs/fetch_beijing.log" in done.stdout
    assert not (disk / "results" / "data" / "beijing.csv").exists()
