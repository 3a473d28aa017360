"""docs/benchmarks.md is what its script writes from the stored logs, and `make bench` measures what it says."""

from __future__ import annotations

import json
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / ".ci" / "docs"))
import benchmarks  # noqa: E402
import catalogue  # noqa: E402

sys.path.pop(0)
# Logs of what is no benchmark: the size of the environment, a study, an epoch, and dates of older logs.
APART = {"environment.json", "nhits-held-out.json", "scale-lost.json", "stored.json", "timesnet-seeds.json"}


def test_the_page_and_its_pictures_are_what_the_logs_say():
    text, pictures = benchmarks.page()
    assert benchmarks.PAGE.read_text(encoding="utf-8") == text, "run: python .ci/docs/benchmarks.py"
    stored = {path.name: path.read_text(encoding="utf-8") for path in benchmarks.FIGURES.glob("bench-*.svg")}
    assert stored == pictures
    assert all(ET.fromstring(picture).tag.endswith("svg") for picture in pictures.values())


def test_each_log_is_on_the_page_or_is_none_of_a_benchmark():
    files = {log.file for each in catalogue.BENCHMARKS for log in each.logs}
    assert {path.name for path in benchmarks.FIGURES.glob("*.json")} - files == APART
    text = benchmarks.PAGE.read_text(encoding="utf-8")
    assert {file for file in files if (benchmarks.FIGURES / file).exists()} == {
        file for file in files if f"figures/{file})" in text or f"({file.removeprefix('../')})" in text
    }


def test_each_benchmark_says_how_it_is_repeated():
    assert [each.name for each in catalogue.BENCHMARKS if not each.commands and "`deeprc bench " not in each.what] == []


def test_each_log_has_its_date_and_commit():
    known = benchmarks.stored("stored.json")
    for each in catalogue.BENCHMARKS:
        for log in each.logs:
            if (told := benchmarks.stored(log.file)) is not None:
                about = benchmarks.about(log, told, known)
                assert "2026-" in about and "commit `" in about, about
    again = {file for file in known if "date" in benchmarks.machine(benchmarks.stored(file) or {})}
    assert again == set(), "these tell their dates themselves: leave them out of stored.json"


def test_what_is_measured_is_chosen_by_name():
    quick, every = benchmarks.chosen([]), benchmarks.chosen(["--all"])
    assert {log.file for log in quick} < {log.file for log in every}
    assert all(log.quick and log.commands for log in quick)
    assert sum(log.seconds for log in quick) <= 180
    assert [log.file for log in benchmarks.chosen(["functions"])] == ["scale-functions.json"]
    with pytest.raises(SystemExit, match="no benchmark joins\n  expected: --all, or some of pipeline, "):
        benchmarks.chosen(["joins"])


def test_a_log_is_written_where_its_command_has_measured(tmp_path, capfd):
    log = catalogue.Log
    logs = [
        log("one.json", ["echo '{\"machine\": {\"date\": 1}}' #"], 90), log("kept.json", ["exit 3 #"], 60),
        log("both.json", ["echo '{}' #", "echo '{\"b\": 2}'; exit 1 #"], several=True),
    ]  # fmt: skip
    (tmp_path / "kept.json").write_text("as it was")
    (tmp_path / "stored.json").write_text('{"one.json": {"date": 0}, "kept.json": {"date": 0}}')
    assert benchmarks.measure(logs, tmp_path) == 1
    assert json.loads((tmp_path / "one.json").read_text()) == {"machine": {"date": 1}}
    assert json.loads((tmp_path / "stored.json").read_text()) == {"kept.json": {"date": 0}}  # the other tells its own
    assert json.loads((tmp_path / "both.json").read_text()) == [{}, {"b": 2}]
    assert (tmp_path / "kept.json").read_text() == "as it was"
    said = capfd.readouterr().err
    assert said.index("in all") < said.index("$ echo") and "about 2 minutes" in said  # (150 s) before anything runs
    assert "failed (exit 3): kept.json stays as it was" in said
