"""The command line, run as a user runs it."""

import json
import os
import re
import resource
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import jsonschema
import pytest
import yaml

DEEPRC = Path(sys.executable).parent / "deeprc"
ROOT = Path(__file__).parents[2]


def deeprc(*arguments: str, folder: Path = ROOT) -> subprocess.CompletedProcess:
    return subprocess.run(
        [DEEPRC, *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=folder,
        env={**os.environ, "COLUMNS": "200"},
    )


def test_plan_as_json_has_the_documented_keys():
    done = deeprc(
        "plan", "--site", "frontera", "--nodes", "2", "--ranks", "112", "--json", "--", "python", "-m", "stage"
    )
    assert done.returncode == 0, done.stderr
    plan = json.loads(done.stdout)
    kinds = {"site": str, "partition": str, "image": str, "verdict": str, "reason": str, "argv": list, "env": dict}
    kinds |= {"modules": list, "binds": list, "scheduler_options": list}
    assert {key: type(plan[key]) for key in kinds} == kinds
    assert plan["argv"][0] == "ibrun"
    assert plan["argv"][-3:] == ["python", "-m", "stage"]


def test_a_plan_that_cannot_work_ends_with_3_and_its_reason():
    done = deeprc("plan", "--site", "frontier", "--image", "cylon", "--json")
    assert done.returncode == 3
    assert json.loads(done.stdout)["verdict"] == "refuse"
    assert json.loads(done.stdout)["argv"] == []
    assert "different ABI families" in done.stderr
    assert "fix: take an image of the mpich family" in done.stderr


def test_an_option_that_is_given_twice_is_refused_unless_it_may_be_repeated():
    done = deeprc("plan", "--site", "frontera", "--site=frontier")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: --site is given 2 times\n  expected: one value\n  fix: name one\n"
    plan = deeprc("plan", "--site", "frontera", "--json", "--json", "--", "stage", "--site", "a", "--site", "b")
    assert plan.returncode == 0, plan.stderr


def test_a_plan_takes_less_than_a_second():
    times = []
    for _ in range(3):
        start = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert (
            deeprc("plan", "--site", "frontier", "--nodes", "4", "--ranks", "32", "--gpus-per-rank", "1").returncode
            == 0
        )
        end = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(end.ru_utime + end.ru_stime - start.ru_utime - start.ru_stime)
    assert min(times) < 1, times  # of a processor: by the clock it would be a test of how busy this machine is


def test_a_plan_runs_nothing_and_writes_nothing(tmp_path):
    env_sites = ROOT / "site-configs" / "frontera" / "site.yaml"
    done = deeprc(
        "plan", "--site", str(env_sites), "--image", "none", "--", "touch", str(tmp_path / "ran"), folder=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--site", "fronterra"], "did you mean 'frontera'?"),
        (["--site", "frontera", "--partition", "clz"], "did you mean 'clx'?"),
        (["--site", "frontera", "--image", "cpuu"], "did you mean 'cpu'?"),
        (["--site", "frontera", "--ranks", "57"], "57 usable cores per node: more than there are"),
        (["--site", "frontera", "--nodes", "4", "--ranks", "2"], "2 ranks cannot lie on 4 nodes"),
        (
            ["--site", "frontera", "--gpus-per-rank", "5"],
            "5 accelerators per node, but no partition of frontera has them",
        ),
    ],
)
def test_what_cannot_be_asked_for(arguments, message):
    done = deeprc("plan", *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stdout == ""


def test_sites_as_json():
    rows = {row["name"]: row for row in json.loads(deeprc("sites", "--json").stdout)}
    frontera = rows["frontera"]
    assert (frontera["status"], frontera["scheduler"], frontera["launcher"]) == ("active", "slurm", "ibrun")
    assert frontera["accelerators"] == ["Quadro RTX 5000"]
    assert frontera["mpi_family"] == "mpich"
    assert "InfiniBand" in frontera["interconnect"]


def test_the_schema_for_editors_accepts_every_shipped_site_and_refuses_an_unknown_key():
    schema = json.loads(deeprc("site", "schema").stdout)
    check = jsonschema.Draft202012Validator(schema)
    for path in sorted((ROOT / "site-configs").glob("*/site.yaml")):
        facts = json.loads(json.dumps(yaml.safe_load(path.read_text()), default=str))
        assert [error.message for error in check.iter_errors(facts)] == [], path
    assert not check.is_valid({**facts, "schedular": "slurm"})


@pytest.mark.parametrize(
    "arguments",
    [("site", "pages", "--out"), ("module", "write", "--site", "anvil", "--prefix"), ("site", "detect", "--draft")],
    ids=" ".join,
)
def test_a_folder_that_cannot_be_made_is_told_in_one_line(arguments, tmp_path):
    (tmp_path / "file").touch()
    done = deeprc(*arguments, str(tmp_path / "file" / "inside"))
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert str(tmp_path / "file") in done.stderr
    assert "Traceback" not in done.stderr


def test_this_checkout_is_what_is_tested():
    """An environment that was copied from another checkout's would test that one, in silence."""
    import deeprc as package

    assert Path(package.__file__).is_relative_to(ROOT)


def test_images_have_the_command_line_without_what_holds_pilots():
    """`deeprc --help` reads the modules of all commands; an image has neither Snakemake nor the pilot's engine."""
    absent = ["zmq", "radical", "psij", "snakemake", "snakemake_interface_executor_plugins"]
    script = f"import sys; sys.modules.update(dict.fromkeys({absent})); from deeprc.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", script, "--help"], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0 and "init" in done.stdout, done.stderr


def test_the_version_is_that_of_the_installation():
    done = deeprc("--version")
    assert done.stdout == f"deeprc {version('deeprc')}\n" and re.match(r"deeprc \d+\.\d+", done.stdout)


GET = {"_TYPER_COMPLETE_FISH_ACTION": "get-args"}


@pytest.mark.parametrize(
    ("shell", "typed", "found"),
    [
        ("bash", {"COMP_WORDS": "deeprc comp", "COMP_CWORD": "1"}, "completion"),
        ("zsh", {"_TYPER_COMPLETE_ARGS": "deeprc plan --site front"}, "frontier"),
        (
            "fish",
            {"_TYPER_COMPLETE_ARGS": "deeprc init --app", "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
            "--application",
        ),
    ],
)
def test_shells_complete_commands_options_and_sites(shell, typed, found):
    script = deeprc("completion", shell)
    assert script.returncode == 0 and "_DEEPRC_COMPLETE" in script.stdout
    asked = {**os.environ, **typed, "_DEEPRC_COMPLETE": f"complete_{shell}"}
    done = subprocess.run([DEEPRC], capture_output=True, text=True, timeout=300, env=asked)
    assert found in done.stdout, done.stderr


def test_bash_itself_completes():
    """The script, as bash reads it, and what bash then asks."""
    lines = 'eval "$(deeprc completion bash)"; COMP_WORDS=(deeprc pl); COMP_CWORD=1; _deeprc_completion deeprc; '
    lines += "echo ${COMPREPLY[*]}"
    path = f"{DEEPRC.parent}:{os.environ['PATH']}"
    done = subprocess.run(["bash", "-c", lines], capture_output=True, text=True, env=os.environ | {"PATH": path})
    assert done.stdout.split() == ["plan"], done.stderr
