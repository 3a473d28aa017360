"""Hydra: the launcher of MPICH (`mpiexec`) and of Intel MPI (`mpirun`)."""

from __future__ import annotations

from collections.abc import Sequence

from deeprc.core.errors import ConfigError
from deeprc.launch.launchers.base import Launcher, Layout, register
from deeprc.launch.launchers.takes import takes
from deeprc.sites import Partition, Site

HAVE_IT = ("mpich", "mvapich", "aurora-mpich")  # MPIs whose own `mpiexec` is Hydra


def of_host(site: Site, partition: Partition) -> str | None:
    """The host's `mpiexec`: as the site names it, by the prefix of its MPI, or from the PATH where a module brings it.

    None where the file names none: then Deep RC's own environment has it.
    """
    if named := site.launcher_on(partition).program:
        return named
    mpis = [mpi for mpi in site.mpi if mpi.implementation in HAVE_IT]
    if prefix := next((mpi.prefix for mpi in mpis if mpi.prefix), None):
        return f"{prefix}/bin/mpiexec"
    return "mpiexec" if any(mpi.modules for mpi in mpis) else None


@register("mpiexec-hydra")
class Hydra(Launcher):
    """MPICH's `mpiexec`: the host's (`of_host`), where the site file names one, else the `mpich` wheel's.

    Named by its path, unless a module brings it: another MPI's would start each rank as a world of its own.
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
        """`mpiexec`, by its path."""
        if there := of_host(self.site, self.partition):
            return there
        path = self.environment / "bin" / "mpiexec"
        if not path.is_file():
            raise ConfigError("the environment has no mpiexec", found=f"no {path}", fix="pip install mpich")
        return str(path)

    def options(self, layout: Layout, *, pmi: str | None, exports: Sequence[str], placed: bool = False) -> list[str]:
        """Ranks, and ranks per node where there are several; Hydra passes on all variables by itself."""
        several = ["-ppn", str(layout.ranks_per_node)] if layout.nodes > 1 else []
        return ["-np", str(layout.ranks), *several]

    def remarks(self, layout: Layout, *, gpus_by: str) -> list[str]:
        """That it is ours, where one would take it for the host's."""
        if self.name != "mpiexec-hydra" or not self.site.batch or of_host(self.site, self.partition):
            return []
        return [
            "mpiexec is that of Deep RC's own environment: the site file has neither launcher.program nor the prefix"
            " or modules of an MPICH"
        ]

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
