"""What a job of some nodes is asked for by: the site's options, and what each LSF wants beside them."""

from __future__ import annotations

import shlex

from deeprc.sites import requests
from deeprc.sites.hardware import Partition
from deeprc.sites.model import Site


def asked(site: Site, partition: Partition, nodes: int, ranks_per_node: int) -> list[str]:
    """The options of an allocation, in the order site, partition; what they leave unsaid of LSF's nodes comes last."""
    options = [*site.scheduler.options, *partition.allocation(nodes, ranks_per_node)]
    if site.scheduler.name == "pbspro":
        return options + _of_pbs(nodes, options)
    return options + (_of_lsf(site, partition, nodes, options) if site.scheduler.name == "lsf" else [])


def _of_pbs(nodes: int, options: list[str]) -> list[str]:
    """A host for each chunk: unless told, PBS may put several on one (its User's Guide, `place`: `free`)."""
    told = requests.places(options) or requests.lays_nodes(options)
    return ["-l", "place=scatter"] if nodes > 1 and not told else []


def short(site: Site, partition: Partition, options: list[str], nodes: int, gpus: int) -> tuple[str, str] | None:
    """Which of an allocation's options gives fewer nodes, or accelerators of a node, than are needed, and the cure."""
    who = f"the site's own options of {site.scheduler.name}"
    into = "into the partition's scheduler_options"
    there = requests.nodes(site.scheduler.name, options)
    if there and there.count < nodes:
        what = f"{there.count} node{'s' * (there.count != 1)} ({there.option})"
        why = f"{who} ask for {what}, and the plan needs {nodes}"
        return why, f"write {there.instead} {into}: {{nodes}} is filled in"
    given = requests.gpus(site.scheduler.name, options, nodes, partition.sockets)
    if given and given.count < gpus:
        what = f"{given.count} accelerators of a node ({given.option})"
        why = f"{who} ask for {what}, and the plan needs {gpus}: its ranks would share them, or not start"
        return why, f"write {given.instead} {into}: {{gpus}} is filled in with all that a node has"
    return None


def _of_lsf(site: Site, partition: Partition, nodes: int, options: list[str]) -> list[str]:
    """Whole nodes: by their number under IBM's CSM, else by slots, as many on each host as it has (IBM Spectrum LSF
    10.1, bsub.nnodes, span_string); and their accelerators, which others' jobs may use unless told (bsub.gpu).
    """
    words = [word for option in options for word in shlex.split(option)]
    if site.csm:
        return [] if "-nnodes" in words else ["-nnodes", str(nodes)]
    slots = partition.usable_cores * partition.threads_per_core
    found = [] if "-n" in words else ["-n", str(nodes * slots), "-R", f"span[ptile={slots}]"]
    gpus = partition.gpus and not any(word == "-gpu" or "ngpus" in word for word in words)
    return [*found, *(["-gpu", f"num={partition.gpus}:j_exclusive=yes"] if gpus else [])]
