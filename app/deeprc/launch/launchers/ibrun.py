"""TACC's launcher."""

from __future__ import annotations

from collections.abc import Sequence

from deeprc.launch.launchers.base import Launcher, Layout, register


@register("ibrun")
class Ibrun(Launcher):
    """`ibrun`, around the mpiexec of the MPI whose module is loaded; `-n` and `-o` as in TACC's frontera.md:624-685.

    `task_affinity` binds each rank to its cores (the same page). Ranks per node come from the allocation, or from
    IBRUN_TASKS_PER_NODE (E3SM's config_machines.xml, vista-gh).
    """

    laid = ("-n", "-np", "-o")  # no others are documented: a site has none to give

    @property
    def local_rank(self) -> str:
        """A rank's number on its node, as the MPI that `ibrun` calls tells it: Intel MPI's, or Open MPI's (Vista)."""
        return "OMPI_COMM_WORLD_LOCAL_RANK" if self.site.mpi[0].family == "openmpi" else "MPI_LOCALRANKID"

    @property
    def rank(self) -> str:
        """A rank's number in the world, likewise (vista.md: OMPI_COMM_WORLD_RANK)."""
        return "OMPI_COMM_WORLD_RANK" if self.site.mpi[0].family == "openmpi" else "PMI_RANK"

    def options(self, layout: Layout, *, pmi: str | None, exports: Sequence[str], placed: bool = False) -> list[str]:
        """The number of ranks."""
        return ["-n", str(layout.ranks)]

    def placement(self, layout: Layout, *, placed: bool) -> list[str]:
        """The rank of the allocation to begin with."""
        return ["-o", "{offset}" if placed else "0"]

    def variables(self, layout: Layout, *, placed: bool = False) -> dict[str, str]:
        """Ranks per node; in a pilot, where others may be beside them, the ranks that a node has room for."""
        return {"IBRUN_TASKS_PER_NODE": str(self.slots(layout) if placed else layout.ranks_per_node)}

    def command(self, layout: Layout, **options: object) -> list[str]:
        """`ibrun … task_affinity`."""
        return [*super().command(layout, **options), "task_affinity"]
