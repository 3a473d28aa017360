"""Mistakes that must be found before anything queues: one clear error, no pilot, nothing written."""

from __future__ import annotations

import pytest

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
        ["key 'pipelines.0'", "'forecasting'", "'forecasts'"],
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


@pytest.mark.parametrize("case", CASES)
def test_mistake_stops_the_run_before_it_starts(snakemake, tmp_path, case):
    config, expected = CASES[case]
    done = snakemake(tmp_path, "--config", *config, timeout=60)
    assert done.returncode != 0
    for text in expected:
        assert text in done.stdout
    assert "Traceback" not in done.stdout
    assert not (tmp_path / ".deeprc").exists()
    assert not (tmp_path / "results").exists()


@pytest.mark.requires("tmpfs")
def test_results_folder_that_cannot_be_written(snakemake, tmp_path, tmpfs):
    readonly = tmpfs("1m", "ro")
    done = snakemake(tmp_path, "--config", f"results={readonly}/results", timeout=60)
    assert done.returncode != 0
    assert "the results folder cannot be written" in done.stdout
    assert not (tmp_path / ".deeprc").exists()


def test_results_folder_that_is_a_file(snakemake, tmp_path):
    (tmp_path / "results").write_text("precious")
    done = snakemake(tmp_path, timeout=60)
    assert done.returncode != 0
    assert "is a file, where the results folder" in done.stdout
    assert (tmp_path / "results").read_text() == "precious"


def test_dry_run_needs_neither_space_nor_pilot(snakemake, tmp_path):
    braces = ["forecasting={title: '{b} of {model}'}", "hydrology={missing: ['{b}']}"]  # no wildcards, but names
    done = snakemake(tmp_path, "-n", "--config", "min_free_mb=1000000000", *braces, timeout=60)
    assert done.returncode == 0, done.stdout
    assert "forecasting_train" in done.stdout
    assert not (tmp_path / ".deeprc").exists()


@pytest.mark.requires("tmpfs")
def test_disk_that_fills_up_is_named_with_the_file_that_did_not_fit(snakemake, tmp_path, tmpfs):
    disk = tmpfs("1m")
    done = snakemake(tmp_path, "--config", f"results={disk}/results", "min_free_mb=0", timeout=300)
    assert done.returncode != 0
    assert f"  | error: {disk}/results/data/beijing.csv: no space left to write this file" in done.stdout
    assert f"  log: {disk}/results/logs/fetch_beijing.log" in done.stdout
    assert not (disk / "results" / "data" / "beijing.csv").exists()
