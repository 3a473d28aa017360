"""What a facility publishes, loaded in fresh login shells by Lmod and by Environment Modules."""

from __future__ import annotations

import json
import os
import platform
import sys
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from conftest import ROOT
from deeprc.commands.module import app
from deeprc.images import load_catalog, sif
from deeprc.images.store import Store
from deeprc.launch.images import verdicts
from deeprc.sites import load_site
from samples.sites import PLAIN

NEW, OLD = "0.2.0", "0.1.0"


def test_available_with_its_default(shell, prefix):
    done = shell.run(f"module use {prefix}/modulefiles; module -t avail deeprc; module load deeprc; module -t list")
    lines = done.stdout.split()
    assert f"deeprc/{OLD}" in lines
    assert any(line.startswith(f"deeprc/{NEW}") for line in lines)
    assert lines[-1] == f"deeprc/{NEW}"


def test_help_and_whatis(shell, prefix):
    done = shell.run(f"module use {prefix}/modulefiles; module whatis deeprc/{OLD}; module help deeprc/{OLD}")
    assert "data engineering and deep learning" in done.stdout
    assert "snakemake --profile site/localhost" in done.stdout


def test_load_and_unload_leave_no_trace(shell, prefix):
    script = f"""
        module use {prefix}/modulefiles
        show() {{ env | grep -E '^(PATH|DEEPRC_|XDG_)' | sort > "$1"; }}
        show before; module load deeprc; show loaded; module unload deeprc; show after
        diff before after && echo same
    """
    assert shell.run(script).stdout.strip() == "same"
    loaded = dict(line.split("=", 1) for line in (shell.home / "loaded").read_text().splitlines())
    release = f"{prefix}/releases/{NEW}"
    assert loaded["PATH"].startswith(f"{release}/bin:")
    assert {name: value for name, value in loaded.items() if name.startswith("DEEPRC_")} == {
        "DEEPRC_SITE": "localhost",
        "DEEPRC_SITES": f"{release}/site-configs",
        "DEEPRC_CATALOG": f"{release}/containers/catalog.yaml",
        "DEEPRC_SPACK_ENV": f"{release}/spack-env",
        "DEEPRC_PROFILES": f"{release}/profiles",
        "DEEPRC_SHARED_IMAGES": f"{prefix}/images",
    }


def test_swap_and_a_second_version(shell, prefix):
    done = shell.run(
        f"module use {prefix}/modulefiles; module load deeprc; module swap deeprc deeprc/{OLD}; command -v deeprc"
    )
    assert done.stdout.splitlines()[-1] == f"{prefix}/releases/{OLD}/bin/deeprc"
    done = shell.run(
        f"module use {prefix}/modulefiles; module load deeprc/{OLD}; module load deeprc/{NEW}; module -t list"
    )
    loaded = [line for line in done.stdout.splitlines() if line.startswith("deeprc/")]
    if shell.system == "lmod":  # changes to the second one, and says so
        assert "reloaded with a version change" in done.stdout
        assert loaded == [f"deeprc/{NEW}"]
    else:  # refuses the second one
        assert "conflict" in done.stdout
        assert loaded == [f"deeprc/{OLD}"]


def test_commands_work_from_an_empty_folder(shell, prefix):
    """With the variables that another Python's module sets, which would break ours."""
    done = shell.run(
        f"module use {prefix}/modulefiles; module load deeprc; export PYTHONPATH=/nowhere PYTHONHOME=/nowhere\n"
        "deeprc sites | grep -c localhost && deeprc image list && snakemake --profile site/localhost -n && echo planned"
    )
    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines()[-1] == "planned"
    assert "forecasting_train" in done.stdout


@pytest.mark.requires("setpriv")
def test_a_user_runs_a_pipeline_with_nothing_else(shell, prefix):
    """Data fetched and prepared through a pilot; nothing below the prefix can be written by the user."""
    before = {path: path.lstat().st_mtime_ns for path in prefix.rglob("*")}
    owned = [path for path in [prefix, *prefix.rglob("*")] if not path.is_symlink()]
    if os.geteuid() == 0:
        for path in owned:
            os.chown(path, 65533, 65533)
    else:
        for path in owned:
            path.chmod(path.stat().st_mode & ~0o222)
    try:
        done = shell.run(
            f"touch {prefix}/mine; module use {prefix}/modulefiles; module load deeprc\n"
            "snakemake --profile site/localhost --config pipelines='[forecasting]' --until forecasting_prepare",
            timeout=300,
            powerless=True,
        )
    finally:
        for path in owned:
            if os.geteuid() == 0:
                os.chown(path, 0, 0)
            else:
                path.chmod(path.stat().st_mode | 0o200)
    assert "Permission denied" in done.stdout.splitlines()[0]
    assert done.returncode == 0, done.stdout
    assert (shell.home / "results" / "forecasting" / "prepared" / "meta.json").is_file()
    assert {path: path.lstat().st_mtime_ns for path in prefix.rglob("*")} == before


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A site whose modules are `use` of a folder and a module in it."""
    folder = tmp_path / "sites" / "example"
    folder.mkdir(parents=True)
    data = PLAIN | {
        "name": "example",
        "description": 'quotes " and $HOME and [brackets] and {braces} and \\',
        "modules": [f"use {tmp_path}/modules", "toolchain/12"],
    }
    (folder / "site.yaml").write_text(yaml.safe_dump(data))
    (folder / "config.yaml").write_text("jobs: 1\n")
    return folder


@pytest.fixture
def published(site: Path, tmp_path: Path, deeprc) -> Path:
    """That site's prefix, its modulefiles written for the Deep RC that runs the tests."""
    done = deeprc("write", "--site", site, "--prefix", tmp_path / "apps")
    assert done.returncode == 0, done.stderr
    return tmp_path / "apps"


def test_a_module_that_is_missing_is_named(shell, published):
    done = shell.run(f"module use {published}/modulefiles; module load deeprc; command -v deeprc || echo none")
    assert "toolchain/12" in done.stdout
    assert done.stdout.splitlines()[-1] == "none"


def test_modules_of_the_site_come_and_go(shell, published, tmp_path):
    folder = tmp_path / "modules" / "toolchain"
    folder.mkdir(parents=True)
    (folder / "12").write_text("#%Module1.0\nsetenv TOOLCHAIN 12\n")
    done = shell.run(
        f"module use {published}/modulefiles; module load deeprc; echo ${{TOOLCHAIN-none}}\n"
        "module unload deeprc; echo ${TOOLCHAIN-none}"
    )
    assert [word for word in done.stdout.split() if word in ("12", "none")] == ["12", "none"]
    done = shell.run(f"module use {published}/modulefiles; module help deeprc")
    assert 'quotes " and $HOME and [brackets] and {braces} and \\' in done.stdout


def test_profile_of_a_site_of_ones_own(shell, published, tmp_path):
    (tmp_path / "modules" / "toolchain").mkdir(parents=True)
    (tmp_path / "modules" / "toolchain" / "12").write_text("#%Module1.0\n")
    (shell.home / "Snakefile").write_text("rule one:\n    output: 'x'\n    shell: 'touch x'\n")
    done = shell.run(
        f"module use {published}/modulefiles; module load deeprc; snakemake --profile site/example --executor dryrun"
    )
    assert "Using profile site/example" in done.stdout


@pytest.fixture(scope="module")
def imaged(tmp_path_factory) -> tuple[Path, str, Path]:
    """A prefix with a release and, in its folder of images, one that runs here, and two that do not."""
    folder, site = tmp_path_factory.mktemp("imaged") / "apps", "localhost-apptainer"

    def module(command: str, version: str = NEW):
        words = [command, "--site", site, "--prefix", str(folder), "--version", version]
        return CliRunner().invoke(app, words)  # no process of its own: the shells' are enough

    assert not module("write").exception
    assert "no image for a module here" in str(module("images").exception)
    rows = verdicts(load_catalog(ROOT / "containers" / "catalog.yaml"), load_site(site))
    (name,) = [row["name"] for row in rows if row["chosen"]]
    refused = next(row["name"] for row in rows if row["verdict"] == "refuse")
    store = Store(folder / "images", [])
    helds = []
    for each in (name, refused, "mine"):
        (store.folder / ".new.tmp").write_bytes(each.encode())
        digest = sif.digest(store.folder / ".new.tmp")
        helds.append(store.adopt(store.folder / ".new.tmp", each, platform.machine(), digest, source="built"))
    done = module("images")
    assert not done.exception, done.exception
    assert done.stdout.split() == [f"{folder}/modulefiles/deeprc/{NEW}-{name}{end}" for end in (".lua", "")]
    assert f"no module for {refused}: " in done.stderr and "no module for mine: not an image of" in done.stderr
    assert "did you mean" in str(module("images", "0.2.1").exception)
    return folder, name, helds[0].path


def test_a_module_per_image_chooses_it(shell, imaged):
    """What is found by keyword; the image that every command then takes; a word where its file is gone."""
    folder, name, path = imaged
    use, module = f"module use {folder}/modulefiles", f"deeprc/{NEW}-{name}"
    done = shell.run(
        f"{use}; module keyword hydrology; module whatis {module}; module load {module}\n"
        "echo $DEEPRC_IMAGE $DEEPRC_IMAGE_FILE; command -v deeprc\n"
        "DEEPRC_IMAGE=cpu-nothing deeprc plan --site localhost-apptainer; deeprc plan --site localhost-apptainer --json"
    )
    lines = done.stdout.splitlines()
    assert any(word in line for line in lines[:9] for word in (f"{module}:", f"{module}  ", "deeprc: ")), done.stdout
    assert "Category: workflows" in done.stdout and f"in the image {name}" in done.stdout
    assert f"{name} {path}" in lines and f"{folder}/releases/{NEW}/bin/deeprc" in lines
    assert "unknown image 'cpu-nothing'" in done.stdout
    assert json.loads(done.stdout[done.stdout.index("\n{") :])["image"] == name
    aside = path.rename(path.with_suffix(".aside"))
    done = shell.run(f"{use}; module load {module}; echo ${{DEEPRC_IMAGE-none}}")
    aside.rename(path)
    assert f"the image {path} is not there any more" in " ".join(done.stdout.split())
    assert done.stdout.splitlines()[-1] == "none"
    if shell.system == "lmod":
        said = shell.run(f"{use}; module spider {module}").stdout
        assert f"in the image {name}" in said


def test_an_update_is_tried_before_it_is_the_default(shell, deeprc, tmp_path):
    """As docs/facility.md says: install beside, try, switch; a version that is there already is refused."""
    folder, common = tmp_path / "apps", ("install", "--site", "localhost", "--prefix", tmp_path / "apps")
    use = f"module use {folder}/modulefiles"
    assert deeprc(*common, "--venv", sys.prefix, "--version", OLD).returncode == 0
    assert deeprc(*common, "--venv", sys.prefix, "--version", NEW, "--no-default").returncode == 0
    assert shell.run(f"{use}; module load deeprc; module -t list").stdout.split()[-1] == f"deeprc/{OLD}"
    tried = shell.run(f"{use}; module load deeprc/{NEW}; command -v deeprc")
    assert tried.stdout.strip() == f"{folder}/releases/{NEW}/bin/deeprc"
    assert deeprc("default", NEW, "--prefix", folder).returncode == 0
    assert shell.run(f"{use}; module load deeprc; module -t list").stdout.split()[-1] == f"deeprc/{NEW}"
    assert deeprc("list", "--prefix", folder).stdout.split("\n")[:2] == [OLD, f"{NEW} (default)"]
    again = deeprc(*common, "--venv", sys.prefix, "--version", NEW)
    assert again.returncode == 2
    assert "is published there already" in again.stderr


def test_switch_while_users_load(shell, deeprc, tmp_path):
    """A default changes from one moment to the next: no shell that loads meanwhile fails."""
    folder = tmp_path / "apps"
    for version in (OLD, NEW):
        assert deeprc("write", "--site", "localhost", "--prefix", folder, "--version", version).returncode == 0
    loads = "; ".join(["module load deeprc; echo $DEEPRC_SITE; module purge"] * 8)
    switch = f"""
        for i in 1 2 3 4; do
          {sys.executable} -c 'import sys; from pathlib import Path; from deeprc.modules import release
for version in ("{OLD}", "{NEW}") * 50: release.set_default(Path(sys.argv[1]), version)' {folder}
        done & module use {folder}/modulefiles; {loads}; wait
    """
    done = shell.run(switch)
    assert done.stdout.split() == ["localhost"] * 8
    assert deeprc("default", OLD, "--prefix", folder).returncode == 0
    assert f"deeprc/{NEW} is the default again" in deeprc("rollback", "--prefix", folder).stdout
    assert (
        shell.run(f"module use {folder}/modulefiles; module load deeprc; module -t list")
        .stdout.split()[-1]
        .endswith(NEW)
    )
