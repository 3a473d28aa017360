"""What files hold, whatever their times say."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from deeprc.core import contents
from deeprc.core.contents import MANY, Contents, named
from deeprc.core.errors import InputError


@pytest.fixture
def kept(tmp_path, monkeypatch) -> Path:
    """Where sums are remembered; files count as settled at once."""
    monkeypatch.setattr(contents, "SETTLED", 0)
    (tmp_path / ".snakemake").mkdir()
    return tmp_path / contents.KEPT


def written(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    time.sleep(0.02)  # older than "now" by more than the clock's tick
    return path


def test_an_older_file_that_took_the_place_is_seen_whatever_copies_keep(tmp_path, kept):
    """`cp -p` of an older file of the same size: neither size nor a newer time tells; touched, it is the same."""
    old, data = written(tmp_path / "old.csv", "a,1\n"), written(tmp_path / "data.csv", "a,2\n")
    os.utime(old, ns=(10**18, 10**18))
    os.utime(data, ns=(2 * 10**18, 2 * 10**18))
    first = Contents(kept).of(named([data]))
    data.touch()
    time.sleep(0.02)
    assert Contents(kept).of(named([data])) == first
    os.utime(data, ns=(2 * 10**18, 2 * 10**18))
    time.sleep(0.02)
    Contents(kept).of(named([data]))
    shutil.copy2(old, data)
    os.utime(data, ns=(2 * 10**18, 2 * 10**18))  # and even the very same time
    assert Contents(kept).of(named([data])) == {"data.csv": Contents(kept).of(named([old]))["old.csv"]} != first


def test_a_file_is_read_once(tmp_path, kept, monkeypatch):
    data = written(tmp_path / "data.csv", "a,2\n")
    first = Contents(kept).of(named([data]))
    monkeypatch.setattr(contents.hashlib, "file_digest", None)
    assert Contents(kept).of(named([data])) == first
    kept.write_text("[broken")
    with pytest.raises(TypeError):
        Contents(kept).of(named([data]))


def test_a_file_that_changed_just_now_is_not_remembered(tmp_path, kept, monkeypatch):
    """It may change once more within the same tick of the clock, with the same size."""
    monkeypatch.setattr(contents, "SETTLED", 60)
    Contents(kept).of(named([written(tmp_path / "data.csv", "a,2\n")]))
    assert not kept.exists()


def test_files_of_a_folder_are_known_by_their_place_in_it_and_hidden_ones_are_nobodys(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("one/a.txt", "one/b/a.txt", "one/._a.txt", "one/.git/x", "two/a.txt"):
        written(tmp_path / name, name)
    (tmp_path / "one" / "b" / "loop").symlink_to(tmp_path / "one")
    assert list(named([tmp_path / "one"])) == ["a.txt", "b/a.txt"]
    both = named([tmp_path / "one" / "a.txt", tmp_path / "two" / "a.txt"])
    assert list(both) == ["a.txt", str(tmp_path / "two" / "a.txt")]
    assert Contents().of(named([tmp_path / "one"])).keys() == {"a.txt", "b/a.txt"}
    assert not Path(".snakemake/deeprc").exists()


def test_many_files_have_one_sum_that_every_one_of_them_is_in(tmp_path):
    files = [written(tmp_path / "d" / f"{i}.txt", "x") for i in range(MANY + 1)]
    first = Contents().of(named([tmp_path / "d"]))
    assert list(first) == [f"{MANY + 1} files"]
    files[3].rename(tmp_path / "d" / "renamed.txt")
    assert Contents().of(named([tmp_path / "d"])) != first


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(InputError, match=r"gone\.csv: cannot read this file: No such file"):
        Contents().of(named([tmp_path / "gone.csv"]))
