"""Counters of energy: those of the processor that turn, those of accelerators, and why nothing is read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from deeprc.core import energy


def zone(folder: Path, number: str, name: str, microjoules: int) -> Path:
    path = folder / f"intel-rapl:{number}"
    path.mkdir(parents=True)
    (path / "name").write_text(f"{name}\n")
    (path / "energy_uj").write_text(f"{microjoules}\n")
    (path / "max_energy_range_uj").write_text("262143328850\n")
    return path


def test_packages_memory_and_accelerators_are_added_and_a_counter_may_turn(tmp_path):
    package, memory = zone(tmp_path, "0", "package-0", 262143000000), zone(tmp_path, "0:1", "dram", 5000000)
    zone(tmp_path, "0:0", "core", 1)
    counts = [1000, 7000]
    meter = energy.Meter(tmp_path, lambda: counts)
    assert (meter.of, meter.why) == (["GPU 0", "GPU 1", "dram 0", "package-0"], None)
    assert meter.read() == 0
    (package / "energy_uj").write_text("2000000\n")  # 0.32885 J up to its end, and 2 J
    (memory / "energy_uj").write_text("8000000\n")
    counts[:] = [1500, 7000]
    assert meter.read() == pytest.approx(2.32885 + 3 + 0.5)
    assert meter.read() == pytest.approx(2.32885 + 3 + 0.5)


def test_it_says_why_nothing_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(energy, "NVML", "libnothing-of-that-name.so")
    assert energy.Meter(tmp_path / "absent").why == "no RAPL here, no NVML"

    def closed(self, *args, **kwargs):
        raise PermissionError(13, "for root alone", os.fspath(self))

    zone(tmp_path, "0", "package-0", 1)
    monkeypatch.setattr(Path, "read_text", closed)
    assert energy.Meter(tmp_path).why == "RAPL's counters are for root alone here, no NVML"
