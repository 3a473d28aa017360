"""Modules asked for beforehand, with real module systems."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from deeprc.launch.modules import probe
from deeprc.sites import sites_folder

SNAKEMAKE, DEEPRC = (Path(sys.executable).parent / name for name in ("snakemake", "deeprc"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Compilers that conflict, and an MPI that needs one of them."""
    files = {
        "gcc/12": "conflict intel",
        "intel/2024": "conflict gcc",
        "impi/2021": "prereq intel",
        "mvapich/4": "prereq nowhere",
        "cuda/12.8": "",
        "cuda/12.9": "",
    }
    for name, line in files.items():
        path = tmp_path / "modules" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#%Module1.0\n{line}\n")
    return tmp_path / "modules"


def test_modules_that_load_together(shell, folder):
    assert probe([f"use {folder}", "intel/2024", "impi", "cuda"], init=shell.init) == []
    assert probe([], init=shell.init) == []


def test_a_missing_one_is_named_and_the_others_still_asked(shell, folder):
    found = probe([f"use {folder}", "gcc/13", "cuda/12.8", "rocm"], init=shell.init)
    assert [(problem.module, problem.reason) for problem in found] == [("gcc/13", "missing"), ("rocm", "missing")]
    assert "gcc/13" in found[0].said
    assert str(found[1]).startswith("module rocm does not load: ")


def test_a_conflict_is_named(shell, folder):
    found = probe([f"use {folder}", "gcc/12", "cuda", "intel"], init=shell.init)
    assert [(problem.module, problem.reason) for problem in found] == [("intel", "conflict")]


def test_two_versions_of_one_module(shell, folder):
    found = probe([f"use {folder}", "cuda/12.8", "cuda/12.9"], init=shell.init)
    # Lmod puts the second in the first one's place; Environment Modules load both where a module does not forbid it.
    assert [problem.reason for problem in found] == (["conflict"] if shell.system == "lmod" else [])


def test_what_a_module_needs_is_told(shell, folder):
    found = probe([f"use {folder}", "mvapich"], init=shell.init)
    assert [problem.module for problem in found] == ["mvapich"]
    assert "nowhere" in found[0].said


def test_a_machine_without_modules():
    found = probe(["gcc"], init="unset -f module")
    assert [(problem.module, problem.reason) for problem in found] == [("gcc", "no modules")]
    assert "no command `module`" in str(found[0])


@pytest.mark.requires("lmod")
def test_a_run_whose_modules_do_not_load_ends_before_its_pilot_starts(tmp_path):
    facts = yaml.safe_load((sites_folder() / "localhost" / "site.yaml").read_text()) | {"modules": ["nowhere/1.0"]}
    (tmp_path / "site.yaml").write_text(yaml.safe_dump(facts))
    (tmp_path / "Snakefile").write_text('rule a:\n    output: "a"\n    shell: "touch {output}"\n')
    command = [SNAKEMAKE, "--executor", "radical-pilot", "--jobs", "1", "--radical-pilot-site", "site.yaml", "a"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert "modules of localhost do not load" in done.stderr
    assert "module nowhere/1.0 does not load" in done.stderr
    assert "starting a pilot" not in done.stderr
    assert not (tmp_path / "a").exists()


@pytest.mark.requires("lmod")
def test_the_doctor_names_the_module_that_does_not_load(tmp_path):
    facts = yaml.safe_load((sites_folder() / "localhost" / "site.yaml").read_text()) | {"modules": ["nowhere/1.0"]}
    (tmp_path / "site.yaml").write_text(yaml.safe_dump(facts))
    command = [DEEPRC, "doctor", "--site", tmp_path / "site.yaml", "--checks", "modules", "--json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1, done.stderr
    (found,) = json.loads(done.stdout)["checks"]
    assert (found["subject"], found["status"]) == ("nowhere/1.0", "failed")
    assert found["text"].startswith("module nowhere/1.0 does not load")
