"""What a stage's starts ask of the file system that nodes share: counted, from what one start was seen to ask."""

from __future__ import annotations

from deeprc.bench.simulate.load import SimulatedStage
from deeprc.launch import Plan

# Calls of the kernel that name a file, counted by `strace -f -e trace=%file` on Debian 12, x86_64, Apptainer 1.4.
IMAGE = 11  # `apptainer exec image.sif true`: those that name the image; what is in it is read from the node's mount
IMPORT = 1_525  # `python -c "import numpy, polars"` without an image: those below the environment
TORCH = 13_420  # `python -c "import torch"`, the same
JOB = 13  # in the run's folder: a folder and four files, each made and removed, and three looked at as the job ends


def counted(stage: SimulatedStage, nodes: int, plan: Plan, workers: float) -> dict:
    """Image starts and metadata operations of a stage, with an image and from a folder of Python's modules.

    Parameters
    ----------
    nodes
        That a job of it lies on.
    workers
        How many workers were started for its jobs of one rank each, or how many of its jobs of several ranks ran at
        once, each in a gang.
    """
    each = nodes if "--sharens" in plan.argv else stage.ranks  # ranks of a node may share a container
    starts = stage.jobs * each
    warm = round(workers if stage.ranks == 1 else workers * each)
    return {
        "image_starts": starts if plan.image else 0,
        "image_starts_warm": warm if plan.image else 0,
        "metadata_in_image": starts * IMAGE + stage.jobs * JOB,
        "metadata_without": stage.jobs * (stage.ranks * IMPORT + JOB),
        "metadata_without_torch": stage.jobs * (stage.ranks * TORCH + JOB),
    }
