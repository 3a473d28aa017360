"""The site file's model."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from typing import Literal

from pydantic import Field, model_validator

from deeprc.core.errors import unknown
from deeprc.sites.fact import Count, Fact, Release, Text, facts_in
from deeprc.sites.hardware import Partition
from deeprc.sites.setting import Bind, Setting
from deeprc.sites.software import Family, Interconnect, LauncherFact, Module, Mpi, Runtime, SchedulerFact

Translator = Literal["wi4mpi", "mpitrampoline"]


class Status(Fact):
    """Whether the machine is in service; a retired one has a date, and most often a successor."""

    state: Literal["active", "retired"] = "active"
    retired: datetime.date | None = None
    successor: str | None = None

    @model_validator(mode="after")
    def _dated(self) -> Status:
        if (self.state == "retired") != (self.retired is not None):
            raise ValueError("a retired site has the date `retired`, and no other site has")
        return self


class Identity(Fact):
    """How to know that this is the machine: any of these variables (a regular expression each), or of these names of
    hosts. Without either, every machine is it.
    """

    environment: dict[str, str] = Field(default_factory=dict)
    hostnames: list[str] = Field(default_factory=list)

    @model_validator(mode="after")
    def _patterns(self) -> Identity:
        for pattern in [*self.environment.values(), *self.hostnames]:
            try:
                re.compile(pattern)
            except (re.error, OverflowError, RecursionError) as error:
                raise ValueError(f"{pattern!r} is no regular expression: {error}") from None
        return self


class Binds(Fact):
    """Paths of the host that every container sees."""

    paths: list[Bind] = Field(default_factory=list)


class Storage(Fact):
    """Where files go; `$NAME` is a variable of the user's.

    Attributes
    ----------
    node_local
        Each node's own disk.
    node_copy_ranks
        From that many ranks on, a task starts from a copy of its image on `node_local`.
    images
        Images that the facility shares, looked into first; read-only.
    image_cache
        The user's own images.
    """

    scratch: str | None = None
    node_local: str | None = None
    node_copy_ranks: Count = 128
    images: str | None = None
    image_cache: str = "$HOME/.cache/deeprc/images"


class Site(Fact):
    """A machine, as its site file says.

    Attributes
    ----------
    images
        Variants of the catalog in the order of preference; where empty, those that fit in the catalog's order.
    translators
        Layers that let an image use an MPI of another family; what each needs is a setting under `model: [translate]`.
    glibc
        The host's C library.
    settings
        What tasks need under conditions, see `Setting`.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    description: Text
    status: Status = Field(default_factory=Status)
    contact: Text
    url: Text
    identity: Identity = Field(default_factory=Identity)
    scheduler: SchedulerFact
    launcher: LauncherFact
    interconnect: Interconnect
    mpi: list[Mpi] = Field(min_length=1)
    runtime: Runtime
    binds: Binds = Field(default_factory=Binds)
    modules: list[Module] = Field(default_factory=list)
    settings: list[Setting] = Field(default_factory=list)
    storage: Storage = Field(default_factory=Storage)
    images: list[str] = Field(default_factory=list)
    translators: list[Translator] = Field(default_factory=list)
    glibc: Release | None = None
    partitions: list[Partition] = Field(min_length=1)

    @model_validator(mode="after")
    def _consistent(self) -> Site:
        for part in self.partitions:
            options = [*self.scheduler.options, *part.scheduler_options]
            if why := self.scheduler.system.contradiction(options, self.scheduler.facts, part.nodes):
                raise ValueError(f"partition {part.name}: {why}")
        names = [partition.name for partition in self.partitions]
        if len(names) != len(set(names)):
            raise ValueError(f"partitions: a name stands twice in {', '.join(names)}")
        for setting in self.settings:
            if setting.alt_read and not setting.gets_off and self.interconnect.rdzv_get == "on":
                raise ValueError(
                    "FI_CXI_RDZV_PROTO=alt_read wants rendezvous gets switched off (interconnect.rdzv_get: on):"
                    " launcher_options: [--network=disable_rdzv_get] beside it"
                )
            for name in set(setting.when.partitions or []) - set(names):
                raise unknown("partition", name, names, where=f"site {self.name}, settings")
            if self.scheduler.system.by_step and self.interconnect.fabric == "slingshot":
                # HPE shs-ccl-docs README: a single-node step has no VNI, and NCCL fails where NCCL_NET insists on it.
                named = {"NCCL_NET", "NCCL_NET_PLUGIN"} & setting.environment.keys()
                if named and setting.when.nodes != "several":
                    under = f"on Slingshot under {self.scheduler.system.title}"
                    raise ValueError(f"{', '.join(sorted(named))} {under} is for `nodes: several` only")
        return self

    def partition(self, name: str | None = None) -> Partition:
        """The partition called `name`; the first one where no name is given."""
        if name is None:
            return self.partitions[0]
        by_name = {partition.name: partition for partition in self.partitions}
        if name not in by_name:
            raise unknown("partition", name, by_name, where=f"site {self.name}")
        return by_name[name]

    def launcher_on(self, partition: Partition) -> LauncherFact:
        """What is known of the launcher of a partition: of another one than the site's, nothing that is said there."""
        own = partition.launcher
        if own is None or (own.only_named and own.name == self.launcher.name):
            return self.launcher
        return own

    @property
    def batch(self) -> bool:
        """Whether a batch system gives its nodes."""
        return self.scheduler.system.batch

    @property
    def allocations(self) -> list[str]:
        """The options for any of its partitions, as they stand in the file."""
        return [*self.scheduler.options, *(option for part in self.partitions for option in part.scheduler_options)]

    @property
    def translates(self) -> bool:
        """Whether a setting puts its translator into the line: what is set, preloaded, bound."""
        named = [setting for setting in self.settings if "translate" in (setting.when.model or [])]
        return any(setting.environment or setting.container or setting.binds for setting in named)

    @property
    def families(self) -> list[Family]:
        """The ABI families of its MPIs, the default first."""
        return list(dict.fromkeys(mpi.family for mpi in self.mpi))

    def facts(self) -> Iterator[tuple[str, Fact]]:
        """All facts, with their places in the file."""
        return facts_in(self)
