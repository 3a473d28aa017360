"""Whose a file is, who may exchange it, and folders that another user has planted."""

import os
import stat
from pathlib import Path

import pytest

from deeprc.core.ownership import (
    OtherWriter,
    OwnershipError,
    fault,
    is_foreign,
    open_to,
    private,
    require_writable,
    user,
    writers,
)

FIX = "name another one by --folder"
PLANT = """
place = sys.argv[1]
os.mkdir(f"{place}/folder", 0o755)
os.mkdir(f"{place}/open")
os.chmod(f"{place}/open", 0o777)
os.symlink(f"{place}/open", f"{place}/link")
os.symlink(sys.argv[2], f"{place}/way")
"""


@pytest.fixture
def planted(sticky, stranger):
    """A folder as /tmp, in which a stranger was before us; a link of his there leads to a folder of ours."""
    (sticky.parent / "own").mkdir(mode=0o755)
    stranger.run(PLANT, sticky, sticky.parent / "own")
    return sticky


@pytest.mark.requires("root")
@pytest.mark.parametrize(
    ("name", "found"),
    [("folder", "owned by uid 64023"), ("open", "owned by uid 64023"), ("link", "a link to {place}/open")],
)
def test_what_a_stranger_has_planted_is_refused(planted, name, found):
    with pytest.raises(OwnershipError) as told:
        private(planted / name, fix=FIX)
    assert told.value.found == found.format(place=planted)
    assert str(planted / name) in str(told.value)
    assert told.value.fix.startswith(FIX), "what he can do himself comes first"
    if name == "link":
        assert told.value.fix == f"{FIX}; or, if the link is yours, `rm {planted}/link`, which leaves what it leads to"


@pytest.mark.requires("root")
@pytest.mark.parametrize("way", ["folder", "open", "link", "way"])
def test_nor_is_a_folder_made_where_he_may_exchange_it(planted, way):
    with pytest.raises(OwnershipError, match=r"somebody else could exchange this\n.*uid 64023, who owns"):
        private(planted / way / "ours", fix=FIX)


@pytest.mark.requires("root")
def test_beside_them_a_folder_is_ours_alone(sticky, stranger):
    folder = private(sticky / "above" / "ours", fix=FIX)
    assert private(folder, fix=FIX) == folder
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert not [writer for writer in writers(folder) if writer.anybody]
    (folder / "secret").write_text("x")
    code = """
for attack in (os.listdir, os.rmdir, lambda path: os.rename(path, path + "2"), lambda path: open(path + "/secret")):
    try:
        attack(sys.argv[1])
    except PermissionError:
        print("no")
"""
    assert stranger.run(code, folder) == "no\n" * 4


@pytest.mark.requires("root")
def test_where_everybody_may_write_without_the_sticky_bit_it_is_refused(sticky):
    sticky.chmod(0o777)
    with pytest.raises(OwnershipError, match=rf"found: {sticky} is open to everybody \(mode 0777\)"):
        private(sticky / "ours", fix=FIX)


def test_an_own_folder_that_others_may_write_to_is_refused(tmp_path):
    folder = private(tmp_path / "ours", fix=FIX)
    folder.chmod(0o757)
    with pytest.raises(OwnershipError, match=r"writable by everybody \(mode 0757\)\n(.*\n)*.*chmod go= "):
        private(folder, fix=FIX)


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OwnershipError, match="not a folder"):
        private(tmp_path / "file", fix=FIX)


@pytest.mark.requires("root")
def test_who_is_not_root_has_folders_of_his_own_and_none_of_roots(sticky, stranger):
    (sticky / "roots").mkdir(mode=0o777)
    (sticky / "closed").mkdir(mode=0o700)
    code = """
from pathlib import Path
from deeprc.core.ownership import OwnershipError, private, require_private
print(private(Path(sys.argv[1], "a", "b"), fix="").stat().st_mode & 0o777 == 0o700)
try:
    private(Path(sys.argv[1], "roots"), fix="another")
except OwnershipError as error:
    print(error.found)
    print(error.fix)
try:
    require_private(Path(sys.argv[1], "closed", "x"), fix="another")
except OwnershipError as error:
    print(error.found)
"""
    assert stranger.run(code, sticky, modules=("deeprc.core.ownership",)) == (
        "True\nowned by root\nanother; or have root remove it\nin a folder that is closed to you\n"
    )


def test_where_a_folder_would_be_below_a_file_nothing_stands(tmp_path):
    (tmp_path / "file").touch()
    assert fault(tmp_path / "file" / "x") is None


@pytest.mark.requires("root")
def test_a_project_of_a_group_is_told_and_may_be_used(tmp_path):
    project = tmp_path / "project"
    project.mkdir()
    os.chown(project, 64023, 64024)
    project.chmod(0o2775)
    assert fault(project) == "owned by uid 64023"
    folder = private(project / "ours", fix=FIX)
    assert [each for each in writers(folder) if each.place == project] == [
        OtherWriter(project, "its owner uid 64023", False),
        OtherWriter(project, "its group gid 64024 (mode 2775)", False),
    ]


@pytest.mark.requires("root")
def test_whose_a_file_is(tmp_path):
    file = tmp_path / "file"
    assert fault(file) is None
    file.touch(0o600)
    assert fault(file) is None and open_to(file.stat()) is None
    file.chmod(0o660)
    assert fault(file) is None, "root's group has nobody else"
    os.chown(file, 0, 64024)
    file.chmod(0o660)
    assert fault(file) == "writable by its group gid 64024 (mode 0660)"
    os.chown(file, 64023, 64024)
    assert is_foreign(file.stat())
    assert user(0) == "root"


@pytest.mark.requires("root")
def test_what_root_owns_is_as_good_for_reading(stranger):
    code = "print(fault('/etc/passwd'), fault('/etc/passwd', root=True), sep='\\n')"
    printed = stranger.run(f"from deeprc.core.ownership import fault\n{code}", modules=("deeprc.core.ownership",))
    assert printed == "owned by root\nNone\n"


def test_links_that_lead_in_circles_end(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert [each for each in writers(Path(tmp_path, "a", "x")) if each.anybody] == []


def test_a_file_system_that_is_read_only_is_told(tmpfs):
    place = tmpfs("1m", "ro")
    with pytest.raises(OwnershipError, match=rf"{place}: you may not write here\n  found: .* mounted read-only\n"):
        require_writable(place / "new" / "er", fix=FIX)
