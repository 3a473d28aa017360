"""Losses while a training goes on: what is written, in which bytes, and what a line says."""

import errno
import json
import os
from contextlib import suppress
from types import SimpleNamespace

import pytest

from deeprc.core.errors import DeepRCError
from deeprc.core.files import StorageError
from deeprc.learning import curve as module
from deeprc.learning.curve import Curve
from deeprc.learning.event_file import _checksum, _varint
from deeprc.learning.finite import NotFiniteError
from deeprc.learning.notice import AskedToEnd


def lines(folder) -> list[dict]:
    return [json.loads(line) for line in (folder / "curve.jsonl").read_text().splitlines()]


def test_points_are_there_at_once_and_those_after_a_checkpoint_go_where_it_goes_on(tmp_path):
    first = Curve(tmp_path / "c", 300, writes=True)
    assert [step for step in range(1, 13) if first.due(step)] == [3, 6, 9, 12] and first.due(300)
    for step in (3, 6):
        first.add(step, training_loss=1 / step)
        assert lines(tmp_path / "c")[-1]["step"] == step
    saved = json.loads(json.dumps(first.state()))
    first.add(9, training_loss=7.0)
    # Killed: the next process goes on after step 6, and comes by step 9 again.
    again = Curve(tmp_path / "c", 300, writes=True)
    again.load(saved)
    assert lines(tmp_path / "c") == saved["points"]
    again.add(9, training_loss=1 / 9, validation_loss=2.0)
    again.close()
    assert [point["step"] for point in lines(tmp_path / "c")] == [3, 6, 9]
    assert len(list((tmp_path / "c").glob("events*"))) == 1
    anew = Curve(tmp_path / "c", 300, writes=True)  # of other data: nothing is loaded
    anew.add(3, training_loss=5.0)
    assert [(point["step"], point["training_loss"]) for point in lines(tmp_path / "c")] == [(3, 5.0)]


def test_a_disk_that_is_full_is_said_as_such_also_when_the_files_are_closed(tmp_path):
    with pytest.raises(StorageError, match="no space left"), Curve(tmp_path, 10, writes=True) as curve:
        curve.add(1, training_loss=1.0)
        os.dup2(os.open("/dev/full", os.O_WRONLY), curve._lines.fileno())
        curve.add(2, training_loss=0.5)


def test_a_folder_that_cannot_be_written_is_said_as_such(tmp_path, monkeypatch):
    def full(*given):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(module, "EventFile", full)
    with pytest.raises(StorageError, match="no space left"):
        Curve(tmp_path, 10, writes=True).add(1, training_loss=1.0)


@pytest.mark.parametrize(
    ("error", "status"), [(None, "FINISHED"), (AskedToEnd("saved"), "KILLED"), (NotFiniteError("nan"), "FAILED")]
)
def test_who_is_told_of_a_training_hears_how_it_ended(tmp_path, error, status):
    """A training that goes on in the next pilot, or one that diverged, was called finished."""
    told = []
    mlflow = SimpleNamespace(begin=lambda fresh: None, add=lambda *point: None, close=told.append)
    with suppress(DeepRCError), Curve(tmp_path, 10, writes=True, tracking=mlflow) as curve:
        curve.add(1, training_loss=1.0)
        if error:
            raise error
    assert told == [status]


def test_a_rank_that_does_not_write_writes_nothing(tmp_path):
    other = Curve(tmp_path / "c", 300, writes=False)
    other.add(3, training_loss=1.0)
    other.load({"points": [{"step": 3, "time": 0.0}]})
    other.close()
    assert not (tmp_path / "c").exists()


def test_the_point_before_another_one_follows_from_steps_and_validations(tmp_path):
    curve = Curve(tmp_path, 1000, writes=False)
    assert [curve.before(step, [(17, 0.5), (33, 0.4)]) for step in (10, 33, 34, 40, 41, 50)] == [0, 30, 33, 33, 40, 40]


def test_a_line_says_how_far_a_slow_training_is(tmp_path, monkeypatch):
    said, now = [], [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    curve = Curve(tmp_path, 50, writes=True, say=said.append)
    for step in range(1, 7):
        now[0] += 12
        curve.add(step, said=step == 1, training_loss=1 / 3, learning_rate=0.00123)
    assert said == ["step     4 of 50: training loss 0.3333, learning rate 0.00123; 0.0833 steps a second"]


@pytest.mark.parametrize(("data", "crc"), [(b"", 0x00000000), (b"123456789", 0xE3069283), (bytes(32), 0x8A9136AA)])
def test_checksums_are_those_of_rfc_3720(data, crc):
    """Its appendix B.4, and the value that catalogues of CRCs give; masked as TensorFlow's crc32c.h has it."""
    masked = ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
    assert int.from_bytes(_checksum(data), "little") == masked


def test_numbers_of_several_bytes_are_those_of_the_encoding():
    """The example of protobuf.dev/programming-guides/encoding."""
    assert _varint(150) == bytes([0x96, 0x01]) and _varint(1) == b"\x01" and _varint(1 << 35)[-1] == 1
