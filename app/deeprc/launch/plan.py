"""The plan of a task: its launch line and all that belongs to it. `deeprc plan` prints it, the pilot uses it."""

from __future__ import annotations

import datetime
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from deeprc.images.catalog import Image
from deeprc.launch import mpis, pmi, slingshot
from deeprc.launch.conditions import Gathered, applying, gather
from deeprc.launch.launchers import Launcher, Layout, launcher
from deeprc.launch.launchers.takes import shared
from deeprc.launch.nodecopy import copying, disk_for
from deeprc.launch.room import check_layout
from deeprc.launch.runtimes import HOST_MPI, Inside, container
from deeprc.launch.verdict import CORRECT, Verdict, judge
from deeprc.launch.visibility import mistaken, sight, tell_ranks, unfit
from deeprc.sites import Partition, Site, age
from deeprc.sites.age import oldest, stated
from deeprc.sites.allocation import short
from deeprc.sites.fact import Fact
from deeprc.sites.setting import Comm, Setting
from deeprc.sites.software import SONAMES

NATIVE = "no container: ranks and launcher use the same installation of MPI"


@dataclass(frozen=True)
class Plan:
    """How a task is started on a site.

    The launch line is `launcher + binding + runtime + command`. `$NAME` in the first three, in the values of
    `environment` and in the paths of `files`, which are written before, is a variable of the job, see
    `deeprc.launch.text`. A rank sees `gpus_seen` accelerators, its own first.
    """

    site: str
    partition: str
    layout: Layout
    image: str | None
    verdict: str
    reason: str
    fix: str | None = None
    launcher: list[str] = field(default_factory=list)
    binding: list[str] = field(default_factory=list)
    runtime: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    modules: list[str] = field(default_factory=list)
    binds: list[str] = field(default_factory=list)
    scheduler_options: list[str] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    gpus_seen: int = 0
    facts: list[tuple[str, Fact]] = field(default_factory=list)  # that it rests on, with their places in the file

    @property
    def doubts(self) -> list[str]:
        """What nobody has verified, or sources disagree on, of the facts that it rests on."""
        return [f"{place}: {line}" for place, fact in self.facts for line in fact.doubts]

    @property
    def refused(self) -> bool:
        """Whether it cannot run."""
        return self.verdict == "refuse"

    @property
    def argv(self) -> list[str]:
        """The whole launch line; empty where it is refused."""
        return [] if self.refused else [*self.launcher, *self.binding, *self.runtime, *self.command]

    def yet_to_come(self, today: datetime.date) -> list[str]:
        """The facts that it rests on whose dates lie in the future: nobody can have read them then."""
        return [place for place, fact in self.facts if age.future(fact, today)]

    def record(self) -> dict:
        """What `--json` prints."""
        old = oldest(self.facts)
        return {
            "site": self.site,
            "partition": self.partition,
            "image": self.image,
            "verdict": self.verdict,
            "reason": self.reason,
            "fix": self.fix,
            "argv": self.argv,
            "env": self.environment,
            "modules": self.modules,
            "binds": self.binds,
            "scheduler_options": self.scheduler_options,
            "files": self.files,
            "nodes": self.layout.nodes,
            "ranks": self.layout.ranks,
            "cores_per_rank": self.layout.cores_per_rank,
            "gpus_per_rank": self.layout.gpus_per_rank,
            "gpus_seen": self.gpus_seen,
            "warnings": self.warnings,
            "unverified": self.doubts,
            "future_facts": self.yet_to_come(datetime.date.today()),
            "oldest_fact": {"fact": old[0], "date": str(old[1].date), "source": old[1].source} if old else None,
        }


def compose(
    site: Site, partition: Partition, layout: Layout, command: list[str], *, image: Image | None = None,
    image_path: str | None = None, comm: Comm = "mpi", model: str | None = None, placed: bool = False,
    environment: Path | None = None, containers: int | None = None,
) -> Plan:  # fmt: skip
    """The plan of `command` on `layout.ranks` ranks.

    Parameters
    ----------
    image
        The image of the catalog to run in; without one the command runs in `environment`.
    image_path
        Where its file is; where the site keeps images, if not given.
    comm
        What ranks talk through: MPI, NCCL/RCCL/oneCCL (`ccl`), or both.
    model
        Allows only this way for the image's MPI: bind, hybrid or translate.
    placed
        Whether a pilot chooses the nodes, see `Launcher.placement`.
    containers
        How many of the image may start at a time, where that is more than the task's own ranks.

    Raises
    ------
    ConfigError
        For a layout that the partition does not have room for.
    """
    if site.status.state == "retired":
        successor = f"; its successor is {site.status.successor}" if site.status.successor else ""
        reason = f"{site.name} was retired on {site.status.retired}{successor}"
        fix = "deeprc sites lists the machines in service"
        return Plan(site.name, partition.name, layout, image and image.name, "refuse", reason, fix)
    check_layout(site, partition, layout, placed=placed)
    starter = launcher(site, partition, environment or Path(sys.prefix), "fork" if _alone(site, layout) else None)
    together = image is not None and site.runtime.kind != "none" and container(site.runtime.kind).one_per_node
    if why := unfit(partition, layout, comm, starter, together=together, placed=placed):
        verdict = Verdict("refuse", *why)
    elif image is None:
        verdict = native(site, partition, layout)
    else:
        verdict = judge(image, site, partition, nodes=layout.nodes, gpus=layout.gpus_per_rank > 0, model=model)
    plan = Plan(
        site.name, partition.name, layout, image and image.name, verdict.kind, verdict.reason, verdict.fix,
        facts=rests_on(site, partition, applying(site, partition, layout, comm, verdict)),
    )  # fmt: skip
    return (
        plan
        if plan.refused
        else _filled(plan, site, partition, starter, verdict, command, image, image_path, comm, placed, containers)
    )


def _filled(
    plan: Plan, site: Site, partition: Partition, starter: Launcher, verdict: Verdict, command: list[str],
    image: Image | None, image_path: str | None, comm: Comm, placed: bool, containers: int | None,
) -> Plan:  # fmt: skip
    layout = plan.layout
    gathered = gather(site, partition, layout, comm, verdict, contained=image is not None)
    if few := short(site, partition, gathered.scheduler_options, layout.nodes, layout.gpus_per_node):
        return replace(plan, verdict="refuse", reason=few[0], fix=few[1])
    environment = {
        "OMP_NUM_THREADS": str(layout.cores_per_rank),
        **starter.variables(layout, placed=placed),
        **gathered.environment,
    }
    if wrong := mistaken(partition, layout, environment):
        return replace(plan, verdict="refuse", reason=wrong[0], fix=wrong[1])
    slurms, lent = mpis.library_of_slurm(site, partition, verdict, contained=image is not None)
    environment |= slurms
    binds, runtime, files, extra = [*gathered.binds, *lent], [], {}, list(gathered.launcher_options)
    box = container(site.runtime.kind) if image is not None else None
    if image is not None and box is not None:
        host = verdict.mpi
        if verdict.kind in ("bind", "translate") and host and host.library:
            binds.append(f"{host.library}:{HOST_MPI}:ro")
        inside = Inside(
            image_path or default_path(site, image),
            vendor=partition.accelerator.vendor if layout.gpus_per_rank and partition.accelerator else None,
            binds=binds,
            flags=[*site.runtime.flags, *gathered.flags],
            variables=_inside_variables(image, verdict, gathered),
            model=verdict.kind,
            pmi=verdict.pmi,
            family=verdict.own.family if verdict.own else image.families[0],
            ccl=comm != "mpi" and layout.nodes > 1,
            shares=layout.ranks_per_node > 1,
            gpu_aware=comm == "mpi",  # beside NCCL it can deadlock (CSCS, nccl.md)
            passes=list(environment),
            brings=site.runtime.brings,
            home=site.runtime.home,
            clean_environment=site.runtime.clean_environment,
        )
        if layout.ranks > 1 and (word := box.hides(inside)):
            why = f"{word} keeps from containers what {starter.name} tells ranks: each would be a world of its own"
            return replace(plan, verdict="refuse", reason=why, fix="leave it out of the site file's runtime and flags")
        if pair := shared([word for flag in inside.flags for word in flag.split()]):
            why = f"the site's flags of {box.kind} say {pair[1]}, which sets {pair[0]} for all ranks alike"
            fix = "leave it out of the site file's runtime and flags"
            return replace(plan, verdict="refuse", reason=f"{why}, and undoes what the plan tells each", fix=fix)
        disk = disk_for(site.storage, containers or layout.ranks) if box.in_ranks else None
        runtime = [*(copying(inside.image, disk) if disk else []), *box.wrap(inside), *site.runtime.entry]
        environment, files = environment | box.variables(inside), box.files(inside)
        extra = [*box.launcher_options(inside), *extra]
    extra += slingshot.options(site, starter, layout, verdict) + starter.beside(gathered.scheduler_options)
    seen = sight(site, partition, layout, comm, starter, together=box is not None and box.one_per_node)
    line = starter.command(
        layout, pmi=verdict.pmi, exports=sorted(environment), extra=extra, placed=placed, gpus_by=seen.by
    )
    if undone := starter.contradicted(layout, pmi=verdict.pmi):
        return replace(plan, verdict="refuse", reason=undone[0], fix=undone[1])
    remarks = pmi.doubts(site, partition, verdict, layout.ranks)
    remarks += mpis.warnings(
        site, partition, verdict, ranks=layout.ranks, contained=image is not None,
        variables=[*environment, *gathered.container], binds=binds,
    )  # fmt: skip
    remarks += starter.remarks(layout, gpus_by=seen.by)
    idle = layout.nodes - -(-layout.ranks // layout.ranks_per_node)
    if idle and not placed and starter.name != "srun":  # which gives each node one first (slurm_step_layout.c)
        remarks.append(f"{starter.name} fills one node after the other: {idle} of {layout.nodes} nodes get no rank")
    remarks += slingshot.warnings(site, starter, layout, gathered)
    told = starter.binds_gpus and seen.by != "variable"
    binding = []
    if not told and (starter.binds_gpus or not placed):  # in a pilot, the pilot does where the launcher cannot
        binding = tell_ranks(partition.accelerator, layout, starter.local_rank, peers=seen.peers, given=placed)
    return Plan(
        plan.site, plan.partition, layout, plan.image, plan.verdict, plan.reason, plan.fix,
        launcher=line, binding=binding, runtime=runtime, command=command, environment=environment,
        modules=gathered.modules, binds=binds, scheduler_options=gathered.scheduler_options, files=files,
        warnings=[*verdict.warnings, *remarks, *gathered.warnings(site, partition, layout, comm, image)],
        facts=plan.facts,
        gpus_seen=(layout.gpus_per_node if placed else partition.gpus) if seen.peers else layout.gpus_per_rank,
    )  # fmt: skip


def native(site: Site, partition: Partition, layout: Layout) -> Verdict:
    """The verdict where there is no image."""
    mpi = site.mpi[0]
    if layout.ranks > 1 and pmi.strangers(site, partition, mpi):
        spoken = pmi.both(site, partition, f"the host's {mpi.title}", pmi.of_ranks(mpi))
        listed = " (`srun --mpi=list`)" if pmi.starter(site, partition) == "srun" else ""
        return Verdict("refuse", f"{spoken}: each would be a world of its own", CORRECT + listed)
    return Verdict("bind", NATIVE, mpi=mpi, pmi=pmi.of_host(site, partition, mpi))


def default_path(site: Site, image: Image) -> str:
    """Where the site keeps an image (the facility's shared folder, else the user's own), or what it calls it."""
    return container(site.runtime.kind).address(site.storage.images or site.storage.image_cache, image.name)


def _alone(site: Site, layout: Layout) -> bool:
    """On this machine one rank needs no launcher; within an allocation it does, to get to its node."""
    return not site.batch and layout.ranks == 1


def _inside_variables(image: Image, verdict: Verdict, gathered: Gathered) -> dict[str, str]:
    variables = dict(gathered.container)
    host = verdict.mpi
    if verdict.kind in ("bind", "translate") and host:
        folders = [HOST_MPI] if host.library else list(host.path)
        if folders:
            own = variables.get("LD_LIBRARY_PATH")
            variables["LD_LIBRARY_PATH"] = ":".join([*folders, *([own] if own else [])])
        if host.library and verdict.layer in (None, "mpi-abi"):  # any other layer stands between mpi4py and the host's
            name = SONAMES["mpi-abi"] if verdict.layer else host.library_name
            variables["MPI4PY_LIBMPI"] = f"{HOST_MPI}/{name}"
    if verdict.own and len(image.mpi) > 1 and "MPI4PY_LIBMPI" not in variables:  # it takes the first that loads
        variables["MPI4PY_MPIABI"] = verdict.own.family
    return variables


def rests_on(site: Site, partition: Partition, settings: Sequence[Setting]) -> list[tuple[str, Fact]]:
    """The facts of the site, of this partition and of these settings, with their places in the file."""
    others = tuple(f"partitions.{part.name}." for part in site.partitions if part.name != partition.name)
    unused: list[Fact] = [setting for setting in site.settings if not any(setting is used for used in settings)]
    unused += [] if site.launcher_on(partition) is site.launcher else [site.launcher]
    return [
        (place, fact)
        for place, fact in stated(site.facts())
        if not f"{place}.".startswith(others) and not any(fact is other for other in unused)
    ]
