"""What readers say of a folder that is no longer what a stage left."""

from __future__ import annotations

import os
from pathlib import Path

import polars as pl
import pytest

from deeprc.applications.base.prepared import PARTS, check_parts, read_arrow, read_frame, seal
from deeprc.core.errors import InputError
from deeprc.core.files import write_json

PART = "frame.arrow/part-00001.arrow"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A prepared folder of two parts of three rows."""
    made = tmp_path / "prepared"
    (made / "frame.arrow").mkdir(parents=True)
    for number in range(2):
        frame = pl.DataFrame({"value": [10 * number + row for row in range(3)]})
        frame.write_ipc(made / f"frame.arrow/part-{number:05}.arrow", compression="uncompressed")
    write_json(made / "meta.json", {"rows": 6})
    seal(made)
    return made


def told(folder: Path) -> InputError:
    with pytest.raises(InputError) as caught:
        check_parts(folder)
    return caught.value


def test_a_whole_folder_is_read_with_its_rows(folder):
    (folder / ".snakemake_timestamp").touch()
    (folder / "frame.arrow" / "._part-00000.arrow").write_text("a Mac's")
    listed = check_parts(folder)
    assert {name: about.get("rows") for name, about in listed.items()} == {
        "frame.arrow/part-00000.arrow": 3, PART: 3, "meta.json": None,
    }  # fmt: skip
    assert read_frame(folder, "frame.arrow")["value"].to_pylist() == [0, 1, 2, 10, 11, 12]


def test_a_part_that_is_missing_is_named(folder):
    size = (folder / PART).stat().st_size
    (folder / PART).unlink()
    assert str(told(folder)) == (
        f"{folder / PART}: this part is missing\n"
        f"  found: 2 of the 3 files of {folder}\n"
        f"  expected: 3 rows, {size:,} bytes\n"
        f"  fix: make it anew: `snakemake … --forcerun {folder}`"
    )


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


def flip(path: Path) -> None:
    """One bit, as a bad disk would."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def grow(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\n")


@pytest.mark.parametrize("name", [PART, "meta.json"])
@pytest.mark.parametrize(
    ("damage", "problem", "found"),
    [
        (cut, "this part was cut off", " bytes"),
        (flip, "this part was changed after it was written", " bytes of other content"),
        (grow, "this part was changed after it was written", " bytes"),
    ],
)
def test_a_part_that_was_changed_is_named(folder, name, damage, problem, found):
    damage(folder / name)
    error = told(folder)
    assert (error.where, error.problem) == (folder / name, problem)
    assert error.found == f"{(folder / name).stat().st_size:,}{found}"


def test_a_part_of_another_run_is_named(folder):
    other = folder / "frame.arrow" / "part-00002.arrow"
    other.write_bytes((folder / PART).read_bytes())
    assert (told(folder).where, told(folder).problem) == (
        other, "this file is one too many: the stage has not written it",
    )  # fmt: skip


def test_a_folder_without_its_list_and_a_list_that_was_cut(folder, tmp_path):
    os.truncate(folder / PARTS, 9)
    assert (told(folder).where, told(folder).problem) == (folder / PARTS, "cannot read this file: not whole JSON")
    (folder / PARTS).unlink()
    assert told(folder).where == folder / PARTS and "earlier version" in told(folder).fix
    assert told(tmp_path / "none").problem == "no such folder"


@pytest.mark.parametrize("content", [b"", b"ARROW1", b"not Arrow at all, but long enough to be looked at"])
def test_an_arrow_file_that_is_none_is_named(tmp_path, content):
    path = tmp_path / "NHITS.arrow"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_arrow(path)
    assert caught.value.where == path and caught.value.problem == "cannot read this file: not a whole Arrow file"
    assert caught.value.found.startswith(f"{len(content)} bytes; ")


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.99])
def test_an_arrow_file_that_was_cut_is_named(folder, kept):
    os.truncate(folder / PART, int((folder / PART).stat().st_size * kept))
    with pytest.raises(InputError, match="not a whole Arrow file"):
        read_arrow(folder / PART)
    (folder / PART).unlink()
    with pytest.raises(InputError, match="missing"):
        read_arrow(folder / PART)
