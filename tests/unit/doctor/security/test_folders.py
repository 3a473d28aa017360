"""Folders with right and wrong modes, and what the doctor says of them."""

import os

import pytest

from deeprc.core.ownership import user
from deeprc.doctor.security import folders as ours
from deeprc.doctor.security import leftovers, programs
from deeprc.doctor.security.place import Place
from deeprc.doctor.security.rights import changeable, closed, exchangeable, outcomes
from deeprc.images.store import Store


def rows(found):
    return [(one.subject, one.status, one.text, one.fix) for one in found]


def test_all_is_well(place):
    top = place.folder.parent
    assert rows(ours.folders(place)) == [
        ("private", "ok", f"{place.folder}: yours alone", None),
        ("runs", "ok", "1 run, 2 keys: yours alone", None),
        ("images", "ok", f"{top}/images: nobody but you and root may change it", None),
        ("cache", "ok", f"{top}/cache: nobody but you and root may change it", None),
    ]


def test_before_any_run(tmp_path, monkeypatch):
    monkeypatch.setenv("DEEPRC_CACHE", str(tmp_path / "cache"))
    (found,) = ours.folders(Place(tmp_path / ".deeprc", [], [], Store(tmp_path / "images", [])))
    text = f"{tmp_path}/.deeprc is not there: no run was started here"
    assert rows([found]) == [("private", "not run", text, "name another one with --folder")]


def test_a_path_that_no_run_is_taken_in(tmp_path, monkeypatch):
    monkeypatch.setenv("DEEPRC_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "my {study}" / ".deeprc"
    (found, _) = ours.folders(Place(folder, [], [], Store(tmp_path / "images", [])))
    problem = "the private folder has signs in its path that RADICAL-Pilot's scripts cannot take: a space { }"
    fix = "name a plain one by --radical-pilot-folder"
    assert rows([found]) == [("private", "failed", f"{folder}: {problem}; a run is refused there", fix)]


def test_folders_and_keys_that_others_can_read(place):
    run = place.runs[0]
    place.folder.chmod(0o755)
    run.chmod(0o750)
    (run / "pilot-1" / "key").chmod(0o644)
    (place.store.folder).chmod(0o777)
    found = [row for row in rows(ours.folders(place)) if row[1] != "ok"]
    text = "{} can be read by others (mode {}; expected {})".format
    key, images = run / "pilot-1" / "key", place.store.folder
    assert found == [
        ("private", "failed", text(place.folder, "0755", "0700"), f"`chmod 700 {place.folder}`"),
        ("runs", "failed", text(run, "0750", "0700"), f"`chmod 700 {run}`"),
        ("runs", "failed", text(key, "0644", "0600"), f"`chmod 600 {key}`"),
        ("images", "failed", f"{images} is writable by everybody (mode 0777)", f"`chmod o-w {images}`"),
    ]


def test_a_private_folder_without_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("DEEPRC_CACHE", str(tmp_path / "cache"))
    (tmp_path / ".deeprc").mkdir(mode=0o700)
    found = ours.folders(Place(tmp_path / ".deeprc", [], [], Store(tmp_path / "images", [])))
    assert rows(found) == [("private", "ok", f"{tmp_path}/.deeprc: yours alone", None)]


def test_a_link_in_place_of_the_private_folder(place, tmp_path):
    place.folder.rename(tmp_path / "real")
    place.folder.symlink_to(tmp_path / "real")
    found = ours.folders(place)[0]
    assert (found.status, found.text) == (
        "failed",
        f"{place.folder} is a link to {tmp_path}/real; expected yours alone ({user(os.geteuid())})",
    )
    assert (
        found.fix == f"{ours.ELSEWHERE}; or, if the link is yours, `rm {place.folder}`, which leaves what it leads to"
    )


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.touch()], ids=["fifo", "file"])
def test_what_is_no_folder_is_told_and_the_other_checks_go_on(tmp_path, monkeypatch, make):
    monkeypatch.setenv("DEEPRC_CACHE", str(tmp_path / "cache"))
    path = tmp_path / ".deeprc"
    make(path)
    path.chmod(0o600)
    place = Place(path, [], [], Store(tmp_path / "images", []))
    fix = f"remove it, or {ours.ELSEWHERE}"
    assert rows(ours.folders(place)) == [
        ("private", "failed", f"{path} is no folder; expected one of yours alone", fix)
    ]
    assert rows(leftovers.secrets(place)) == [("runs", "not run", f"{path} is no folder", None)]


CLOSED = """
from deeprc.doctor.security import CHECKS, look
from pathlib import Path
place = look(Path(sys.argv[1]), None)
for name in ("sockets", "folders", "secrets"):
    for one in CHECKS[name](place):
        if one.subject not in ("cache", "workdir"):
            print(one.subject, one.status, one.text, one.fix, sep="|")
"""


@pytest.mark.requires("root")
def test_a_private_folder_that_is_closed_to_us_is_told_and_the_other_checks_go_on(sticky, stranger):
    (sticky / ".deeprc" / "runs").mkdir(parents=True)
    (sticky / ".deeprc").chmod(0o700)
    modules = ("deeprc.doctor.security", "deeprc.doctor.security.knock")
    environment = {**os.environ, "XDG_CACHE_HOME": str(sticky / "cache")}
    assert stranger.run(CLOSED, sticky / ".deeprc", modules=modules, env=environment).splitlines() == [
        f"pilots|not run|no pilot of {sticky}/.deeprc runs on this machine|None",
        f"private|failed|{sticky}/.deeprc is owned by root; expected yours alone (uid 64023)|{ours.ELSEWHERE};"
        " or have root remove it",
        f"runs|not run|{sticky}/.deeprc is closed to you|None",
    ]


PLANT = """
os.umask(0o022)
os.chdir(sys.argv[1])
os.makedirs("profiles/default")
open("json.py", "w").close()
"""


@pytest.mark.requires("root")
def test_a_working_directory_where_others_put_files(sticky, stranger):
    mine = sticky / "mine"
    mine.mkdir()
    well = f"{mine}: nobody but you and root may write to it, or has"
    assert rows(ours.workdir(mine)) == [("workdir", "ok", well, None)]
    stranger.run(PLANT, sticky)
    mend = "do you trust them? Else remove it before a run"
    assert sorted(rows(ours.workdir(sticky))) == [
        ("workdir", "failed", f"{sticky} is writable by everybody (mode 1777)", "take another folder"),
        ("workdir", "warning", f"{sticky}/json.py belongs to uid 64023", mend),
        ("workdir", "warning", f"{sticky}/profiles belongs to uid 64023", mend),
        ("workdir", "warning", f"{sticky}/profiles/default belongs to uid 64023", mend),
    ]


@pytest.mark.requires("root")
def test_what_belongs_to_others(tmp_path):
    os.chown(tmp_path, 64023, 64023)
    assert list(changeable(tmp_path)) == [
        ("warning", f"{tmp_path} belongs to uid 64023, who may change it", "do you trust them?")
    ]
    assert next(closed(tmp_path))[:2] == ("failed", f"{tmp_path} is owned by uid 64023; expected yours alone (root)")
    assert list(exchangeable(tmp_path / "file")) == [
        (
            "warning",
            f"{tmp_path / 'file'} can be exchanged: {tmp_path} is open to its owner uid 64023",
            "do you trust them with your account? Else choose another place",
        )
    ]


NAMESPACE = """
import ctypes
from pathlib import Path
libc = ctypes.CDLL(None)
libc.prctl(4, 1)  # PR_SET_DUMPABLE: becoming a stranger has closed /proc/self
assert libc.unshare(0x10000000) == 0  # CLONE_NEWUSER
Path("/proc/self/uid_map").write_text("0 64023 1")
usr = Path("/usr")
print([*rights.changeable(usr), *rights.exchangeable(usr)], [(o.status, o.text) for o in programs.namespace()])
"""


@pytest.mark.requires("root")
def test_owners_who_cannot_be_told_in_a_user_namespace_are_one_line(stranger):
    """As in a rootless container: root, who owns /usr, looks like nobody there."""
    names = ("deeprc.doctor.security.rights as rights", "deeprc.doctor.security.programs as programs")
    told = "most users of the machine look like nobody here: of what is theirs, owners were not judged"
    assert stranger.run(NAMESPACE, modules=names) == f"[] {[('warning', told)]}\n"
    assert programs.namespace() == []


def test_a_folder_on_the_way_that_everybody_writes_to(tmp_path):
    tmp_path.chmod(0o777)
    assert list(exchangeable(tmp_path / "folder")) == [
        (
            "failed",
            f"{tmp_path / 'folder'} can be exchanged: {tmp_path} is open to everybody (mode 0777)",
            f"`chmod o-w {tmp_path}`, or another place",
        )
    ]


def test_many_findings_are_cut_off_with_the_grave_ones_first():
    findings = [("warning", f"w{number}", "") for number in range(6)] + [("failed", "f", "fix")]
    found = outcomes("folders", "runs", findings, "well")
    assert [(one.status, one.text) for one in found] == [
        ("failed", "f"), ("warning", "w0"), ("warning", "w1"), ("warning", "w2"), ("warning", "3 more like this")
    ]  # fmt: skip


def test_the_folders_of_path(tmp_path, monkeypatch):
    """One to which everybody may write, one that everybody may make, one that is wherever one stands."""
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o1777)
    missing, fix = tmp_path / "open" / "bin", "take another folder, or take it off PATH"
    monkeypatch.setenv("PATH", f"/usr/bin:{tmp_path / 'open'}::{missing}:tools")
    monkeypatch.delenv("PYTHONPATH", raising=False)
    found = [row for row in rows(programs.programs()) if row[0] == "PATH"]
    relative = "is any folder that you stand in; expected absolute paths only"
    writable = f"{tmp_path / 'open'} is writable by everybody (mode 1777)"
    assert found == [
        ("PATH", "failed", writable, fix),
        ("PATH", "failed", f"'' {relative}", "take it off PATH"),
        ("PATH", "failed", f"{missing} is missing, and {writable}", fix),
        ("PATH", "failed", f"'tools' {relative}", "take it off PATH"),
    ]


def test_the_folders_of_path_are_well(monkeypatch):
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setenv("PYTHONPATH", "/usr/lib")
    found = [row for row in rows(programs.programs()) if row[0].endswith("PATH")]
    assert found == [
        ("PATH", "ok", "2 folders, all yours or root's", None),
        ("PYTHONPATH", "ok", "1 folders, all yours or root's", None),
    ]


def test_site_files_that_others_may_write(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "site.yaml").touch()
    (tmp_path / "here" / "site.yaml").chmod(0o666)
    monkeypatch.setenv("DEEPRC_SITES", str(tmp_path))
    (found,) = [row for row in rows(programs.programs()) if row[0] == "site files"]
    path = tmp_path / "here" / "site.yaml"
    assert found[1:] == ("failed", f"{path} is writable by everybody (mode 0666)", f"`chmod o-w {path}`")


@pytest.mark.parametrize(
    ("mask", "status", "text"),
    [
        (0o000, "failed", "0000: everybody may change what you make; expected 022"),
        (0o002, "warning", "0002: your group may change what you make; expected 022"),
        (0o022, "ok", "0022: nobody else may change what you make"),
        (0o077, "ok", "0077: nobody else may change what you make"),
    ],
)
def test_the_umask(mask, status, text):
    before = os.umask(mask)
    try:
        (found,) = programs.umask()
    finally:
        os.umask(before)
    assert (found.status, found.text) == (status, text)
