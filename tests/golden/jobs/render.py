"""What RADICAL-Pilot and PSI/J submit for pilots, with commands in the batch systems' place that keep it.

`python render.py FOLDER < JSON`, with the environment that a broker has: for each job `wanted` (what RADICAL-Pilot's
description of a pilot takes), `config` (its resource configuration) and `environment` (what is the job's own).
RADICAL-Pilot's code makes PSI/J's job of it, PSI/J's code the script and the command; no session is started.
"""

import json
import logging
import os
import sys
import types
from pathlib import Path

import radical.pilot as rp
import radical.utils as ru
from radical.pilot.pmgr.launching.base import PMGRLaunchingComponent
from radical.pilot.pmgr.launching.psi_j import PilotLauncherPSIJ
from radical.pilot.resource_config import ResourceConfig


class Session:
    """What the description of a pilot's job asks a session."""

    uid = "session"
    cfg = types.SimpleNamespace(proxy_url="tcp://localhost:1")

    def __init__(self, folder):
        self._get_endpoint_fs = self._get_resource_sandbox = lambda _: ru.Url(f"file://localhost{folder}/sandbox")
        self._get_session_sandbox = lambda _: ru.Url(f"file://localhost{folder}/sandbox/session")
        self._get_pilot_sandbox = lambda _: ru.Url(f"file://localhost{folder}/sandbox/session/pilot.0000")
        self._get_client_sandbox = lambda: str(folder)


def submit(folder, wanted, config, environment):
    """Submit one pilot's job, as `PMGRLaunchingComponent._start_pilot_bulk` does."""
    os.environ.update(environment)
    there = ResourceConfig(from_dict=config)
    ru.dict_merge(there, there["schemas"]["local"], ru.OVERWRITE)
    pilot = {"uid": "pilot.0000", "description": rp.PilotDescription(wanted).as_dict()}
    log = logging.getLogger("render")
    log.debug_level = 0
    component = types.SimpleNamespace(
        _session=Session(folder), _log=log, _rp_version="0", _pmgr="pmgr", _sandboxes={},
        _prof=types.SimpleNamespace(enabled=False), _root_dir=str(Path(rp.__file__).parent),
    )  # fmt: skip
    PMGRLaunchingComponent._prepare_pilot(component, "deeprc.site", there, pilot, {}, "pilot.tgz")
    launcher = PilotLauncherPSIJ("PSI_J", log, None, lambda *_: None)
    assert launcher.can_launch(there, pilot)
    launcher.launch_pilots(there, [pilot])


if __name__ == "__main__":
    for job in json.load(sys.stdin):
        submit(Path(sys.argv[1]), **job)
    os._exit(0)  # a thread of PSI/J's goes on asking the batch system
