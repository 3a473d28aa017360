"""RADICAL-Pilot's resource configuration, from the site file."""

from __future__ import annotations

from pathlib import Path

from deeprc.files import write_json
from deeprc.launch import launcher
from deeprc.sites import Partition, Site

GROUP = "deeprc"  # the file resource_deeprc.json; RADICAL-Pilot calls a site in it `deeprc.<site>`


def resource_config(site: Site, partition: Partition, *, environment: Path, sandbox: Path) -> dict:
    """What RADICAL-Pilot must know of a site to run a pilot on it.

    Parameters
    ----------
    environment
        The virtual environment that the ranks run in.
    sandbox
        The folder that the pilot's files go to.
    """
    # For one rank, and for several.
    launchers = launcher(site, partition, environment, "fork"), launcher(site, partition, environment)
    return {
        "description": site.description,
        "default_schema": "local",
        "schemas": {"local": {"job_manager_endpoint": "fork://localhost/", "filesystem_endpoint": "file://localhost/"}},
        "default_remote_workdir": str(sandbox),
        "resource_manager": site.scheduler.name.upper(),
        "agent_config": "default",
        "agent_scheduler": "CONTINUOUS",
        "agent_spawner": "POPEN",
        "launch_methods": {
            "order": [each.method for each in launchers],
            **{each.method: each.pilot_settings() for each in launchers},
        },
        # The shipped local configuration makes up 8 cores; these are the real ones.
        "cores_per_node": partition.usable_cores,
        "gpus_per_node": partition.gpus,
        "mem_per_node": partition.memory_mb or 0,
        "lfs_path_per_node": str(sandbox),
        "lfs_size_per_node": 0,
        "virtenv_mode": "local",
        "rp_version": "installed",
        "fake_resources": False,
    }


def write_resource_config(folder: Path, site: Site, config: dict) -> str:
    """Write `config` where RADICAL_CONFIG_USER_DIR=`folder` makes it found; return the name of the resource."""
    path = folder / ".radical" / "pilot" / "configs" / f"resource_{GROUP}.json"
    write_json(path, {site.name: config})
    return f"{GROUP}.{site.name}"
