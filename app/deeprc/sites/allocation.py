"""What a job of some nodes is asked for by: the site's options, and what each LSF wants beside them."""

from __future__ import annotations

import shlex

from deeprc.sites.hardware import Partition
from deeprc.sites.model import Site


def asked(site: Site, partition: Partition, nodes: int, ranks_per_node: int) -> list[str]:
    """The options of an allocation, in the order site, partition; what they leave unsaid of LSF's nodes comes last."""
    options = [*site.scheduler.options, *partition.allocation(nodes, ranks_per_node)]
    return options + (_of_lsf(site, partition, nodes, options) if site.scheduler.name == "lsf" else [])


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
