"""Modules asked for beforehand, with real module systems."""

from __future__ import annotations

from pathlib import Path

import pytest

from deeprc.modules.probe import probe


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
