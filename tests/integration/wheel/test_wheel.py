"""What `pip install` of our two wheels gives, in an environment and a folder of its own: the checkout is out of sight.

The packages that Deep RC needs are those of the tests' environment, seen by a path file, so that nothing heavy is
installed twice; Deep RC and the executor are the wheels', with the programs of that environment beside them.
"""

from __future__ import annotations

import csv
import importlib.metadata
import json
import math
import os
import shutil
import subprocess
import sys
import zipfile
from datetime import datetime, timedelta
from email import message_from_bytes
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

import environments

ROOT = Path(__file__).resolve().parents[3]
PLUGIN = ROOT / "app" / "snakemake_executor_plugin_radical_pilot"
PIP = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
PLAN = ["deeprc", "plan", "--site", "frontera", "--nodes", 2, "--ranks", 112]
EVIL = "oras://evil.example.org/deeprc/cpu"


class Place:
    """An environment with the wheels, and an empty folder to work in."""

    def __init__(self, folder: Path) -> None:
        self.wheels, self.venv, self.here = folder / "wheels", folder / "venv", folder / "here"
        self.here.mkdir()
        built = ["wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", self.wheels, ROOT, PLUGIN]
        subprocess.run([*PIP, *built], check=True)
        self.deeprc, self.plugin = (
            next(self.wheels.glob(f"{name}-*.whl")) for name in ("deeprc", "snakemake_executor_plugin_radical_pilot")
        )
        self.packages = environments.make(self.venv)
        ours = ["--python", self.venv / "bin" / "python", "install", "--no-deps", "--no-index"]
        subprocess.run([*PIP, *ours, self.deeprc, self.plugin], check=True)
        environments.equip(self.venv)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("DEEPRC_", "PYTHON"))}
        self.environment = kept | {
            "PATH": f"{self.venv}/bin:/usr/bin:/bin",
            "VIRTUAL_ENV": str(self.venv),
            "XDG_CONFIG_HOME": str(folder),  # no profile of the user's
        }

    def run(self, *words: object, folder: Path | None = None, **variables: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [str(self.venv / "bin" / str(words[0])), *map(str, words[1:])], cwd=folder or self.here,
            env=self.environment | variables, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300,
        )  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Place:
    return Place(tmp_path_factory.mktemp("wheel"))


def metadata(wheel: Path):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return message_from_bytes(archive.read(name))


def test_what_runs_is_the_wheels(place):
    code = "import deeprc, snakemake_executor_plugin_radical_pilot as plugin, sys"
    code += "; print(deeprc.__file__, plugin.__file__, *sys.path)"
    deeprc, plugin, *path = place.run("python", "-c", code).stdout.split()
    assert deeprc.startswith(f"{place.packages}/") and plugin.startswith(f"{place.packages}/")
    assert not [entry for entry in path if Path(entry) in (ROOT, ROOT / "app")]
    told = place.run("deeprc", "--version").stdout
    assert told == f"deeprc {metadata(place.deeprc)['Version']}\n"
    check = subprocess.run([*PIP, "--python", place.venv / "bin/python", "check"], capture_output=True, text=True)
    assert check.returncode == 0, check.stdout  # the wheels ask for nothing that the locks do not have


def test_the_wheel_has_what_git_has(place):
    """Not more (what is generated beside it), not less."""
    folders = ("site-configs", "workflows", "containers", "spack-env")
    listed = subprocess.run(["git", "-C", ROOT, "ls-files", "-z", *folders], capture_output=True, text=True)
    with zipfile.ZipFile(place.deeprc) as archive:
        names = archive.namelist()
    if listed.returncode == 0:
        shipped = {name.removeprefix("deeprc/share/") for name in names if name.startswith("deeprc/share/")}
        assert shipped >= {name for name in listed.stdout.split("\0") if name and (ROOT / name).exists()}
    assert {"deeprc/share/workflows/schemas/config.schema.json", "deeprc/reporting/templates/report.css"} <= {*names}
    assert not [name for name in names if "snakemake_executor" in name or "__pycache__" in name]


def test_sites_plan_and_doctor_in_an_empty_folder(place):
    sites = place.run("deeprc", "sites", "--json")
    assert (sites.returncode, sites.stderr) == (0, "") and "frontera" in [
        each["name"] for each in json.loads(sites.stdout)
    ]
    plan = place.run(
        "deeprc", "plan", "--site", "frontera", "--nodes", 2, "--ranks", 112, "--image", "none", "--", "true"
    )
    assert (plan.returncode, plan.stderr) == (0, "") and "ibrun" in plan.stdout
    doctor = place.run("deeprc", "doctor", "--site", "localhost", "--checks", "machine,world", "--json")
    assert doctor.returncode == 0, doctor.stdout + doctor.stderr
    assert {"machine", "world"} <= {check["check"] for check in json.loads(doctor.stdout)["checks"]}
    built = place.run("deeprc", "image", "build", "cpu")
    assert built.returncode == 2 and "building images needs a checkout of the project" in built.stderr


def test_a_catalog_and_sites_that_lie_about_are_not_trusted(place, tmp_path):
    """Somebody's catalog, with a digest and an address of his, and his frontera, in the working directory and above."""
    share = place.packages / "deeprc" / "share"
    for top in (tmp_path, tmp_path / "below"):
        shutil.copytree(share / "containers", top / "containers")
        catalog = yaml.safe_load((share / "containers" / "catalog.yaml").read_text())
        for image in catalog["images"]:
            image |= {"uri": EVIL, "digests": {image["architectures"][0]: f"sha256:{'6' * 64}"}, "key": None}
        (top / "containers" / "catalog.yaml").write_text(yaml.safe_dump(catalog))
        evil = yaml.safe_load((share / "site-configs/localhost/site.yaml").read_text())
        (top / "site-configs" / "frontera").mkdir(parents=True)
        (top / "site-configs/frontera/site.yaml").write_text(yaml.safe_dump(evil | {"name": "frontera"}))
    below = tmp_path / "below"
    right = place.run(*PLAN, "--json", "--", "true")
    found = place.run(*PLAN, "--json", "--", "true", folder=below)
    assert found.stdout == right.stdout and '"ibrun"' in right.stdout
    assert f"note: {below}/containers/catalog.yaml is not read" in found.stderr
    assert f"note: {below}/site-configs/frontera/site.yaml is not read" in found.stderr
    listed = place.run("deeprc", "image", "list", "--json", folder=below)
    assert listed.returncode == 0 and "6" * 64 not in listed.stdout and EVIL not in listed.stdout
    asked = place.run(
        "deeprc", "--sites", "site-configs", "plan", "--site", "frontera", "--image", "none", "--", "true", folder=below
    )
    assert asked.returncode == 0 and "launch\n  true\n" in asked.stdout
    also = place.run("deeprc", "image", "list", "--json", folder=below, DEEPRC_CATALOG="containers/catalog.yaml")
    assert EVIL in also.stdout  # as asked for


@pytest.mark.timeout(300)
def test_a_study_ends_with_a_report(place):
    """`deeprc init`, own data, and Snakemake: our stages and the user's rule, as tasks of a pilot."""
    made = place.run(
        "deeprc", "init", "study", "--application", "forecasting", "--site", "localhost", "--site", "frontera", "--json"
    )
    assert made.returncode == 0, made.stderr
    told, study = json.loads(made.stdout), place.here / "study"
    assert told["missing"] == [] and {*told["files"]} == {
        str(path.relative_to(study)) for path in study.rglob("*") if path.is_file()
    }
    rows = [
        f"{datetime(2020, 1, 1) + timedelta(hours=hour)},{10 + 5 * math.sin(hour / 3.82):08.3f}" for hour in range(300)
    ]
    (study / "data" / "mine.csv").write_text("\n".join(["date,load", *rows]) + "\n")
    config = yaml.safe_load((study / "config" / "config.yaml").read_text())
    small = {"dataset": "ett", "path": "data/mine.csv", "target": "load", "horizon": 4, "input_size": 12, "steps": 2}
    config |= {"forecasting": small | {"models": ["GRU"]}}
    config["mine"]["digits"] = 2
    (study / "config" / "config.yaml").write_text(yaml.safe_dump(config))
    other = place.run("snakemake", "--profile", "site/frontera", "--executor", "dryrun", "-n", folder=study)
    assert other.returncode == 0 and "\nsummary  " in other.stdout, other.stderr
    (study / "typer.py").write_text("raise SystemExit('planted')")  # no stage imports from the study's folder
    done = place.run("snakemake", "--profile", "site/localhost", folder=study)
    assert done.returncode == 0, done.stderr
    assert f"Report: {study}/results/report.html" in done.stderr.splitlines()
    assert "finished: summarize the metrics" in done.stderr
    metrics = json.loads((study / "results" / "metrics.json").read_text())
    mae = metrics["forecasting"]["models"]["GRU"]["mae"]
    with (study / "results" / "summary.csv").open() as file:
        assert dict(csv.reader(file))["forecasting.models.GRU.mae"] == f"{mae:.2g}"
    run = json.loads((study / "results" / "run.json").read_text())
    modules = {
        task["command"].partition(" -P -m ")[2].split()[0] for task in run["tasks"] if " -P -m " in task["command"]
    }
    assert {"prepare", "train", "predict", "evaluate"} <= {module.rpartition(".")[2] for module in modules}
    with (study / "workflow" / "scripts" / "summary.py").open("a") as file:
        file.write("# edited\n")
    edited = place.run("snakemake", "--profile", "site/localhost", "-n", folder=study)
    assert "workflow/scripts/summary.py is newer" in edited.stdout and "_prepare" not in edited.stdout, edited.stdout
    snakefile = study / "workflow" / "Snakefile"
    whole = snakefile.read_text()
    snakefile.write_text(whole + "\n\nuse rule report from pipelines with:\n    message:\n        'mine'\n")
    one = place.run("snakemake", "--profile", "site/localhost", "-n", folder=study)
    assert one.returncode == 1 and "error: single rules of Deep RC's workflow cannot be taken" in one.stderr, one.stderr
    snakefile.write_text(whole)
    config["forecasting"]["horizn"] = 3
    (study / "config" / "config.yaml").write_text(yaml.safe_dump(config))
    wrong = place.run("snakemake", "--profile", "site/localhost", "-n", folder=study)
    assert wrong.returncode == 1 and "did you mean 'horizon'?" in wrong.stderr and "config/config.yaml:" in wrong.stderr


def test_the_executors_wheel_alone(place, tmp_path):
    """Its metadata as Snakemake's catalog of plugins wants them, and the plugin as Snakemake finds it."""
    about = metadata(place.plugin)
    assert about["Name"] == "snakemake-executor-plugin-radical-pilot" and about["License-Expression"] == "MIT"
    assert about["Version"] == metadata(place.deeprc)["Version"] and about["Summary"] and about["Author"]
    assert {"snakemake", "plugin", "executor"} <= {*about["Keywords"].split(",")}
    title, empty, *text = about.get_payload().splitlines()  # the catalog leaves out the first two lines
    assert title.startswith("# ") and not empty and len(text) > 5
    needed = {Requirement(line).name for line in about.get_all("Requires-Dist")}
    assert needed >= {"deeprc", "snakemake", "snakemake-interface-common", "snakemake-interface-executor-plugins"}
    target = [*PIP, "install", "--no-deps", "--no-index", "--target", tmp_path, place.plugin]
    subprocess.run(target, check=True)
    assert {path.name.partition("-")[0] for path in tmp_path.iterdir()} == {"snakemake_executor_plugin_radical_pilot"}
    code = (
        "import json; from snakemake_interface_executor_plugins.registry import ExecutorPluginRegistry as Registry;"
        " plugin = Registry().get_plugin('radical-pilot');"
        " found = plugin.get_settings_info();"
        " print(json.dumps([each | {'type': getattr(each['type'], '__name__', None)} for each in found]))"
    )  # what the catalog shows, in the way in which it asks
    settings = json.loads(place.run("python", "-c", code).stdout)
    assert {"site", "partition", "nodes"} <= {setting["name"] for setting in settings}
    assert all(setting["help"] for setting in settings)
    shown = place.run("snakemake", "--help").stdout
    assert "--radical-pilot-site" in shown and "radical-pilot" in shown.partition("--executor")[2][:400]
    assert importlib.metadata.version("snakemake-executor-plugin-radical-pilot")  # make install has it, too
