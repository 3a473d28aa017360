"""Slurm's own launcher."""

from __future__ import annotations

from collections.abc import Sequence

from deeprc.launch.launchers.base import Launcher, Layout, register

PMI = {"cray": "cray_shasta"}  # the name of the plugin, where it is another one


@register("srun")
class Srun(Launcher):
    """`srun`, with long options.

    `--gpu-bind=closest` and `--gpus-per-task` as OLCF's pytorch_frontier.rst has them. A step does not inherit
    `--cpus-per-task` from the allocation since Slurm 22.05. One rank that fails ends the step (`--kill-on-bad-exit`).
    """

    method = "SRUN"
    binds_gpus = True
    local_rank, rank = "SLURM_LOCALID", "SLURM_PROCID"

    def options(self, layout: Layout, *, pmi: str | None, exports: Sequence[str]) -> list[str]:
        """Nodes, ranks, cores and accelerators of each; `--mpi` where Slurm's default does not do."""
        options = [f"--nodes={layout.nodes}", f"--ntasks={layout.ranks}"]
        if layout.nodes > 1:
            options.append(f"--ntasks-per-node={layout.ranks_per_node}")
        options.append(f"--cpus-per-task={layout.cores_per_rank}")
        if layout.gpus_per_rank:
            options += [f"--gpus-per-task={layout.gpus_per_rank}", "--gpu-bind=closest"]
        if pmi:
            options.append(f"--mpi={PMI.get(pmi, pmi)}")
        return [*options, "--kill-on-bad-exit=1"]

    def placement(self, layout: Layout, *, placed: bool) -> list[str]:
        """The nodes that a pilot has chosen."""
        return ["--nodelist={hosts}", "--overlap"] if placed else []
