import os
import subprocess

import psutil
import pytest

from deeprc.doctor.probe.say import heard
from deeprc.doctor.ranks import MODULE_FAILED, Case, plan, script, start
from deeprc.images.catalog import load_catalog
from deeprc.launch import Layout
from deeprc.sites import load_site
from deeprc.sites.software import Runtime


@pytest.fixture
def case():
    site = load_site("localhost")
    return Case(site, site.partition(), Layout(ranks=2), patience=60)


def test_the_line_is_that_of_any_task_and_logging_goes_the_way_of_the_sites_settings(case):
    made = plan(case, "world", ["speed"], logging={"UCX_LOG_LEVEL": "info"})
    assert made.launcher[1:] == ["-np", "2"]
    assert made.command[1:] == ["-P", "-m", "deeprc.doctor.probe.world", "60", "speed"]
    assert made.environment["UCX_LOG_LEVEL"] == "info"
    assert "UCX_LOG_LEVEL" not in plan(case, "world", []).environment


def test_an_image_that_is_older_than_the_doctor_gets_its_probes(case):
    image = load_catalog().image("cpu")
    site = case.site.model_copy(update={"runtime": Runtime(kind="apptainer")})
    made = plan(Case(site, case.partition, case.layout, image, "/images/x.sif"), "world", [])
    assert not made.refused
    assert "/images/x.sif" in made.runtime and made.command[0] == "python"
    assert any(word.endswith("/app/deeprc:/opt/deeprc-doctor/deeprc:ro") for word in made.runtime)
    assert made.environment["APPTAINERENV_PYTHONPATH"] == "/opt/deeprc-doctor"


def test_accelerators_limit_the_ranks(case):
    part = case.partition
    facts = part.model_dump(exclude_none=True)
    with_gpu = type(part).model_validate(facts | {"accelerator": {"vendor": "nvidia", "model": "x", "count": 1}})
    layout = Case(case.site, with_gpu, Layout(ranks=4, nodes=2)).with_gpus(1).layout
    assert (layout.ranks, layout.gpus_per_rank, layout.nodes) == (2, 1, 2)


def test_a_module_that_cannot_be_loaded_ends_it(case):
    site = case.site.model_copy(update={"modules": ["no-such/1.0"]})
    made = plan(Case(site, case.partition, case.layout), "world", [])
    text = script(made)
    assert (
        f"module load no-such/1.0 || {{ echo 'deeprc: module load no-such/1.0 failed' >&2; exit {MODULE_FAILED}; }}"
        in text
    )
    ours = {**os.environ, "BASH_FUNC_module%%": "() { return 1; }"}  # a system of modules that knows none
    done = subprocess.run(["bash", "-c", text], env=ours, capture_output=True, text=True, timeout=60)
    assert done.returncode == MODULE_FAILED and "deeprc: module load no-such/1.0 failed" in done.stderr


def test_nothing_that_was_started_outlives_the_limit(case, tmp_path):
    """Processes in sessions of their own, which the launcher's process group does not hold."""
    script_path = tmp_path / "mpiexec"
    script_path.write_text(f'#!/bin/bash\ntrap "" TERM\nsetsid sleep 300 & echo $! > {tmp_path}/pid\nwait\n')
    script_path.chmod(0o755)
    launcher = case.site.launcher.model_copy(update={"program": str(script_path)})
    site = case.site.model_copy(update={"launcher": launcher})
    done = start(plan(Case(site, case.partition, case.layout), "world", []), 2)
    assert done.code is None
    left = int((tmp_path / "pid").read_text())
    assert not psutil.pid_exists(left) or psutil.Process(left).status() == psutil.STATUS_ZOMBIE


def test_what_ranks_say_is_heard_between_all_else():
    said = (
        'x\nDEEPRC-PROBE {"kind": "rank", "rank": 1}\n[0] DEEPRC-PROBE {"kind": "rank", "rank": 0}\nDEEPRC-PROBE {"ki\n'
    )
    assert [one["rank"] for one in heard(said)] == [1, 0]
