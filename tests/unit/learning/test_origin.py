"""From a line of the user's file to the steps of a training."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from deeprc.applications.base.prepared import seal
from deeprc.commands.audit import audit as command
from deeprc.core.errors import ConfigError, InputError
from deeprc.core.files import write_json
from deeprc.learning.audit import FACTS
from deeprc.learning.ledger import NAME, SCHEMA
from deeprc.learning.origin import NAME as LINES
from deeprc.learning.origin import Origin, SourceFile, uses

app = typer.Typer()
app.command()(command)

# Rows 0 to 7 of the prepared data; row 3 stands in no file, the lines are not in order.
ROWS, OWN = np.array([0, 1, 2, 4, 5, 6, 7]), np.array([9, 8, 2, 3, 4, 5, 7])
NOTES = [(0, 1, 0, 2), (0, 1, 0, 5), (0, 2, 0, 3), (0, 2, 0, 4), (1, 3, 0, 3), (1, 3, 0, 6)]  # epoch, step, shard, row
FACT = {"samples": [[2, 7]], "steps": 3, "batch": 2}


def of_file(name="rivers.csv", rows=ROWS, lines=OWN, before=2, after=1) -> Origin:
    return Origin([SourceFile(name, before, after)], rows, rows, np.zeros(len(rows), int), lines)


def model(folder, origin, notes=NOTES):
    folder.mkdir(exist_ok=True)
    columns = [
        pa.array(column).cast(field.type) for column, field in zip(zip(*notes, strict=True), SCHEMA, strict=True)
    ]
    pq.write_table(pa.table(columns, SCHEMA), folder / NAME)
    write_json(folder / FACTS, FACT)
    if origin:
        origin.write(folder)
    return folder


def test_a_line_is_told_with_the_steps_that_used_it(tmp_path):
    """Line 3 is row 4: the answer of the sample known by row 4, and among the inputs of those of rows 5 and 6."""
    (found,) = uses([model(tmp_path / "NHITS", of_file())], 3)
    assert found.row == 4
    assert found.samples.tolist() == [4, 5, 6]
    assert found.steps.tolist() == [1, 2, 3]
    assert found.epochs == {0: 2, 1: 1}
    assert str(found) == (
        f"{tmp_path}/NHITS: line 3 of rivers.csv: row 4 of the prepared data, in 3 samples, used in 3 steps"
        " (2 in epoch 0, 1 in epoch 1): 1, 2, 3"
    )


def test_lines_that_nothing_was_made_of_and_one_that_no_step_has_used(tmp_path):
    folder = model(tmp_path / "NHITS", of_file())
    for line, told in (
        (7, "row 7 of the prepared data, which no step has used"),
        (6, "nothing was made of it: it is no row of data, repeats another one, or was left out"),
        (10, "nothing was made of it: the last line that was used as data is 9"),
    ):
        assert str(uses([folder], line)[0]) == f"{folder}: line {line} of rivers.csv: {told}"


def test_files_of_other_reach_and_the_rows_of_one_network_alone(tmp_path):
    """Of the weather a sample has three days, of the discharge one; rows 5 to 7 are another network's."""
    files = [SourceFile("rain", 2, 1), SourceFile("flow", 0, 1), SourceFile("rain of others", 2, 1)]
    row, line = np.r_[0:8, 0:5], np.r_[10:15, 10:13, 2:7]
    whole = Origin(files, row, row, np.r_[[0] * 5, [2] * 3, [1] * 5], line)
    folder = model(tmp_path / "regional", whole.only(np.arange(5)), [note for note in NOTES if note[3] < 5])
    assert uses([folder], 12, "rain")[0].samples.tolist() == [2, 3, 4]
    assert uses([folder], 4, "flow")[0].samples.tolist() == [2]
    with pytest.raises(ConfigError, match=r"unknown file 'rain of others'(.|\n)*one of flow, rain$"):
        uses([folder], 10, "rain of others")


def test_of_samples_of_several_series_a_line_is_known_by_the_row_of_the_first(tmp_path):
    """Two series of four rows: a sample is known by a row of the first, and holds both at its times."""
    origin = Origin([SourceFile("both.csv", 1, 1)], np.arange(8), np.r_[:4, :4], np.zeros(8, int), np.arange(2, 10))
    folder = model(tmp_path / "TimesNet", origin, [(0, 1, 0, 1), (0, 2, 0, 2), (0, 3, 0, 3)])
    (found,) = uses([folder], 7)
    assert (found.row, found.samples.tolist(), found.steps.tolist()) == (5, [1, 2], [1, 2])


@given(st.data())
def test_it_is_what_a_walk_through_all_steps_finds(tmp_path_factory, data):
    """Samples of any reach, lines in any order, rows without a line."""
    before, after = data.draw(st.integers(0, 4)), data.draw(st.integers(1, 4))
    count = data.draw(st.integers(before + after, 20))
    lines = np.array(data.draw(st.permutations(range(2, count + 2))))
    kept = np.array(sorted(data.draw(st.sets(st.integers(0, count - 1), min_size=1))))
    rows = data.draw(st.lists(st.integers(before, count - after), min_size=1, max_size=12))
    notes = [(number // 6, number // 3 + 1, 0, row) for number, row in enumerate(rows)]
    origin = of_file(rows=kept, lines=lines[kept], before=before, after=after)
    folder = model(tmp_path_factory.mktemp("run"), origin, notes)
    for line in range(1, count + 3):
        held = [row for row in kept if lines[row] == line]
        expected = {step for _, step, _, at in notes if any(at - before <= row < at + after for row in held)}
        assert uses([folder], line)[0].steps.tolist() == sorted(expected)


def test_the_command_answers_in_words_and_in_json(tmp_path):
    model(tmp_path / "NHITS", of_file()), model(tmp_path / "GRU", of_file(before=0)), model(tmp_path / "toy", None)
    done = CliRunner().invoke(app, [str(tmp_path), "--row", "3"])
    assert done.exit_code == 0
    assert done.stdout.splitlines() == [str(uses([tmp_path / name], 3)[0]) for name in ("GRU", "NHITS")]
    told = json.loads(CliRunner().invoke(app, [str(tmp_path), "--row", "3", "--file", "a/rivers.csv", "--json"]).stdout)
    assert [(one["row"], one["steps"]) for one in told] == [(4, [2]), (4, [1, 2, 3])]


@pytest.mark.parametrize("above", [False, True])  # of one network, or of several in one folder
def test_files_that_are_not_as_the_training_wrote_them_are_no_answer(tmp_path, above):
    """They can be read, and say something else: lines that lead elsewhere, a ledger without its last step."""
    folder = model(tmp_path / "small", of_file())
    seal(tmp_path if above else folder)
    asked = [str(tmp_path), "--row", "3"]
    assert CliRunner().invoke(app, asked).exit_code == 0
    of_file(lines=OWN[::-1]).write(folder)
    done = CliRunner().invoke(app, asked)
    assert done.exception.exit_code == 2 and done.exception.where.samefile(folder / LINES)
    assert "this part was" in str(done.exception)
    assert CliRunner().invoke(app, [str(tmp_path)]).exit_code == 1  # a verdict, which asks for no lines
    model(folder, None, NOTES[:-2])
    write_json(folder / FACTS, {**FACT, "steps": 2})
    done = CliRunner().invoke(app, [str(tmp_path)])
    assert done.exception.exit_code == 2 and done.exception.where.samefile(folder / NAME)
    (folder / NAME).unlink()
    assert "this part is missing" in str(CliRunner().invoke(app, [str(tmp_path)]).exception)


def test_of_several_files_one_must_be_named(tmp_path):
    model(tmp_path / "a", of_file("a.csv")), model(tmp_path / "b", of_file("b.csv"))
    folders = [tmp_path / "a", tmp_path / "b"]
    with pytest.raises(ConfigError, match=r"a line of which file\?(.|\n)*2: a.csv, b.csv(.|\n)*--file"):
        uses(folders, 3)
    assert [one.folder for one in uses(folders, 3, "b.csv")] == [tmp_path / "b"]


def test_what_cannot_be_answered_is_refused(tmp_path):
    folder = model(tmp_path / "NHITS", of_file())
    with pytest.raises(ConfigError, match=r"unknown file 'river.csv'(.|\n)*did you mean 'rivers.csv'"):
        uses([folder], 3, "river.csv")
    (folder / LINES).unlink()
    with pytest.raises(InputError, match="no ledger here leads to the lines of a file"):
        uses([folder], 3)
    done = CliRunner().invoke(app, [str(folder), "--file", "rivers.csv"])
    assert done.exit_code and "--file goes with --row" in str(done.exception)
