"""A virtual environment over a Spack view sees the view's packages: the mechanism, with a view that Python makes."""

from __future__ import annotations

import ensurepip
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from deeprc.spack.build import PROGRAMS

LOCK = "probe==2.0 \\\n    --hash=sha256:00\nPlain_one==1.0 \\\n    --hash=sha256:11\nnew==1.0\n"


def package(folder: Path, name: str, pure: str) -> None:
    (folder / f"{name}.py").write_text("answer = 42\n")
    (folder / f"{name}-1.0.dist-info").mkdir()
    (folder / f"{name}-1.0.dist-info" / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (folder / f"{name}-1.0.dist-info" / "WHEEL").write_text(f"Root-Is-Purelib: {pure}\n")


@pytest.fixture(scope="module")
def joined(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The folder, and the environment's Python: what the printed commands do."""
    root = tmp_path_factory.mktemp("a folder")
    view, venv = root / "view", root / "venv"
    for folder, python in ((view, sys.executable), (venv, view / "bin" / "python3")):
        subprocess.run([python, "-m", "venv", "--without-pip", folder], check=True)
    packages = Path(sysconfig.get_path("purelib", "posix_prefix", {"base": str(view), "platbase": str(view)}))
    package(packages, "probe", "false")
    package(packages, "plain_one", "true")
    (packages / "inner").mkdir()
    (packages / "inner" / "nested.py").write_text("answer = 43\n")
    (packages / "nested.pth").write_text("inner\n")
    # Where Python has pip's wheel: Debian's has all wheels in a folder of its own.
    places = Path(ensurepip.__file__).parent / "_bundled", Path(sysconfig.get_config_var("WHEEL_PKG_DIR") or "")
    wheel = next(file for place in places for file in place.glob("pip-*.whl"))
    zipfile.ZipFile(wheel).extractall(packages)
    (root / "lock.txt").write_text(LOCK)
    python = venv / "bin" / "python"
    assert subprocess.run([python, "-c", "import probe"], capture_output=True).returncode == 1  # spack-packages#472
    subprocess.run([python, PROGRAMS / "join.py", view, root / "lock.txt", root / "needed.txt"], check=True)
    return root, python


def test_the_environment_sees_what_is_in_the_view(joined) -> None:
    """Before, `--system-site-packages` over the view's Python saw the packages of the Python below it: none."""
    _, python = joined
    code = "import probe, plain_one, nested; print(probe.answer + nested.answer)"
    assert subprocess.run([python, "-c", code], capture_output=True, text=True).stdout == "85\n"


def test_pip_is_the_views_and_installs_into_the_environment(joined) -> None:
    _, python = joined
    shown = subprocess.run([python, "-m", "pip", "show", "probe"], capture_output=True, text=True).stdout
    assert "Version: 1.0" in shown
    code = "import pip._internal.locations as l; print(l.get_scheme('x').purelib)"
    where = subprocess.run([python, "-c", code], capture_output=True, text=True).stdout
    assert where.startswith(str(python.parents[1]))


def test_no_wheel_stands_before_what_is_compiled_in_the_view(joined) -> None:
    root, _ = joined
    assert (root / "needed.txt").read_text() == LOCK[LOCK.index("Plain") :]


def test_a_view_of_another_python_is_an_error(joined, tmp_path) -> None:
    root, python = joined
    (tmp_path / "lib" / "python3.1" / "site-packages").mkdir(parents=True)
    done = subprocess.run(
        [python, PROGRAMS / "join.py", tmp_path, root / "lock.txt", tmp_path / "n"], capture_output=True
    )
    assert done.returncode == 1
    assert b"the view has no packages for Python" in done.stderr
