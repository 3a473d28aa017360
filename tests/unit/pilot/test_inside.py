"""What containers see: run by a real shell, with a program in the container's place that tells what it was given."""

from __future__ import annotations

import os
import subprocess
from fnmatch import fnmatch
from pathlib import Path

import pytest

from deeprc.core.errors import ConfigError
from deeprc.core.threads import variables
from deeprc.images import load_catalog
from deeprc.launch import Layout, compose
from deeprc.pilot.inside import KEPT, contained, folders, knows
from deeprc.pilot.worker import startup
from samples.sites import cluster


def run(tmp_path: Path, runtime: dict, environment: dict[str, str], *, keep=(), binds=(), site=None) -> dict[str, str]:
    """The variables that `apptainer` is started with; its words are in `LINE`."""
    where = cluster(runtime={"kind": "apptainer", **runtime}, **(site or {}))
    image = load_catalog().image("rocm6-mpich-ofi")
    plan = compose(where, where.partition(), Layout(2, 1, 1), ["true"], image=image, image_path="/i.sif", placed=True)
    (tmp_path / "apptainer").write_text(f'#!/bin/sh\necho "$@"; env -0 > {tmp_path}/seen\n')
    (tmp_path / "apptainer").chmod(0o755)
    text = contained(where, plan, ["python", "a b"], binds, keep)
    path = f"{tmp_path}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", f"RP_RANK=0; {text}; echo code $? $SECRET"], env={"PATH": path, **environment},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "python a b" in done.stdout
    assert f"code 0 {environment.get('SECRET', '')}".strip() in done.stdout  # the rank's own shell keeps its variables
    seen = dict(row.split("=", 1) for row in (tmp_path / "seen").read_text().split("\0") if row)
    return seen | {"LINE": done.stdout.splitlines()[0]}


def test_a_worker_in_a_container_starts_with_all_that_its_jobs_are_told_and_python_reads_at_its_start():
    """Else no job would take the worker for its own: each would start a cold Python, in silence."""
    told = set(startup.read({**variables(1), "LANG": "C.UTF-8"})) - {"LANG"}
    assert told and {name for name in told if not any(fnmatch(name, pattern) for pattern in KEPT)} == set()


def test_only_what_ranks_need_gets_in(tmp_path):
    hidden = {"SECRET": "s", "PYTHONPATH": "/p", "LD_PRELOAD_X": "1"}
    told = {"PMI_RANK": "1", "SLURM_PROCID": "1", "SLINGSHOT_VNIS": "1310", "FI_X": "1", "ROCR_VISIBLE_DEVICES": "0"}
    told |= {"OPENBLAS_CORETYPE": "Haswell", "NPY_DISABLE_CPU_FEATURES": "AVX2", "TF_ENABLE_ONEDNN_OPTS": "0"}
    seen = run(tmp_path, {}, {**hidden, **told, "MY_JOB": "1"}, keep=["MY_JOB"])
    assert {**told, "MY_JOB": "1"}.items() <= seen.items()
    assert not set(hidden) & set(seen)


def test_names_that_are_no_shells_and_functions_do_not_get_in(tmp_path):
    hidden = {"a-b": "1", "BASH_FUNC_f%%": "() {  :\n}", "LINES": "a\nFI_X=1\n", "-x": "1"}
    assert not {*hidden, "FI_X"} & set(run(tmp_path, {}, hidden))


def test_no_value_stands_on_a_command_line(tmp_path):
    """Every user of the machine reads the words of a program, `env` too."""
    where = cluster(runtime={"kind": "apptainer"})
    image = load_catalog().image("rocm6-mpich-ofi")
    plan = compose(where, where.partition(), Layout(2, 1, 1), ["true"], image=image, image_path="/i.sif", placed=True)
    (tmp_path / "env").write_text('#!/bin/bash\n[[ $1 == -0 ]] && exec env -0\necho "$@"\n')
    (tmp_path / "env").chmod(0o755)
    text = contained(where, plan, ["true"], [], ["A_TOKEN"]).replace("/usr/bin/env", f"{tmp_path}/env")
    given = {"PATH": os.environ["PATH"], "A_TOKEN": "planted", "B_TOKEN": "planted"}
    shown = subprocess.run(["bash", "-c", f"RP_RANK=0; {text}"], env=given, capture_output=True, text=True, check=True)
    assert "-u B_TOKEN" in shown.stdout and "A_TOKEN" not in shown.stdout and "planted" not in shown.stdout


def test_the_site_names_what_else(tmp_path):
    given = {"SECRET": "s", "LICENSE_FILE": "l", "OTHER": "o"}
    assert {"LICENSE_FILE"} == set(given) & set(run(tmp_path, {"environment": ["LICENSE_*"]}, given))
    assert set(given) <= set(run(tmp_path, {"environment": ["*"]}, given))


def test_folders_are_bound_beside_those_that_the_user_names(tmp_path):
    seen = run(tmp_path, {}, {"APPTAINER_BIND": "/mine"}, binds=[Path("/data/a b"), Path("/scratch")])
    assert seen["APPTAINER_BIND"] == "/mine,/data/a b,/scratch"


def test_paths_of_the_site_may_name_variables_that_do_not_get_in(tmp_path):
    """TACC's sites bind $SCRATCH."""
    bound = {"paths": ["$SCRATCH"]}
    seen = run(tmp_path, {}, {"SCRATCH": "/scratch/me"}, site={"binds": bound})
    assert "--bind /scratch/me" in seen["LINE"] and "SCRATCH" not in seen


def test_a_folder_that_cannot_be_named(tmp_path):
    with pytest.raises(ConfigError, match="comma or a colon"):
        run(tmp_path, {}, {}, binds=[Path("/a:b")])


def test_folders_of_files_with_the_targets_of_links(tmp_path):
    work, data = tmp_path / "work", tmp_path / "data"
    for folder in (work / "inner", data):
        folder.mkdir(parents=True)
    (data / "table").touch()
    (work / "link").symlink_to(data / "table")
    found = folders([work, work / "inner" / "a", work / "link", work / "not" / "there"])
    assert found == [data, work]


def test_runtimes_that_are_told():
    assert knows(cluster(runtime={"kind": "apptainer"})) and not knows(cluster(runtime={"kind": "podman-hpc"}))
