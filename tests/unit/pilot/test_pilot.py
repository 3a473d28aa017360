import os
import subprocess
import sys
from pathlib import Path

import psutil

from deeprc.pilot.client import broker_environment
from deeprc.pilot.processes import MARK, marked, sweep
from deeprc.pilot.resource import resource_config, write_resource_config
from deeprc.sites import Partition, Site

SITE = Site(
    name="laptop",
    description="A laptop",
    contact="me",
    url="none",
    scheduler="fork",
    launcher="mpiexec",
    interconnect="shared memory",
    partitions=[Partition(name="local", cores=6, memory_mb=9000, gpus=1)],
)


def test_resource_configuration_has_the_real_counts_and_our_launcher():
    config = resource_config(SITE, SITE.partition(), environment=Path("/env"), sandbox=Path("/run/sandbox"))
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
            "MPIEXEC": {"pre_exec_cached": ["export PATH=/env/bin:$PATH"]},
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
    environment = broker_environment(Path("/run/pilot"), "m")
    for name in ("HOME", "TMPDIR", "PWD", "RADICAL_BASE", "RADICAL_CONFIG_USER_DIR", "RADICAL_LOG_TGT"):
        assert environment[name].startswith("/run/pilot")
    assert environment[MARK] == "m"
    assert environment["PATH"].startswith(f"{sys.prefix}/bin:")


def test_sweep_ends_marked_processes_and_their_children_and_no_others():
    mark = f"test-{os.getpid()}"
    stubborn = "trap '' TERM; while :; do sleep 60; done"
    ours = subprocess.Popen(["bash", "-c", stubborn], env={**os.environ, MARK: mark}, start_new_session=True)
    other = subprocess.Popen(["sleep", "60"], env={**os.environ, MARK: "another"})
    try:
        while len(marked(mark)) < 2:
            assert ours.poll() is None
        children = psutil.Process(ours.pid).children()
        assert sweep(mark) >= 2
        assert ours.poll() is not None
        assert marked(mark) == []
        assert not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children)
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()
