"""The measured numbers of README.md and docs/ are those of stored logs; `make numbers` writes them."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SPEC = importlib.util.spec_from_file_location("document_numbers", ROOT / ".ci" / "docs" / "figures.py")
numbers = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(numbers)


@pytest.mark.parametrize("page", numbers.pages(), ids=lambda page: page.stem)
def test_each_measured_number_is_that_of_a_stored_log(page):
    text = page.read_text(encoding="utf-8")
    assert numbers.rewritten(text) == text, "run: make numbers"
    assert list(numbers.unmarked(text)) == []


@pytest.mark.parametrize("page", numbers.pages(), ids=lambda page: page.stem)
def test_what_is_said_to_be_printed_by_a_command_is(page):
    for told in numbers.PRINTED.finditer(page.read_text(encoding="utf-8")):
        command = [sys.executable, "-m", told["module"], *([told["file"]] if told["file"] else [])]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == told["block"].strip()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("It takes 4 ms a job.", 1),
        ("It takes 4 ms <!-- from figures/scale-functions.json: first_s * 1000 --> a job.", 0),
        ("It takes 4 ms and 5 ms <!-- from figures/scale-functions.json: first_s * 1000 --> a job.", 1),
        ("At most 4 s <!-- given: a setting -->, seen 3 s.", 1),
        ("| sort | 0.93 |", 1),
        ("| MPICH 5.0.2 | 3 |", 0),
        ("`sleep 4 s` and\n```console\n4 s\n```\n", 0),
        ("Of `a\nb` 3 % were late.", 1),
        ("2,089 calls a second", 1),
        ("each in 0.2-0.5 s", 1),
    ],
)
def test_a_number_without_a_log_is_found(text, found):
    assert len(list(numbers.unmarked(text))) == found


LOGS = {
    "calls": {"calls": 10000, "calls_per_s": 2088.5, "killed": {"done": 9995, "lost": 5}},
    "simulated": {"utilisation": 0.7855},
    "many": {"runs": [{"jobs": 16000, "total_s": 191.6}]},
}


@pytest.mark.parametrize(
    ("written", "right"),
    [
        ("1.0 a second <!-- from figures/calls.json: calls_per_s -->", "2,088.5"),
        ("**9 calls** <!-- from figures/calls.json: killed.done -->", "**9,995 calls**"),
        ("1 %, 2 <!-- from figures/calls.json: killed.lost / calls * 100; killed.lost - 1 -->", "0 %, 4"),
        ("0.0 % <!-- from figures/simulated.json: utilisation * 100 -->", "78.6 %"),  # 78.55, which a float is not
        ("7 s <!-- from figures/many.json: runs[jobs=16000].total_s -->", "192 s"),
        ("9, 8 <!-- from figures/calls.json: killed.lost; killed.lost - 1 -->", "5, 4 <"),  # a comma of the sentence's
        ("-9.0 to 3 <!-- from figures/calls.json: calls - calls - killed.lost; calls -->", "-5.0 to 10,000"),
    ],
)
def test_a_number_is_written_as_its_log_says(written, right, tmp_path, monkeypatch):
    figures = tmp_path / "docs" / "figures"
    figures.mkdir(parents=True)
    for name, told in LOGS.items():
        (figures / f"{name}.json").write_text(json.dumps(told))
    monkeypatch.setattr(numbers, "ROOT", tmp_path)
    assert numbers.rewritten(written).startswith(right)


@pytest.mark.parametrize("path", ["runs[jobs=7].total_s", "runs[9].total_s", "walls", "machine.cpu"])
def test_a_mark_that_leads_to_no_number_is_told_with_its_path(path):
    with pytest.raises(numbers.NumberError, match=r"figures/scale-many.json: no number at "):
        numbers.rewritten(f"3 s <!-- from figures/scale-many.json: {path} -->")


def test_a_mark_with_more_values_than_numbers_is_told():
    with pytest.raises(numbers.NumberError, match="fewer numbers than values"):
        numbers.rewritten("3 s <!-- from figures/scale-many.json: load; load -->")
