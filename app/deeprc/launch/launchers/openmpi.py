"""Open MPI's launcher; NVIDIA's HPC-X and IBM's Spectrum MPI have the same one."""

from __future__ import annotations

from collections.abc import Sequence

from deeprc.launch.launchers.base import Launcher, Layout, register
from deeprc.launch.launchers.takes import takes


@register("mpirun-openmpi")
class OpenMpi(Launcher):
    """`mpirun` of Open MPI 4 or 5.

    It passes on no variables but its own to other nodes, hence `-x`. Hosts and ranks per node: `ppr`.
    """

    local_rank, rank = "OMPI_COMM_WORLD_LOCAL_RANK", "OMPI_COMM_WORLD_RANK"
    laid = (
        "-np", "--np", "-n", "--n", "-c", "-N", "-npernode", "--npernode", "-pernode", "--pernode", "-ppr", "--ppr",
        "-map-by", "--map-by", "-rf", "-rankfile", "--rankfile", "-H", "-host", "--host", "-hostfile", "--hostfile",
        "-machinefile", "--machinefile", "-default-hostfile", "--default-hostfile",
    )  # fmt: skip
    allowed = takes(
        "--mca== --gmca== --omca== --prtemca== --pmixmca== -x= --bind-to= --rank-by= --report-bindings -gpu",
        "--nooversubscribe --oversubscribe --allow-run-as-root --tag-output --timestamp-output --output= -q -v",
        "--output-filename= --display= --display-map --display-allocation --quiet --verbose --prefix= --noprefix",
        "--wdir= --timeout= --launch-agent= --leave-session-attached --merge-stderr-to-stdout --smpiargs=",
        "--use-hwthread-cpus",
    )
    dashes = True

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
