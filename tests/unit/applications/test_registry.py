"""Guests: what other packages offer under the entry point group, and what is refused of it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import BaseModel

from deeprc.applications.config import Config
from deeprc.applications.registry import MINE, NAME, TAKEN, applications, looked_at
from deeprc.core import needs

GUEST = """
from deeprc.applications.base.application import Application
from pathlib import Path
from pydantic import BaseModel

class Options(BaseModel):
    depth: int = 3

class Guest(Application):
    name = "guest"
    configuration = Options
    def own(self, options): return []
    def preparing(self, options): return {}
    def trained(self, options): return options.model_dump()
    def products(self, folder, record): return {folder / "metrics.json": record}

APPLICATION = Guest()
NO_APPLICATION = 3
class Taken(Guest):
    name = "results"
TAKEN = Taken()
class Mine(Guest):
    name = "mine"
MINE = Mine()
class Method(Guest):
    name = "check_data"
METHOD = Method()
class Folder(Guest):
    name = "data"
FOLDER = Folder()
class Json(Guest):
    name = "json"
JSON = Json()
class Needs(BaseModel):
    depth: int
class Demanding(Guest):
    configuration = Needs
DEMANDING = Demanding()
class Ruled(Guest):
    rules = Path("/not/there.smk")
RULED = Ruled()
class Halved(Guest):
    preparing = Application.preparing
HALVED = Halved()
class Wider(Halved):
    class preparation(BaseModel):
        width: int = 3
WIDER = Wider()
"""
OWN = "an application cannot be called so: its name would be a key of the configuration, which has it already\n"
UNLIKE = "an application cannot be called so\n  found: name 'guest', entry point "
SHOW = """
from deeprc.applications.config import load_config
from deeprc.core.errors import DeepRCError
try:
    config = load_config({"pipelines": ["guest"], "guest": {"depth": 4}})
    (made,) = config.applications()
    print(made.package, config.options(made), config.forecasting.horizon)
except DeepRCError as error:
    print(error)
"""


def install(folder: Path, points: dict[str, str], package: str = "guest_package") -> None:
    """What pip leaves of a package with these entry points."""
    module = folder / package / "application.py"
    module.parent.mkdir(parents=True, exist_ok=True)
    (module.parent / "__init__.py").touch()
    module.write_text(GUEST)
    about = folder / f"{package}-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package.replace('_', '-')}\nVersion: 1.0\n")
    lines = [f"{name} = {package}.application:{member}" for name, member in points.items()]
    (about / "entry_points.txt").write_text("\n".join(["[deeprc.applications]", *lines]) + "\n")


def said(folder: Path) -> str:
    command = [sys.executable, "-c", SHOW]
    return subprocess.run(command, env={"PYTHONPATH": str(folder)}, capture_output=True, text=True, check=True).stdout


def test_ours_are_found():
    assert {name: made.package for name, made in applications().items()} == {
        "forecasting": "deeprc.applications.forecasting",
        "hydrology": "deeprc.applications.hydrology",
    }


def test_a_guest_has_its_key_in_the_configuration(tmp_path):
    install(tmp_path, {"guest": "APPLICATION"})
    assert said(tmp_path) == "guest_package depth=4 24\n"


@pytest.mark.parametrize(
    ("points", "problem"),
    [
        ({"guest": "ABSENT"}, "this application cannot be imported"),
        ({"guest": "NO_APPLICATION"}, "this is no application"),
        ({"results": "TAKEN"}, OWN),
        ({"mine": "MINE"}, OWN),  # a study keeps this key from the pipelines
        ({"check_data": "METHOD"}, OWN),
        ({"data": "FOLDER"}, OWN),
        ({"json": "JSON"}, OWN),  # of pydantic's models
        *(({name: "APPLICATION"}, UNLIKE + f"'{name}'\n") for name in ("other", "Guest", "the guest")),
        ({"guest": "DEMANDING"}, "keys of this application have no default that fits"),
        ({"guest": "RULED"}, "the rules of this application are not there"),
        ({"guest": "HALVED"}, "this application says nothing of its preparation"),
        ({"guest": "WIDER"}, "options of this application's preparation are not in its configuration"),
    ],
)
def test_what_is_wrong_with_a_guest_is_told_with_its_package(tmp_path, monkeypatch, points, problem):
    (member,) = points.values()
    number = sum(map(ord, next(iter(points))))
    package = f"guest_{member.lower()}_{number}"  # of this process: each has a name of its own
    install(tmp_path, points, package)
    monkeypatch.syspath_prepend(tmp_path)
    sound, broken = looked_at.__wrapped__()
    where = f"{package}.application:{member} of the package {package.replace('_', '-')}"
    assert {*sound} == {"forecasting", "hydrology"} and [*broken] == [*points]
    (name,), (said,) = points, map(str, broken.values())
    assert said.startswith(f"{where}: {problem}")
    assert problem != OWN or f", {name}, " in said


def test_a_guest_that_ends_the_process_is_told_and_ctrl_c_ends_it(tmp_path, monkeypatch):
    for package, ending in (("ends", "raise SystemExit(0)"), ("interrupted", "raise KeyboardInterrupt")):
        folder = tmp_path / package
        install(folder, {"guest": "APPLICATION"}, package)
        (folder / package / "application.py").write_text(ending)
        with monkeypatch.context() as patch:
            patch.syspath_prepend(folder)
            if package == "interrupted":
                with pytest.raises(KeyboardInterrupt):
                    looked_at.__wrapped__()
            else:
                assert str(looked_at.__wrapped__()[1]["guest"]) == (
                    "ends.application:APPLICATION of the package ends: this application cannot be imported\n"
                    "  found: SystemExit: 0\n"
                    "  fix: mend the package, or uninstall it"
                )
                assert "ends" in needs.packages()  # a report of others names its package all the same


def test_no_application_can_be_called_as_what_the_configuration_has_already():
    own = {name for name in vars(Config) if NAME.fullmatch(name)} | {*Config.model_fields, MINE}
    assert {name for name in own - {*TAKEN} if not hasattr(BaseModel, name)} == set()


TWICE = """
import sys
from deeprc.applications.config import load_config
from deeprc.core.errors import ConfigError
for asked in ({"pipelines": "hydrology"}, {"pipelines": "forecasting"}, {"pipelines": "hydrology", "guest": {}}, {}):
    try:
        print(load_config(asked).pipelines)
    except ConfigError as error:
        print(error.problem, error.found)
"""


def test_two_of_one_name_and_one_that_is_broken_stop_only_who_uses_them(tmp_path):
    """By its name, by a key of its options, or with all that there are."""
    install(tmp_path, {"guest": "ABSENT"})
    install(tmp_path, {"forecasting": "APPLICATION"}, package="second")
    command = [sys.executable, "-c", TWICE]
    done = subprocess.run(command, env={"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, check=True)
    both = "deeprc.applications.forecasting.application:APPLICATION of the package deeprc and "
    assert done.stdout.splitlines() == [
        "['hydrology']",
        f"2 applications are called 'forecasting' {both}second.application:APPLICATION of the package second",
        "this application cannot be imported"
        " AttributeError: module 'guest_package.application' has no attribute 'ABSENT'",
        "['hydrology']",
    ]
    listed = [str(Path(sys.executable).with_name("deeprc")), "applications"]
    done = subprocess.run(listed, env={"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True)
    assert done.returncode == 2 and "guest        guest-package 1.0: cannot be used" in done.stdout, done.stdout
    assert done.stderr.count("error: ") == 2 and "2 applications are called 'forecasting'" in done.stderr


RESTLESS = """
import locale, os, signal, sys
print("loud", file=sys.__stdout__), os.system("echo of another process")
os.environ["LEFT"], sys.path[:0] = "behind", ["/first"]
os.environ.pop("KEPT")
sys.path.append("/last")
os.umask(0o007), signal.signal(signal.SIGUSR1, signal.SIG_IGN), locale.setlocale(locale.LC_ALL, "C.UTF-8")
"""
STATE = """
import locale, os, signal, sys
state = lambda: (os.getcwd(), dict(os.environ), list(sys.path), os.umask(0o022), signal.getsignal(signal.SIGUSR1),
                 locale.setlocale(locale.LC_ALL))
before = state()
from deeprc.applications.registry import broken
from deeprc.core import needs
needs.packages()  # whoever loads it first
print(broken().get("guest"))
after = state()
assert after[2][: len(before[2])] == before[2], after[2]
assert (*after[:2], *after[3:]) == (*before[:2], *before[3:]), (before, after)
"""


@pytest.mark.parametrize("file", ["__init__.py", "application.py", None])
def test_what_the_import_of_a_guest_does_to_the_process_is_undone(tmp_path, file):
    """All of it; one that changes the working directory cannot be used, whichever of its modules does."""
    install(tmp_path, {"guest": "APPLICATION"})
    (tmp_path / "guest_package" / "application.py").write_text(RESTLESS + GUEST)
    if file:
        with (tmp_path / "guest_package" / file).open("a") as module:
            module.write("\nimport os\nos.chdir('/')\n")
    environment = {"PYTHONPATH": str(tmp_path), "KEPT": "", "PATH": os.environ["PATH"]}
    done = subprocess.run([sys.executable, "-c", STATE], env=environment, capture_output=True, text=True, cwd=tmp_path)
    module = "guest_package" if file == "__init__.py" else "guest_package.application"
    wrong = (
        "guest_package.application:APPLICATION of the package guest-package: this application cannot be imported\n"
        f"  found: ImportError: {module} changes the working directory when it is imported\n"
        "  fix: mend the package, or uninstall it"
    )
    assert (done.returncode, done.stdout) == (0, f"{wrong if file else None}\n"), done.stderr
    assert file == "__init__.py" or sorted(done.stderr.splitlines()) == ["loud", "of another process"]
