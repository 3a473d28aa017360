"""A run as one file, and that file run again in a fresh folder: the same bytes of metrics, or why not."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from deeprc.core.files import read_json
from samples.validated import issues

pytestmark = pytest.mark.timeout(900)


def deeprc(folder: Path, *words: str) -> subprocess.CompletedProcess:
    """`deeprc` in a folder, its two outputs joined."""
    program = Path(sys.executable).with_name("deeprc")
    return subprocess.run(
        [str(program), *words], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory, snakemake) -> Path:
    """A run of one model on a table of the user's, which is then moved, and its crate."""
    folder = tmp_path_factory.mktemp("crate")
    rows = [f"2024-01-{1 + hour // 24:02}T{hour % 24:02}:00,{hour % 24 + hour % 7 / 10}" for hour in range(24 * 30)]
    (folder / "loads.csv").write_text("\n".join(["time,load", *rows, ""]))
    config = {"dataset": "csv", "path": str(folder / "loads.csv"), "target": "load", "models": ["DLinear"], "steps": 20}
    config |= {"horizon": 6, "input_size": 24, "ranks": 1}
    (folder / "config.json").write_text(json.dumps({"pipelines": ["forecasting"], "forecasting": config}))
    done = snakemake(folder, "--configfile", str(folder / "config.json"))
    assert done.returncode == 0, done.stdout
    assert "no RO-Crate" not in done.stdout
    made = deeprc(folder, "run", "crate", "results", "-o", "crate.zip")
    assert made.returncode == 0, made.stdout
    return folder


def test_the_crate_holds_by_its_profiles(folder, tmp_path):
    with zipfile.ZipFile(folder / "crate.zip") as archive:
        archive.extractall(tmp_path)
    assert issues(tmp_path) == []
    assert (tmp_path / "metrics.json").read_bytes() == (folder / "results" / "metrics.json").read_bytes()


def test_it_gives_the_same_bytes_again_in_a_fresh_folder(folder):
    done = deeprc(folder, "rerun", "crate.zip", "--folder", "again", "--json")
    assert done.returncode == 0, done.stdout
    assert json.loads(done.stdout[done.stdout.rindex("\n{\n") :])["equal"] is True
    again = folder / "again" / "results"
    assert (again / "metrics.json").read_bytes() == (folder / "results" / "metrics.json").read_bytes()
    assert [each["label"] for each in read_json(again / "run.json")["tasks"]]  # it did run, there
    (listed,) = json.loads(deeprc(folder, "run", "list", "--json").stdout)
    assert listed["state"] == "done", listed
    full = deeprc(folder, "rerun", "crate.zip", "--folder", "again")
    assert full.returncode == 2 and "the folder is not empty" in full.stdout


def altered(folder: Path, name: str, old: bytes, new: bytes, out: str) -> None:
    """The crate with other bytes in one of its files."""
    with zipfile.ZipFile(folder / "crate.zip") as archive, zipfile.ZipFile(folder / out, "w") as made:
        for member in archive.infolist():
            content = archive.read(member)
            assert member.filename != name or old in content
            made.writestr(member, content.replace(old, new) if member.filename == name else content)


def test_what_was_altered_is_refused_before_it_runs(folder):
    altered(folder, "workflow/config.json", b"DLinear", b"NLinear", "altered.zip")
    done = deeprc(folder, "rerun", "altered.zip", "--folder", "of-altered")
    assert done.returncode == 2 and "the crate was altered" in done.stdout and "workflow/config.json" in done.stdout
    assert not (folder / "of-altered").exists()


def test_data_that_changed_since_are_asked_for_by_their_hash(folder, tmp_path):
    kept = (folder / "loads.csv").read_bytes()
    (tmp_path / "loads.csv").write_bytes(kept)
    (folder / "loads.csv").write_bytes(kept + b"2024-02-01T00:00,3\n")
    try:
        done = deeprc(folder, "rerun", "crate.zip", "--folder", "of-others")
        assert done.returncode == 2 and "loads.csv (SHA-256 " in done.stdout, done.stdout
        done = deeprc(folder, "rerun", "crate.zip", "--folder", "of-data", "--data", str(tmp_path))
        assert done.returncode == 0, done.stdout
    finally:
        (folder / "loads.csv").write_bytes(kept)
