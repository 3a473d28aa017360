"""The folder of a run, where another user was before."""

import stat
from pathlib import Path

import pytest

from deeprc.core.ownership import OwnershipError
from snakemake_executor_plugin_radical_pilot.runs import RunFolder

PLANTS = {
    ".deeprc": "os.mkdir('.deeprc')",
    ".deeprc, closed to others": "os.mkdir('.deeprc', 0o755)",
    ".deeprc as a link": "os.mkdir('x'); os.symlink('x', '.deeprc')",
    ".snakemake": "os.mkdir('.snakemake')",
    ".snakemake as a link": "os.mkdir('x'); os.symlink('x', '.snakemake')",
}


@pytest.mark.requires("root")
@pytest.mark.parametrize("plant", PLANTS.values(), ids=PLANTS)
def test_in_a_sticky_folder_what_a_stranger_has_planted_is_refused(sticky, stranger, monkeypatch, plant):
    stranger.run(f"os.umask(0)\nos.chdir(sys.argv[1])\n{plant}", sticky)
    monkeypatch.chdir(sticky)
    with pytest.raises(OwnershipError, match=r"uid 64023|a link to x"):
        RunFolder(Path(".deeprc")).check()
    if ".deeprc" in plant:
        with pytest.raises(OwnershipError):
            RunFolder(Path(".deeprc")).create()


@pytest.mark.parametrize("name", [".deeprc", ".deeprc/runs"])
@pytest.mark.parametrize("what", ["open", "link"])
def test_so_is_our_own_where_others_may_write_or_that_is_a_link(tmp_path, monkeypatch, name, what):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".deeprc").mkdir()
    (tmp_path / "elsewhere").mkdir()
    if what == "open":
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name).chmod(0o722)
        expected = r"writable by everybody \(mode 0722\)(.*\n)*.*chmod go= "
    else:
        (tmp_path / name).rmdir() if name == ".deeprc" else None
        (tmp_path / name).symlink_to(tmp_path / "elsewhere")
        expected = rf"a link to {tmp_path}/elsewhere(.*\n)*.*--radical-pilot-folder"
    for refuse in (lambda run: run.check(), lambda run: run.create()):
        with pytest.raises(OwnershipError, match=expected):
            refuse(RunFolder(Path(".deeprc")))


def test_what_is_made_is_closed_to_others_whatever_the_umask(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = RunFolder(Path("a", "private"))
    run.check()
    run.create()
    run.private.write(run.private.environment, b"NAME=value\0")
    run.check()
    made = [run.path.parent.parent, run.path.parent, run.path]
    assert [stat.S_IMODE(path.stat().st_mode) for path in made] == [0o700] * 3
    assert stat.S_IMODE(run.private.environment.stat().st_mode) == 0o600
    with pytest.raises(FileExistsError):
        run.create()
