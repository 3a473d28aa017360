"""Hydra: the launcher of MPICH (`mpiexec`) and of Intel MPI (`mpirun`)."""

from __future__ import annotations

from collections.abc import Sequence

from deeprc.core.errors import ConfigError
from deeprc.launch.launchers.base import Launcher, Layout, register
from deeprc.launch.launchers.takes import takes


@register("mpiexec-hydra")
class Hydra(Launcher):
    """MPICH's `mpiexec`: the site's, where it names one, else that of the `mpich` wheel in the environment.

    Always named by its path: another MPI's would start each rank as a world of its own.
    """

    local_rank, rank = "MPI_LOCALRANKID", "PMI_RANK"
    laid = (
        "-n", "-np", "-ppn", "-perhost", "-rr", "-configfile", "-f", "-hosts", "-host", "-hostfile", "-machinefile",
        "--hosts", "--host", "--hostfile", "--machinefile", "--np", "--ppn",
    )  # fmt: skip
    allowed = takes(
        "-launcher= -launcher-exec= -bootstrap= -bootstrap-exec= -rmk= -iface= -localhost= -usize= -topolib=",
        "-genv== -env== -genvall -envall -wdir= -bind-to= -map-by= -membind= -demux= -pmi-port",
        "-print-rank-map -print-all-exitcodes -prepend-rank -prepend-pattern= -l -verbose -v -outfile-pattern=",
        "-errfile-pattern= -enable-x -disable-x -disable-auto-cleanup -disable-hostname-propagation",
        "-silent-abort -ordered-output -s= -branch-count= -pmi-connect= -tmpdir=",  # Intel's
    )
    dashes = listens = True

    @property
    def program(self) -> str:
        """The path of `mpiexec`."""
        if named := self.site.launcher_on(self.partition).program:
            return named
        path = self.environment / "bin" / "mpiexec"
        if not path.is_file():
            raise ConfigError("the environment has no mpiexec", found=f"no {path}", fix="pip install mpich")
        return str(path)

    def options(self, layout: Layout, *, pmi: str | None, exports: Sequence[str], placed: bool = False) -> list[str]:
        """Ranks, and ranks per node where there are several; Hydra passes on all variables by itself."""
        several = ["-ppn", str(layout.ranks_per_node)] if layout.nodes > 1 else []
        return ["-np", str(layout.ranks), *several]

    def placement(self, layout: Layout, *, placed: bool) -> list[str]:
        """The hosts that a pilot has chosen."""
        return ["-f", "{hostfile}"] if placed else []


@register("mpirun-intelmpi")
class IntelMpi(Hydra):
    """Intel MPI's `mpirun`, which its module puts on the PATH."""

    @property
    def program(self) -> str:
        """`mpirun`, or what the site names."""
        return self.site.launcher_on(self.partition).program or "mpirun"

    def variables(self, layout: Layout, *, placed: bool = False) -> dict[str, str]:
        """Intel MPI binds ranks, as if they were alone on the node; and in a job it takes the batch system's number of
        ranks per node rather than `-ppn`, unless told (its Developer Reference, Job Schedulers Support).
        """
        ours = {"I_MPI_JOB_RESPECT_PROCESS_PLACEMENT": "off"} if layout.nodes > 1 else {}
        return ours | ({"I_MPI_PIN": "off"} if placed else {})
