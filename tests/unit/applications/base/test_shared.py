"""What all applications share: batches, the reference to be beaten, options on a command line, the split."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydantic import BaseModel

from deeprc.applications.base.batches import in_batches
from deeprc.applications.base.commandline import options
from deeprc.applications.base.prepared import check_parts, sealed
from deeprc.applications.base.reference import beats
from deeprc.applications.base.scaler import Scaler
from deeprc.applications.base.split import Split
from deeprc.applications.base.stages import stage
from deeprc.core.errors import ConfigError, DeepRCError, InputError


class Options(BaseModel, extra="forbid"):
    depth: int = 3
    split: Split = (0.5, 0.25)


class Peers:
    """One of several ranks, which has heard of the `shares` of all others."""

    def __init__(self, rank: int, shares: list[list[np.ndarray]]) -> None:
        self.rank, self.size, self.shares = rank, len(shares), shares

    def allgather(self, mine: list[np.ndarray]) -> list[list[np.ndarray]]:
        self.shares[self.rank] = mine
        return self.shares


def test_a_stage_that_fails_says_its_error_once(tmp_path):
    said = []
    with pytest.raises(DeepRCError) as caught:
        stage("deeprc.core.datasets", "none-such", "--out", tmp_path / "x", threads=1, say=said.append)
    assert "unknown" in caught.value.found and "none-such" in caught.value.found
    assert [line for line in said if "none-such" in line] == []


@pytest.mark.parametrize("code", [0, 2])
def test_nothing_of_what_a_stage_says_is_left_out(tmp_path, monkeypatch, code):
    told, said = ["error: of one basin of many", *(f"  found: {number}" for number in range(12))], []
    (tmp_path / "talks.py").write_text(
        "import sys\nprint('begins', *sys.argv[2:], sep='\\n')\nsys.exit(int(sys.argv[1]))\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    if code:
        with pytest.raises(DeepRCError) as caught:
            stage("talks", code, *told, threads=1, say=said.append)
        assert [said, caught.value.found.split("\n")] == [["begins"], told]
    else:
        stage("talks", code, *told, threads=1, say=said.append)
        assert said == ["begins", *told]


@pytest.mark.parametrize("ranks", [1, 2, 3, 5])
def test_batches_are_the_same_and_in_order_on_any_number_of_ranks(ranks):
    rows, seen = np.arange(10, 20), []

    def compute(batch: np.ndarray) -> np.ndarray:
        seen.append(batch.tolist())
        return np.stack([batch, batch**2], axis=1)

    expected, shares = in_batches(compute, rows, 4), [[] for _ in range(ranks)]
    assert expected.tolist() == [[row, row**2] for row in rows]
    alone = sorted(seen)
    seen.clear()
    for rank in range(ranks - 1):  # the last one has heard of all others
        shares[rank] = [compute(batch) for batch in (rows[:4], rows[4:8], rows[8:])[rank::ranks]]
    assert np.array_equal(in_batches(compute, rows, 4, Peers(ranks - 1, shares)), expected)
    assert sorted(seen) == alone


@pytest.mark.parametrize(
    ("found", "reference", "better", "expected"),
    [(1, 2, "lower", True), (2, 2, "lower", False), (2, 1, "higher", True), (1, 1, "higher", False),
     (None, 1, "lower", None), (1, None, "higher", None)],
)  # fmt: skip
def test_equal_is_no_better_and_what_is_not_known_is_not_said(found, reference, better, expected):
    assert beats(found, reference, better=better) is expected


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "--how: not JSON: "),
        ("3", "--how: not a mapping of keys to values"),
        ('{"dept": 1}', "--how: unknown key 'dept'"),
        ('{"split": [0.75, 0.25]}', "--how: key 'split': split [0.75, 0.25] leaves nothing to test"),
    ],
)
def test_options_of_a_stage_are_read_with_one_error(text, told):
    with pytest.raises(ConfigError) as caught:
        options(Options, text, "--how")
    assert str(caught.value).startswith(told)
    assert options(Options, '{"depth": 4}') == Options(depth=4)


def test_a_folder_stands_there_whole_with_its_list_or_not_at_all(tmp_path: Path):
    with sealed(tmp_path / "made") as folder:
        (folder / "a.json").write_text("{}")
        assert not (tmp_path / "made").exists()
    assert [*check_parts(tmp_path / "made")] == ["a.json"]
    with pytest.raises(InputError), sealed(tmp_path / "made") as folder:
        (folder / "b.json").write_text("{}")
        raise InputError("a stage that failed")
    assert [*check_parts(tmp_path / "made")] == ["a.json"]
    assert {path.name for path in tmp_path.iterdir()} == {"made"}


def test_what_is_scaled_is_restored_and_what_stands_still_stays():
    values = np.array([[1.0, 5.0, np.nan], [3.0, 5.0, 2.0], [5.0, 5.0, 4.0]])
    scaler = Scaler.fit(values)
    assert scaler.mean == [3.0, 5.0, 3.0] and scaler.std[1:] == [1.0, 1.0]
    np.testing.assert_allclose(scaler.restore(scaler.scale(values)), values)
