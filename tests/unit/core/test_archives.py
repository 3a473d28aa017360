"""Archives of others: by Python's own filter, and by the same rules where Python has none yet."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from deeprc.core.archives import unpack


@pytest.fixture(params=["as it is", "without a filter"])
def folder(request, tmp_path, monkeypatch) -> Path:
    if request.param == "without a filter":
        monkeypatch.delattr(tarfile, "data_filter", raising=False)
    return tmp_path / "there"


def archive(path: Path, *members: tuple[str, bytes, str]) -> tarfile.TarFile:
    """One of members with a name, a kind, and a content or the target of a link."""
    with tarfile.open(path, "w") as tar:
        for name, kind, content in members:
            member = tarfile.TarInfo(name)
            member.type, member.mode, member.uid, member.uname = kind, 0o6777, 4242, "nobody-here"
            member.linkname = content if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE) else ""
            data = content.encode() if kind == tarfile.REGTYPE else b""
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return tarfile.open(path)


def test_all_of_it_is_there(folder, tmp_path):
    kinds = (("d", tarfile.DIRTYPE, ""), ("d/a", tarfile.REGTYPE, "text"), ("d/l", tarfile.SYMTYPE, "../d/a"))
    with archive(tmp_path / "a.tar", *kinds, ("h", tarfile.LNKTYPE, "d/a")) as tar:
        unpack(tar, folder)
    assert [(folder / name).read_text() for name in ("d/a", "d/l", "h")] == ["text"] * 3
    assert (folder / "d/l").is_symlink()
    assert (folder / "d/a").stat().st_mode & 0o7022 == 0  # no setuid, nothing that others write
    assert (folder / "d/a").stat().st_uid == tmp_path.stat().st_uid


@pytest.mark.parametrize(
    "members",
    [
        [("../out", tarfile.REGTYPE, "x")],
        [("a/../../out", tarfile.REGTYPE, "x")],
        [("l", tarfile.SYMTYPE, "..")],
        [("l", tarfile.SYMTYPE, "/etc")],
        [("h", tarfile.LNKTYPE, "../mine")],
        [("b", tarfile.SYMTYPE, "."), ("c", tarfile.SYMTYPE, "b/.."), ("c/out", tarfile.REGTYPE, "x")],
        [("pipe", tarfile.FIFOTYPE, "")],
    ],
)  # fmt: skip
def test_nothing_is_written_outside_of_the_folder(folder, tmp_path, members):
    (tmp_path / "mine").write_text("mine")
    with archive(tmp_path / "a.tar", *members) as tar, pytest.raises(tarfile.TarError):
        unpack(tar, folder)
    assert {path.name for path in tmp_path.iterdir()} - {"there"} == {"a.tar", "mine"}
