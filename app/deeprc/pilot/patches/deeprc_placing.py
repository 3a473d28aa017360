"""How RADICAL-Pilot's agent places and launches tasks, and what it takes a batch system's nodes for."""

import os
from collections import Counter

from deeprc_launch import contiguous, in_turn, ours, whole_blocks
from deeprc_parts import Utilities


def launch_method(module):
    """Let tasks bring their launch lines (`radical.pilot.agent.launch_method.base`)."""
    create = module.LaunchMethod.create
    module.LaunchMethod.create = classmethod(lambda cls, *arguments, **options: ours(create(*arguments, **options)))


def scheduling(module):
    """Try the waiting tasks in their order (`radical.pilot.agent.scheduler.base`)."""
    module.ru = Utilities(module.ru)
    module.ru.lazy_bisect = in_turn


def placement(module):
    """Lay out ranks evenly, where there is memory for them (`radical.pilot.agent.scheduler.continuous`)."""
    module.Continuous._find_resources = whole_blocks(module.Continuous._find_resources)
    module.Continuous.schedule_task = contiguous(module.Continuous.schedule_task)


def pbs_nodes(module):
    """Take the site file's number of cores, not what `qstat` says: that counts hardware threads on some machines."""

    def refuse(self):
        raise ValueError("the site file says it")

    module.PBSPro._parse_pbspro_vnodes = refuse


def lsf_nodes(module):
    """Take the site file's number of cores for each host of the job (`radical.pilot.agent.resource_manager.lsf`).

    RADICAL-Pilot wants a line of the file of hosts for each of them, and leaves hosts out by their names. The host of
    IBM's Cluster System Manager that a job starts from has one line.
    """

    def init_from_scratch(self, info):
        with open(os.environ["LSB_DJOB_HOSTFILE"]) as file:  # noqa: PTH123  as everywhere here
            slots = Counter(file.read().split())
        several = [host for host, count in slots.items() if count > 1]
        info.node_list = self._get_node_list([(host, info.cores_per_node) for host in several or slots], info)
        return info

    module.LSF.init_from_scratch = init_from_scratch
