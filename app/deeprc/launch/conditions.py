"""What a site's settings give a task: those whose condition holds, in the order of the file."""

from __future__ import annotations

from dataclasses import dataclass, field

from deeprc.images.catalog import Image
from deeprc.launch.launchers import Layout
from deeprc.launch.verdict import Verdict
from deeprc.sites import Partition, Site
from deeprc.sites.allocation import asked
from deeprc.sites.setting import Comm, Setting, When

LIBRARY = {"nvidia": "NCCL", "amd": "RCCL", "intel": "oneCCL"}


@dataclass
class Gathered:
    """All that the settings give, put together."""

    environment: dict[str, str] = field(default_factory=dict)
    container: dict[str, str] = field(default_factory=dict)
    modules: list[str] = field(default_factory=list)
    binds: list[str] = field(default_factory=list)
    launcher_options: list[str] = field(default_factory=list)
    scheduler_options: list[str] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)

    def warnings(self, site: Site, partition: Partition, layout: Layout, comm: Comm, image: Image | None) -> list[str]:
        """What will probably go slow, without a word of warning from the libraries themselves."""
        found = []
        plugins = {"slingshot": "an OFI plugin (aws-ofi-nccl, aws-ofi-rccl)", "efa": "the plugin aws-ofi-nccl"}
        wanted = plugins.get(site.interconnect.fabric)
        if comm != "mpi" and layout.nodes > 1 and layout.gpus_per_rank and wanted:
            names = {"NCCL_NET", "NCCL_NET_PLUGIN", "CCL_ATL_TRANSPORT"}
            inside = image is not None and any("ofi" in name for name in image.collectives)
            brought = any("aws_ofi_nccl" in flag for flag in self.flags)  # by a hook of the container runtime
            library = LIBRARY[partition.accelerator.vendor] if partition.accelerator else "NCCL"
            if not names & self.environment.keys() and not inside and not brought:
                found.append(
                    f"nothing here selects {wanted} for {site.interconnect.description}: {library} falls back to TCP"
                )
        if self.environment.get("FI_PROVIDER") == "tcp":
            found.append("FI_PROVIDER=tcp works, but is no measure of this machine's speed")
        return found


def holds(when: When, partition: Partition, layout: Layout, comm: Comm, verdict: Verdict) -> bool:
    """Whether a condition holds for a task."""
    answers = (
        when.comm is None or comm in when.comm,
        when.nodes is None or (when.nodes == "several") == (layout.nodes > 1),
        when.gpus is None or when.gpus == (layout.gpus_per_rank > 0),
        when.model is None or verdict.kind in when.model,
        when.pmi is None or verdict.pmi in when.pmi,
        when.partitions is None or partition.name in when.partitions,
    )
    return all(answers)


def applying(site: Site, partition: Partition, layout: Layout, comm: Comm, verdict: Verdict) -> list[Setting]:
    """The site's settings whose condition holds for a task."""
    return [setting for setting in site.settings if holds(setting.when, partition, layout, comm, verdict)]


def gather(
    site: Site, partition: Partition, layout: Layout, comm: Comm, verdict: Verdict, *, contained: bool
) -> Gathered:
    """What a task gets from its site.

    Modules come in the order site, partition, MPI, runtime, settings; a variable of a later setting replaces one of the
    same name, but for the container's LD_LIBRARY_PATH, to which it is added.
    """
    got = Gathered(modules=[*site.modules, *partition.modules, *(verdict.mpi.modules if verdict.mpi else [])])
    got.scheduler_options = asked(site, partition, layout.nodes, layout.ranks_per_node)
    if contained:
        got.modules += site.runtime.modules
        got.binds += site.binds.paths
    for setting in applying(site, partition, layout, comm, verdict):
        got.environment |= setting.environment
        paths = [got.container.get("LD_LIBRARY_PATH"), setting.container.get("LD_LIBRARY_PATH")]
        got.container |= setting.container
        if all(paths):
            got.container["LD_LIBRARY_PATH"] = ":".join(filter(None, paths))
        got.modules += setting.modules
        got.launcher_options += setting.launcher_options
        got.scheduler_options += setting.scheduler_options
        if contained:
            got.binds += setting.binds
            got.flags += setting.flags
    # Words of options stay as written: one that comes twice may belong to two options (`-l select=… -l place=…`).
    got.modules, got.binds = list(dict.fromkeys(got.modules)), list(dict.fromkeys(got.binds))
    return got
