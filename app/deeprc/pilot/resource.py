"""RADICAL-Pilot's resource configuration, from the site file."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from deeprc.core.files import write_json
from deeprc.core.umask import PRIVATE
from deeprc.launch.modules import KNOWN, command
from deeprc.pilot import curve
from deeprc.pilot.fitness import UNFIT
from deeprc.sites import Partition, Site

PATCHES = Path(__file__).with_name("patches")  # of RADICAL-Pilot's processes
SPARED = (PATCHES / "deeprc_bootstrap.sh").read_text()  # what its bootstrapper does for nobody
GROUP = "deeprc"  # the file resource_deeprc.json; RADICAL-Pilot calls a site in it `deeprc.<site>`


def resource_config(
    site: Site, partition: Partition, *, sandbox: Path, bootstrap: Path | None = None, queued: bool = True
) -> dict:
    """What RADICAL-Pilot must know of a site to run a pilot on it.

    Its launch methods play no part: tasks bring their own lines (`launch_scripts`), and FORK starts these, on the
    allocation's first node. So it need not search for launchers either, which took seconds.

    Parameters
    ----------
    sandbox
        The folder that the pilot's files go to.
    bootstrap
        The script that the agent's shell reads first.
    queued
        Whether there is a job of the batch system to be queued, which reads that script.
    """
    engine, batch = site.scheduler.system.engine, site.batch
    taken_by = engine if bootstrap and queued else "fork"
    config = {
        "description": site.description,
        "default_schema": "local",
        "schemas": {
            "local": {
                "job_manager_endpoint": f"{taken_by}://localhost/",
                "filesystem_endpoint": "file://localhost/",
            }
        },
        "default_remote_workdir": str(sandbox),
        "resource_manager": engine.upper(),
        "agent_config": "default",
        "agent_scheduler": "CONTINUOUS",
        "agent_spawner": "POPEN",
        "launch_methods": {"order": ["FORK"], "FORK": {}},
        # The shipped local configuration invents 8 cores; these are the real ones. RADICAL-Pilot subtracts the blocked
        # ones itself, and then knows the others by their real numbers.
        "cores_per_node": partition.cores if batch else partition.usable_cores,
        "gpus_per_node": partition.gpus,
        "mem_per_node": partition.memory_mb or 0,
        "lfs_path_per_node": str(sandbox),
        "lfs_size_per_node": 0,
        "virtenv_mode": "local",
        "rp_version": "installed",
        "fake_resources": False,
    }
    if batch:
        config["system_architecture"] = {"blocked_cores": sorted(set(partition.reserved_cores))}
        # Launchers that are given the first rank only (`-o`) go on to the next node.
        config["scattered"] = site.launcher_on(partition).name != "ibrun"
    if bootstrap:
        # RADICAL-Pilot's bootstrapper reads it as a word of shell twice.
        config["pre_bootstrap_0"] = [shlex.quote(f". {shlex.quote(str(bootstrap))}")]
    return config


def bootstrap_text(site: Site, folder: Path, *, towards: str, environment: Mapping[str, str] = os.environ) -> str:
    """Shell lines that prepare a batch job's shell so that RADICAL-Pilot's agent can run in it, as it does here.

    PSI/J submits with an empty environment. The tasks do not see these lines: their launch scripts start from what the
    batch system gives.
    """
    variables = {
        "DEEPRC_TOWARDS": towards,
        curve.VARIABLE: str(folder / curve.NAME),
        "PYTHONPATH": str(PATCHES),
        "HOME": str(folder / "home"),
        "TMPDIR": str(folder / "tmp"),
        "VIRTUAL_ENV": sys.prefix,
        "PYTHONUNBUFFERED": "1",
        # What a batch job takes over from the client: where its commands find the batch system.
        **{name: environment[name] for name in site.scheduler.system.clients if name in environment},
    }
    modules = [command(name) for name in site.modules]
    unfit = f'builtin echo "${{SLURMD_NODENAME:-${{HOSTNAME%%.*}}}}" > {shlex.quote(str(folder / UNFIT))}'
    return "\n".join(
        [
            SPARED.rstrip(),
            f"umask {PRIVATE:03o}",
            f"[[ -x {shlex.quote(sys.executable)} ]] || {{ {unfit}; exit 1; }}",
            *([KNOWN] if modules else []),
            *modules,
            *(f"export {name}={shlex.quote(value)}" for name, value in variables.items()),
            f"export PATH={shlex.quote(f'{sys.prefix}/bin')}:$PATH",
            "",
        ]
    )


def write_resource_config(folder: Path, site: Site, config: dict) -> str:
    """Write `config` where RADICAL-Pilot finds it with RADICAL_CONFIG_USER_DIR=`folder`; return the resource's name."""
    path = folder / ".radical" / "pilot" / "configs" / f"resource_{GROUP}.json"
    write_json(path, {site.name: config})
    return f"{GROUP}.{site.name}"
