"""The table of what is changed in other packages: it fits what is installed, and a version that does not is told."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
from importlib.util import find_spec
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from deeprc.core.errors import ConfigError
from deeprc.pilot import curve, patched
from deeprc.pilot.resource import PATCHES

ROOT = Path(__file__).resolve().parents[3]
TABLE = patched.table()


def test_what_is_installed_is_what_the_changes_were_made_for():
    patched.check()
    assert len({row.module for row in TABLE.TABLE}) == len(TABLE.TABLE) == 15


@pytest.mark.parametrize("row", TABLE.TABLE, ids=lambda row: row.module)
def test_a_row_says_all(row):
    file, _, function = row.change.partition(":")
    assert f"\ndef {function}(module):\n" in (PATCHES / f"{file}.py").read_text()
    assert row.parts and row.tested and row.why and row.instead


def test_every_package_in_the_table_is_pinned():
    """Those whose source is looked at to one version, those whose arguments are to a range."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pins = {each.name: each.specifier for each in map(Requirement, project["dependencies"])}
    for row in TABLE.TABLE:
        assert all(version in pins[row.package] for version in row.tested), row.module
        assert any(pin.operator in ("==", "<") for pin in pins[row.package]), row.module


def test_the_documents_show_the_table():
    text = (ROOT / "docs" / "executor.md").read_text()
    assert "\n".join(f"| `{module}` | {' | '.join(rest)} |" for module, *rest in patched.rows()) in text


def other_host(folder: Path) -> Path:
    """The installed radical.utils, but for one line of its own."""
    shutil.copytree(find_spec("radical.utils").submodule_search_locations[0], folder / "radical" / "utils")
    path = folder / "radical" / "utils" / "host.py"
    path.write_text(path.read_text().replace("return '127.0.0.1'", "return '127.0.0.2'"))
    return folder


SENTENCE = (
    "radical.utils 1.103.1 does not fit: get_hostip of radical.utils.host, which Deep RC changes or relies on,"
    " is another one than in 1.103.1"
)


def test_a_process_of_radical_pilot_that_is_another_one_ends_with_one_sentence(tmp_path):
    path = os.pathsep.join([str(PATCHES), str(other_host(tmp_path))])
    environment = {**os.environ, "PYTHONPATH": path, "HOME": str(tmp_path), "DEEPRC_TOWARDS": "127.0.0.1"}
    command = [sys.executable, "-c", "import radical.utils; print('imported')"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"{SENTENCE}\n")


def test_it_is_refused_before_anything_is_queued(tmp_path, monkeypatch):
    other_host(tmp_path)
    monkeypatch.setattr(TABLE, "folder", lambda row: str(tmp_path))
    patched._problem.cache_clear()
    row = next(row for row in TABLE.TABLE if row.module == "radical.utils.host")
    monkeypatch.setattr(TABLE, "TABLE", [row])
    try:
        with pytest.raises(ConfigError) as error:
            patched.check()
    finally:
        patched._problem.cache_clear()
    assert (error.value.problem, error.value.fix) == (SENTENCE, "pip install radical.utils==1.103.1")


def test_what_is_gone_is_told_as_gone_and_arguments_count_where_these_are_what_is_known(tmp_path):
    row = next(row for row in TABLE.TABLE if row.module == "zmq")
    folder = tmp_path / "zmq" / "sugar"
    folder.mkdir(parents=True)
    head = "class Socket:\n    # sockets\n"
    for text, told in (
        (head + "    def bind(self, addr): ...\n    def connect(self, addr: str) -> None:\n        pass\n", None),
        (head + "    def bind(self, addr): ...\n    def connect(self, addr, timeout=1): ...\n", "connect"),
        (head + "    def bind(self, addr): ...\n", "connect"),
    ):
        (folder / "socket.py").write_text(text)
        problem = TABLE.problem(row, str(tmp_path))
        what = "is another one" if "timeout" in text else "is not there"
        assert (problem is None) if told is None else f"Socket.{told} of zmq.sugar.socket" in problem
        assert told is None or what in problem


def test_the_environments_own_sitecustomize_is_run_too(tmp_path):
    """In a real environment that has one, as coverage's or a facility's, with ours and that of ranks before it.

    Where Python itself runs another one instead (Debian's has its own before all environments), so must ours.
    """
    venv.create(tmp_path / "venv", symlinks=True)
    (site,) = tmp_path.glob("venv/lib/python*/site-packages")
    (site / "sitecustomize.py").write_text("import sys\nsys.facilitys = 'ran ' + __name__\n")
    ranks = PATCHES.with_name("ranks")
    told = "none" if Path(sysconfig.get_path("stdlib"), "sitecustomize.py").exists() else "ran sitecustomize"
    code = "import sys; print(getattr(sys, 'facilitys', 'none'), len(sys.meta_path))"
    for folders in ([], [PATCHES], [ranks], [PATCHES, ranks], [ranks, PATCHES]):
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, folders))}
        command = [tmp_path / "venv" / "bin" / "python", "-c", code]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
        assert (done.stdout, done.stderr) == (f"{told} {3 + len(folders)}\n", ""), folders


def test_radicals_own_setting_says_the_interface(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(PATCHES), "HOME": str(tmp_path), "DEEPRC_TOWARDS": "127.0.0.1"}
    environment["DEEPRC_CURVE"] = str(curve.write(tmp_path))
    program = "import os, radical.utils as ru; print(ru.get_hostip(), os.environ['RADICAL_DEFAULT_IFACE'])\n"
    program += "print(ru.host.get_hostip.__module__)"
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert (done.stdout, done.stderr) == ("127.0.0.1 lo\nradical.utils.host\n", "")
