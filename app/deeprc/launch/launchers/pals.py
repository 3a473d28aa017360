"""HPE's PALS under PBS: ALCF Polaris and Aurora."""

from __future__ import annotations

from collections.abc import Sequence

from deeprc.launch.launchers.base import Launcher, Layout, register, said
from deeprc.launch.launchers.takes import takes


@register("mpiexec-pals")
class Pals(Launcher):
    """PALS's `mpiexec`.

    Ranks are bound by depth (Polaris), or, where the system keeps cores for itself, by an explicit list of them
    (Aurora, running-jobs-aurora.md:285-296,409).
    """

    local_rank, rank = "PALS_LOCAL_RANKID", "PALS_RANKID"
    laid = (
        "-n", "--np", "-np", "--ppn", "-ppn", "--depth", "-d", "--gpu-bind", "-f", "--hosts", "-hosts", "--host",
        "-host", "--hostlist", "-hostlist", "--hostfile", "-hostfile", "--machinefile", "-machinefile",
    )  # fmt: skip
    allowed = takes(
        "--pmi= --cpu-bind= --mem-bind= --env= --genv== --genvall --envall --network= --disable_rdzv_get --no-vni",
        "--single-node-vni --label -l --line-buffer --verbose -v --transfer --no-transfer --umask= --wdir= --timeout=",
        "--rlimits= --exclusive --shared --abort-on-failure --no-abort-on-failure",
    )
    dashes = True

    def options(self, layout: Layout, *, pmi: str | None, exports: Sequence[str], placed: bool = False) -> list[str]:
        """Ranks, ranks per node, cores of each."""
        options = ["-n", str(layout.ranks), "--ppn", str(layout.ranks_per_node)]
        if placed:
            return [*options, "--cpu-bind", "{binding}"]
        blocks = self.partition.core_blocks(layout.ranks_per_node, layout.cores_per_rank)
        if self.partition.reserved_cores and blocks:
            return [*options, "--cpu-bind", "list:" + ":".join(_span(block) for block in blocks)]
        return [*options, "--depth", str(layout.cores_per_rank), "--cpu-bind", "depth"]

    def contradicted(self, layout: Layout, *, pmi: str | None) -> tuple[str, str] | None:
        """`--pmi=none` tells ranks nothing of each other."""
        if layout.ranks > 1 and said(self.words, "--pmi") == "none":
            return "the site's own options of mpiexec-pals say --pmi=none: each rank would be a world of its own", (
                "leave --pmi out of them, or name what the ranks speak"
            )
        return super().contradicted(layout, pmi=pmi)

    def placement(self, layout: Layout, *, placed: bool) -> list[str]:
        """The allocation's own file of hosts, or the pilot's."""
        return ["--hostfile", "{hostfile}" if placed else "$PBS_NODEFILE"]


def _span(block: range) -> str:
    return str(block[0]) if len(block) == 1 else f"{block[0]}-{block[-1]}"
