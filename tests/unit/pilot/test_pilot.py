import sys
from pathlib import Path

import pytest

from deeprc.errors import ConfigError
from deeprc.pilot import Pilot, Task
from deeprc.pilot.client import HOOKS, broker_environment, passed_on
from deeprc.pilot.processes import MARK
from deeprc.pilot.resource import resource_config, write_resource_config
from samples.sites import laptop

SITE = laptop()


@pytest.fixture
def environment(tmp_path) -> Path:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "mpiexec").touch()
    return tmp_path


def test_resource_configuration_has_the_real_counts_and_our_launcher(environment):
    config = resource_config(SITE, SITE.partition(), environment=environment, sandbox=Path("/run/sandbox"))
    assert config == {
        "description": "A laptop",
        "default_schema": "local",
        "schemas": {"local": {"job_manager_endpoint": "fork://localhost/", "filesystem_endpoint": "file://localhost/"}},
        "default_remote_workdir": "/run/sandbox",
        "resource_manager": "FORK",
        "agent_config": "default",
        "agent_scheduler": "CONTINUOUS",
        "agent_spawner": "POPEN",
        "launch_methods": {
            "order": ["FORK", "MPIEXEC"],
            "FORK": {},
            "MPIEXEC": {"pre_exec_cached": [f"export PATH={environment}/bin:$PATH"]},
        },
        "cores_per_node": 6,
        "gpus_per_node": 1,
        "mem_per_node": 9000,
        "lfs_path_per_node": "/run/sandbox",
        "lfs_size_per_node": 0,
        "virtenv_mode": "local",
        "rp_version": "installed",
        "fake_resources": False,
    }


def test_resource_configuration_is_written_where_radical_pilot_looks(tmp_path):
    assert write_resource_config(tmp_path, SITE, {"a": 1}) == "deeprc.laptop"
    assert (tmp_path / ".radical/pilot/configs/resource_deeprc.json").read_text() == (
        '{\n "laptop": {\n  "a": 1\n }\n}\n'
    )


def test_everything_that_radical_pilot_writes_goes_to_the_private_folder():
    environment = broker_environment(Path("/run/pilot"), "m", local=True)
    for name in ("HOME", "TMPDIR", "PWD", "RADICAL_BASE", "RADICAL_CONFIG_USER_DIR", "RADICAL_LOG_TGT"):
        assert environment[name].startswith("/run/pilot")
    assert environment[MARK] == "m"
    assert environment["PATH"].startswith(f"{sys.prefix}/bin:")


def test_what_a_shell_would_expand_is_kept_from_radical_pilots_scripts():
    odd = {"MAKEOVERRIDES": "${-*-command-variables-*-}", "PS1": "$(whoami)> ", "OLD": "`date`"}
    assert passed_on({"LANG": "C.UTF-8", "EMPTY": "", **odd}) == {"LANG": "C.UTF-8", "EMPTY": ""}


def test_only_a_pilot_of_this_machine_listens_on_loopback_alone(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/mine")
    local, remote = (broker_environment(Path("/p"), "m", local=local) for local in (True, False))
    assert (local["DEEPRC_LOOPBACK"], remote["DEEPRC_LOOPBACK"]) == ("1", "")
    assert remote["PYTHONPATH"] == f"{HOOKS}:/mine"


def test_size_of_a_pilot(tmp_path):
    pilot = Pilot(SITE, tmp_path, nodes=2, cores=3)
    assert (pilot.cores, pilot.gpus, pilot.active, pilot.ended) == (6, 2, False, False)


@pytest.mark.parametrize("wrong", [{"cores": 0}, {"nodes": 0}, {"runtime": -5}])
def test_a_pilot_of_nothing_is_refused(tmp_path, wrong):
    ((name, count),) = wrong.items()
    with pytest.raises(ConfigError, match=f"a pilot without {name}") as error:
        Pilot(SITE, tmp_path, **wrong)
    assert error.value.found == f"{name} = {count}"


def test_launch_line_of_a_task(tmp_path):
    pilot = Pilot(SITE, tmp_path)
    assert pilot.plan(Task("a", ["run", "it"])).argv == ["run", "it"]
    several = pilot.plan(Task("b", ["run", "it"], ranks=3))
    assert several.argv == [f"{sys.prefix}/bin/mpiexec", "-np", "3", "-f", "{hostfile}", "run", "it"]


def test_nothing_is_written_before_the_start(tmp_path):
    pilot = Pilot(SITE, tmp_path / "pilot")
    pilot.close()
    assert list(tmp_path.iterdir()) == []
