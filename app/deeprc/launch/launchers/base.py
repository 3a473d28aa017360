"""What every launcher has, and the register that it is found in."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from deeprc.core.errors import ConfigError, unknown
from deeprc.core.registry import Registry
from deeprc.launch.launchers.takes import cure, shared, stray
from deeprc.sites import Partition, Site

UNDONE = "what is said last counts, with exit code 0"


@dataclass(frozen=True)
class Layout:
    """How a task lies on its nodes; `memory_mb`: what each rank may use, MB (10^6 bytes); 0 for anything."""

    ranks: int = 1
    cores_per_rank: int = 1
    gpus_per_rank: int = 0
    nodes: int = 1
    memory_mb: int = 0

    @property
    def ranks_per_node(self) -> int:
        """Ranks of the fullest node."""
        return -(-self.ranks // self.nodes)

    @property
    def gpus_per_node(self) -> int:
        """Accelerators of the fullest node."""
        return self.ranks_per_node * self.gpus_per_rank


class Launcher(ABC):
    """A program that starts ranks.

    `binds_gpus` is whether it tells each rank its accelerators itself, `shares_gpus` whether it can also give all of a
    node's to all of its ranks; `listens`, whether anybody can call it while it runs, and be told its environment;
    `local_rank` the variable in which a rank finds its number on its node, `rank` the one with its number in the world;
    `laid` the options that lay ranks out, in all their spellings: a plan's, which a site's own would undo; `allowed`
    those that a site may give, with the number of values of each; `joins` whether it reads `-n1` as `-n 1`, `dashes`
    `-np` as `--np`.

    Parameters
    ----------
    environment
        The virtual environment that ranks run in where there is no container.
    """

    name: ClassVar[str]
    binds_gpus: ClassVar[bool] = False
    shares_gpus: ClassVar[bool] = False
    listens: ClassVar[bool] = False
    laid: ClassVar[tuple[str, ...]] = ()
    allowed: ClassVar[dict[str, int]] = {}
    joins: ClassVar[bool] = False
    dashes: ClassVar[bool] = False
    local_rank: str
    rank: str

    def __init__(self, site: Site, partition: Partition, environment: Path) -> None:
        self.site, self.partition, self.environment = site, partition, environment
        self.words = separated(site.launcher_on(partition).options)  # the site's own; `command` adds those of settings

    @property
    def program(self) -> str:
        """What is called; a site may name one of several by its path."""
        return self.site.launcher_on(self.partition).program or self.name.partition("-")[0]

    @abstractmethod
    def options(self, layout: Layout, *, pmi: str | None, exports: Sequence[str], placed: bool = False) -> list[str]:
        """The options that lay the ranks out.

        Parameters
        ----------
        pmi
            What to speak to the ranks, for launchers that must be told; None where nobody knows.
        exports
            Variables that the ranks must see, for launchers that pass on none by themselves.
        placed
            Whether a pilot has chosen nodes and cores. Others of its tasks may be on the same nodes: a launcher that
            binds its ranks to a node's first cores, as if it were alone, would put them all there.
        """

    def accelerators(self, layout: Layout, *, by: str, placed: bool) -> list[str]:
        """The options that give ranks their accelerators, for launchers that do so (`binds_gpus`).

        `by`: see `deeprc.launch.visibility.Sight`; `placed`: others' tasks may be on the node, and use the rest.
        """
        return []

    def placement(self, layout: Layout, *, placed: bool) -> list[str]:
        """The options that choose nodes; `placed`: a pilot has chosen them, and fills in `{hosts}`, `{hostfile}`
        (a line for each rank), `{offset}` (ranks of the allocation before the first one), `{binding}` (PALS's words for
        the cores of each of a node's ranks).
        """
        return []

    def variables(self, layout: Layout, *, placed: bool = False) -> dict[str, str]:
        """Variables that the launcher itself reads."""
        return {}

    def slots(self, layout: Layout) -> int:
        """Ranks for which a node has room, as a pilot counts `{offset}`."""
        return layout.ranks_per_node if layout.nodes > 1 else self.partition.usable_cores // layout.cores_per_rank

    def own(self, words: Sequence[str]) -> list[str]:
        """The site's own words, as they stand in the line."""
        return list(words)

    def contradicted(self, layout: Layout, *, pmi: str | None) -> tuple[str, str] | None:
        """Which of the site's own words (`words`) undo what a plan says, and what to do about it; None for none."""
        whole = {word.partition("=")[0] for word in self.words}
        asked = [name for name in self.laid if self.joins or name in whole]
        told = next((name for name in asked if said(self.words, name) is not None), None)
        if told is None:
            return self._unknown()
        word = " ".join(filter(None, [told, said(self.words, told)]))
        why = f"the site's own options of {self.name} say {word}, which undoes where the plan has its ranks: {UNDONE}"
        return why, "leave it out of them: nodes, ranks, and cores of each stand in every line"

    def _unknown(self) -> tuple[str, str] | None:
        """A word of the site's that is not allowed, or that gives all ranks one value where each needs its own."""
        says = f"the site's own options of {self.name} say"
        if pair := shared(self.words):
            why = f"{says} {pair[1]}, which sets {pair[0].removeprefix('OMPI_MCA_')} for all ranks alike"
            return f"{why}, and undoes what the plan tells each", "leave it out of them"
        if (word := stray(self.words, self.allowed, joins=self.joins, dashes=self.dashes)) is None:
            return None
        if not word.startswith("-"):
            return f"{says} {word}, which is no option: ranks would run it as their program", "leave it out of them"
        why = f"{says} {word}, of which is not known whether ranks, nodes and accelerators stay as planned"
        return why, cure(word, self.allowed)

    def remarks(self, layout: Layout, *, gpus_by: str) -> list[str]:
        """Notes about the site's own words."""
        return []

    def beside(self, scheduler_options: Sequence[str]) -> list[str]:
        """What it must be told because of the allocation's options."""
        return []

    def command(
        self, layout: Layout, *, pmi: str | None = None, exports: Sequence[str] = (), extra: Sequence[str] = (),
        placed: bool = False, gpus_by: str = "per_task",
    ) -> list[str]:  # fmt: skip
        """What stands before the command that the ranks run."""
        self.words = separated([*self.site.launcher_on(self.partition).options, *extra])
        options = self.options(layout, pmi=pmi, exports=exports, placed=placed)
        if layout.gpus_per_rank:
            options += self.accelerators(layout, by=gpus_by, placed=placed)
        return [self.program, *options, *self.placement(layout, placed=placed), *self.own(self.words)]


def separated(words: Sequence[str]) -> list[str]:
    """Words of options, one that holds an option and its value (`--network x`) as the two that they are."""
    found = []
    for word in words:
        option = re.fullmatch(r"(--?[A-Za-z][\w-]*)\s+(\S.*)", word, re.DOTALL)
        found += option.groups() if option else [word]
    return found


def said(words: Sequence[str], *spelt: str) -> str | None:
    """The value that words give to an option, by any of its spellings; the last one, which counts; None for none.

    Of a long option, getopt_long takes any beginning that is no other's (`--gpu-bin=none`: tried with srun).
    """
    value = None
    for place, word in enumerate(words):
        option, equals, rest = word.partition("=")
        short = next((name for name in spelt if len(name) == 2 and word.startswith(name) and word != name), None)
        begun = len(option) > 4 and any(name.startswith(option) and option.startswith("--") for name in spelt)
        if option in spelt or begun:
            value = rest if equals else next(iter(words[place + 1 :]), "")
        elif short:
            value = word.removeprefix(short)
    return value


_LAUNCHERS: Registry[Launcher] = Registry("launcher")
register = _LAUNCHERS.register


def known_launchers() -> list[str]:
    """The names that a site file may give as its launcher."""
    return list(_LAUNCHERS)


def launcher(site: Site, partition: Partition, environment: Path, name: str | None = None) -> Launcher:
    """The launcher called `name`; the partition's own, else the site's, where no name is given."""
    name = name or site.launcher_on(partition).name
    return _LAUNCHERS.get(name, where=f"site {site.name}")(site, partition, environment)


def unknown_launchers(site: Site) -> list[ConfigError]:
    """An error for each launcher that the site file names anywhere but that does not exist."""
    facts = [site.launcher, *(part.launcher for part in site.partitions if part.launcher)]
    names = dict.fromkeys(name for fact in facts for name in (fact.name, *fact.alternatives))
    return [
        unknown("launcher", name, _LAUNCHERS, where=f"site {site.name}") for name in names if name not in _LAUNCHERS
    ]
