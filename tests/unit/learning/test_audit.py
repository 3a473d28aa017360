"""What an audit sees, on ledgers that are right and on those with each thing that can be wrong with them."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import typer
from typer.testing import CliRunner

from deeprc.commands.audit import audit as command
from deeprc.core.errors import InputError
from deeprc.core.files import read_json, write_json
from deeprc.learning import tree
from deeprc.learning.audit import FACTS, audit, find, spans
from deeprc.learning.ledger import NAME, SCHEMA, Ledger, read
from deeprc.learning.peers import Alone
from deeprc.learning.sampler import Sampler
from samples.peers import on_ranks

app = typer.Typer()
app.command()(command)

ROWS = np.r_[100:110, 200:203]  # 13 samples in two runs
STEPS, BATCH, SHARDS = 7, 4, 2  # two whole epochs and two samples of a third


def notes(ledger: Ledger, rank: int = 0, ranks: int = 1) -> None:
    """What the ranks of a training note."""
    sampler = Sampler(len(ROWS), 1)
    for step in range(1, STEPS + 1):
        batch = sampler.take(BATCH)
        for shard in tree.shards_of(rank, ranks, SHARDS):
            here = tree.part(np.arange(BATCH), shard, SHARDS)
            ledger.note(batch.epoch[here], step, shard, ROWS[batch.samples[here]])
        if step in (2, 5, 7):
            ledger.close_part()


@pytest.fixture
def run(tmp_path):
    """A function that writes the folder of a model whose ledger was changed by `change`."""

    def make(change=lambda columns: columns, **facts):
        ledger = Ledger(tmp_path / "parts", Alone())
        notes(ledger)
        folder = tmp_path / "models" / "NHITS"
        ledger.join(folder / NAME)
        columns = change(
            {name: column.to_numpy().copy() for name, column in zip(SCHEMA.names, read(folder / NAME), strict=True)}
        )
        pq.write_table(pa.table({name: columns[name] for name in SCHEMA.names}, SCHEMA), folder / NAME)
        told = {"samples": spans(ROWS), "steps": STEPS, "batch": BATCH, "shards": SHARDS}
        write_json(folder / FACTS, told | facts)
        return tmp_path

    return make


def faults(root) -> list[str]:
    (folder,) = find(root)
    return audit(folder).faults


def test_every_sample_once_per_epoch(run):
    root = run()
    (folder,) = find(root)
    verdict = audit(folder)
    assert verdict.faults == []
    rest = "2 epochs and 2 samples of the next: every sample once per epoch, none twice"
    assert str(verdict) == f"{folder}: 7 steps, 13 samples, {rest}"
    assert verdict.record() == {
        "folder": str(folder), "steps": 7, "epochs": 2, "rest": 2, "samples": 13, "faults": []
    }  # fmt: skip


def until(root, step) -> str:
    """What the audit says where the training had ended with this step."""
    (folder,) = find(root)
    table = read(folder / NAME)
    pq.write_table(table.filter(table["step"].to_numpy() <= step), folder / NAME)
    write_json(folder / FACTS, read_json(folder / FACTS) | {"steps": step})
    return str(audit(folder)).partition(": ")[2]


def test_no_more_is_claimed_than_was_done(run):
    """An epoch that is not finished has samples that were never used."""
    assert until(run(), 3) == "3 steps, 12 of 13 samples, no whole epoch and a part of one: none twice"
    rest = "1 epoch and 3 samples of the next: every sample once per epoch, none twice"
    assert until(run(), 4) == f"4 steps, 13 samples, {rest}"


def test_whole_epochs_alone(tmp_path):
    sampler, ledger = Sampler(len(ROWS), 1), Ledger(tmp_path / "parts", Alone())
    for step in (1, 2):
        batch = sampler.take(len(ROWS))
        ledger.note(batch.epoch, step, 0, ROWS[batch.samples])
    ledger.close_part(), ledger.join(tmp_path / NAME)
    write_json(tmp_path / FACTS, {"samples": spans(ROWS), "steps": 2, "batch": len(ROWS)})
    assert str(audit(tmp_path)) == f"{tmp_path}: 2 steps, 13 samples, 2 epochs: every sample once per epoch"


@pytest.mark.parametrize(
    "name, damage, found",
    [
        (NAME, lambda path: path.write_bytes(path.read_bytes()[:100]), "100 bytes; "),
        (NAME, lambda path: path.write_bytes(b""), "0 bytes; "),
        (
            NAME,
            lambda path: pq.write_table(pa.table({"row": [1]}), path),
            "no value in some or all rows of epoch, step",
        ),
        (NAME, lambda path: path.unlink(), "this file is missing"),
        (FACTS, lambda path: path.write_text("{}"), "2 bytes; samples: Field required"),
        (FACTS, lambda path: path.write_text('{"samples": [[1'), "Invalid JSON"),
        (FACTS, lambda path: path.write_text("[]"), "2 bytes; "),
        (FACTS, lambda path: path.write_text('{"samples": [[3, 3]], "steps": 1, "batch": 1}'), "no samples"),
        (FACTS, lambda path: path.unlink(), "this file is missing"),
    ],
)
def test_a_damaged_ledger_is_one_error_and_no_verdict(run, name, damage, found):
    """Exit 1 would say that samples were not used, which nobody knows."""
    (folder,) = find(run())
    damage(folder / name)
    with pytest.raises(InputError) as error:
        audit(*find(folder))
    assert error.value.where == folder / name and error.value.exit_code == 2
    assert found in str(error.value) and "trains it anew" in str(error.value)


def test_the_command_tells_by_its_exit_code(run):
    assert CliRunner().invoke(app, [str(run())]).exit_code == 0
    done = CliRunner().invoke(app, [str(run(lambda columns: with_row(columns, 0, 150)))])
    assert done.exit_code == 1
    assert "NOT every sample once per epoch\n  epoch 0: no samples of this training: 150" in done.output


def with_row(columns, place, row):
    columns["row"][place] = row
    return columns


def without(columns, place):
    return {name: np.delete(values, place) for name, values in columns.items()}


def test_a_sample_used_twice_and_one_never(run):
    def change(columns):
        return with_row(columns, 3, columns["row"][0])

    found = faults(run(change))
    assert [text.partition(": used")[0].partition(": never")[0] for text in found] == ["epoch 0", "epoch 0"]
    assert "used more than once" in found[0] and "never used" in found[1]


@pytest.mark.parametrize(
    "change, text",
    [
        (lambda columns: with_row(columns, 0, 150), "no samples of this training: 150"),
        (lambda columns: without(columns, 5), "steps whose batch is not of 4 samples: 2"),
        (lambda columns: without(columns, slice(0, 4)), "steps without a sample: 1"),
        (lambda columns: columns | {"epoch": columns["epoch"] + 1}, "epochs that the training does not have: 3"),
        (lambda columns: columns | {"step": columns["step"] + 1}, "steps that the training does not have: 8"),
        (lambda columns: columns | {"shard": columns["shard"] * 0}, "shards that did not get 2 or 2 samples"),
        (lambda columns: with_row(columns, -1, columns["row"][-2]), "epoch 2: used more than once"),
    ],
)
def test_whatever_is_wrong_is_named(run, change, text):
    assert any(text in fault for fault in faults(run(change)))


def test_a_ledger_that_stops_too_early(run):
    assert "steps without a sample: 8" in faults(run(steps=8))


def test_notes_of_two_ranks_are_those_of_one(tmp_path):
    def work(peers):
        ledger = Ledger(tmp_path / "two", peers)
        notes(ledger, peers.rank, peers.size)
        return ledger

    two = on_ranks(2, work)[0]
    one = Ledger(tmp_path / "one", Alone())
    notes(one)
    assert one.parts == two.parts == [f"steps-{a:08d}-{b:08d}.parquet" for a, b in ((1, 2), (3, 5), (6, 7))]
    one.join(tmp_path / "1"), two.join(tmp_path / "2")
    assert read(tmp_path / "1").equals(read(tmp_path / "2"))


def test_what_a_kill_made_undone_is_forgotten(tmp_path):
    ledger = Ledger(tmp_path, Alone())
    notes(ledger)
    again = Ledger(tmp_path, Alone())
    again.load(ledger.parts[:2])
    assert sorted(path.name for path in tmp_path.iterdir()) == ledger.parts[:2]


def test_runs_of_rows():
    assert spans(ROWS) == [[100, 110], [200, 203]]


def test_a_folder_without_a_ledger_is_refused(tmp_path):
    with pytest.raises(InputError, match="no training with a ledger"):
        find(tmp_path)
