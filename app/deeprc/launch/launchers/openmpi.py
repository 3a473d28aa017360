"""Open MPI's launcher; NVIDIA's HPC-X and IBM's Spectrum MPI have the same one."""

from __future__ import annotations

from collections.abc import Sequence

from deeprc.launch.launchers.base import Launcher, Layout, register


@register("mpirun-openmpi")
class OpenMpi(Launcher):
    """`mpirun` of Open MPI 4 or 5.

    It passes on no variables but its own to other nodes, hence `-x`. Hosts and ranks per node: `ppr`.
    """

    local_rank, rank = "OMPI_COMM_WORLD_LOCAL_RANK", "OMPI_COMM_WORLD_RANK"
    laid = (
        "-np", "--np", "-n", "--n", "-c", "-N", "-npernode", "--npernode", "-pernode", "--pernode", "-ppr", "--ppr",
        "-map-by", "--map-by", "-rf", "-rankfile", "--rankfile",
    )  # fmt: skip

    def options(self, layout: Layout, *, pmi: str | None, exports: Sequence[str], placed: bool = False) -> list[str]:
        """Ranks, ranks per node and cores of each; the variables that they must see."""
        passed = [word for name in exports for word in ("-x", name)]
        if placed:
            return [
                "-np",
                str(layout.ranks),
                "--map-by",
                f"ppr:{layout.ranks_per_node}:node",
                "--bind-to",
                "none",
                *passed,
            ]
        mapping = f"ppr:{layout.ranks_per_node}:node:PE={layout.cores_per_rank}"
        options = ["-np", str(layout.ranks), "--map-by", mapping, "--bind-to", "core"]
        return [*options, *passed]

    def placement(self, layout: Layout, *, placed: bool) -> list[str]:
        """The hosts that a pilot has chosen."""
        return ["--hostfile", "{hostfile}"] if placed else []
