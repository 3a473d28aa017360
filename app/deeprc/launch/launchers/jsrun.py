"""IBM's launcher under LSF."""

from __future__ import annotations

from collections.abc import Sequence

from deeprc.launch.launchers.base import Launcher, Layout, register
from deeprc.launch.launchers.takes import takes


@register("jsrun")
class Jsrun(Launcher):
    """`jsrun`: a resource set for each rank (OLCF summit_user_guide.rst)."""

    binds_gpus = joins = True
    local_rank, rank = "OMPI_COMM_WORLD_LOCAL_RANK", "OMPI_COMM_WORLD_RANK"
    laid = (
        "--nrs", "-n", "--np", "-p", "--tasks_per_rs", "-a", "--cpu_per_rs", "-c", "--gpu_per_rs", "-g",
        "--rs_per_host", "-r", "--rs_per_socket", "-K", "--erf_input", "-U",
    )  # fmt: skip
    allowed = takes(
        "--smpiargs= -M= --bind= -b= --latency_priority= -l= --launch_distribution= -d= --env= -E= --chdir= -h=",
        "--exit_on_error= -X= --stdio_stdout= -o= --stdio_stderr= -k= --stdio_input= -t= --stdio_mode= -e= --progress=",
    )

    def options(self, layout: Layout, *, pmi: str | None, exports: Sequence[str], placed: bool = False) -> list[str]:
        """Resource sets; Spectrum MPI handles memory of accelerators with `--smpiargs=-gpu` only."""
        options = [f"--nrs={layout.ranks}", "--tasks_per_rs=1", f"--cpu_per_rs={layout.cores_per_rank}"]
        options += [f"--gpu_per_rs={layout.gpus_per_rank}", f"--rs_per_host={layout.ranks_per_node}"]
        return [
            *options,
            f"--bind=packed:{layout.cores_per_rank}",
            *(["--smpiargs=-gpu"] if layout.gpus_per_rank else []),
        ]
