"""How the ranks of a training come to one set of weights: the key `synchronisation`, and what each way sends."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from deeprc.core.errors import ConfigError
from deeprc.core.settings import Settings

if TYPE_CHECKING:  # Snakemake reads this: nothing heavy is imported
    from deeprc.learning.peers import Peers

Positive = Annotated[int, Field(gt=0)]
Kind = Literal["allreduce", "fp16", "powersgd", "post_local_sgd", "hierarchical", "diloco", "fsdp"]
# The keys of each way, and what they are when left out.
KEYS: dict[str, dict[str, Any]] = {
    "allreduce": {},
    "fp16": {},
    "powersgd": {"rank": 2, "warmup": 10},
    "post_local_sgd": {"period": 8, "warmup": 0},
    "hierarchical": {"period": 4, "across": 16, "warmup": 0, "ranks_per_node": None},
    "diloco": {"period": 20, "warmup": 0, "outer_learning_rate": 0.7, "outer_momentum": 0.9},
    "fsdp": {},
}
LOCAL = ("post_local_sgd", "hierarchical", "diloco")  # ranks have weights of their own between two rounds


class Synchronisation(Settings):
    """How ranks synchronise; docs/synchronisation.md has what each way costs and gives."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    kind: Kind = "allreduce"
    """`allreduce`: gradients of all ranks are added in each step. `fp16`, `powersgd`: so, too, but sent in half
    precision, or as matrices of low rank. `post_local_sgd`: each rank goes its own way for `period` steps, then weights
    are averaged. `hierarchical`: averaged often within a node, seldom across nodes. `diloco`: as `post_local_sgd`, but
    an outer optimiser takes the average as the end of one step. `fsdp`: as `allreduce`, but each rank keeps a part of
    every weight alone (for networks that do not fit)."""
    period: Positive | None = None
    """Steps between two averagings (of `hierarchical`: within a node)."""
    across: Positive | None = None
    """Of `hierarchical`: steps between two averagings across nodes; a multiple of `period`."""
    warmup: Annotated[int, Field(ge=0)] | None = None
    """Steps at the beginning that add whole gradients, as `allreduce` does."""
    rank: Positive | None = None
    """Of `powersgd`: the rank of the matrices."""
    outer_learning_rate: Annotated[float, Field(gt=0, le=10, allow_inf_nan=False)] | None = None
    """Of `diloco`: how far the outer optimiser (SGD with Nesterov's momentum) goes towards the average; 1: all the
    way; at most 10."""
    outer_momentum: Annotated[float, Field(ge=0, lt=1)] | None = None
    """Of `diloco`: the momentum of the outer optimiser."""
    ranks_per_node: Positive | None = None
    """Of `hierarchical`: take so many ranks each for a node, in their order; as they are placed when left out."""

    @model_validator(mode="after")
    def _keys_are_of_this_kind(self) -> Self:
        known = KEYS[self.kind]
        for key in type(self).model_fields.keys() - {"kind"} - known.keys():
            if getattr(self, key) is not None:
                others = [kind for kind, keys in KEYS.items() if key in keys]
                raise ValueError(f"{self.kind} has no key {key}; it is one of {', '.join(others)}")
        for key, usual in known.items():
            if getattr(self, key) is None:
                object.__setattr__(self, key, usual)
        if self.kind == "hierarchical" and (self.across % self.period or self.across == self.period):
            raise ValueError(f"across {self.across}: a multiple of period {self.period} that is larger than it")
        if self.kind == "powersgd" and self.warmup < 2:
            raise ValueError(f"warmup {self.warmup}: powersgd begins after 2 steps at the earliest")
        return self

    @property
    def local(self) -> bool:
        """Whether ranks have weights of their own between two rounds."""
        return self.kind in LOCAL

    def round(self, step: int, steps: int) -> Literal["all", "node"] | None:
        """Who averages weights after a step (from 1) of `steps`; after the last one everybody does."""
        since = step - self.warmup
        if since <= 0 and step < steps:
            return None
        if step == steps or since % (self.across or self.period) == 0:
            return "all"
        return "node" if since % self.period == 0 else None


def refuse(how: Synchronisation, *, ranks: int, reproducible: str) -> None:
    """Refuse what cannot be had together.

    Raises
    ------
    ValueError
        Naming both; pydantic tells where they stand.
    """
    if how.kind != "allreduce" and reproducible != "fixed":
        raise ValueError(
            f"synchronisation {how.kind} cannot be had with `reproducible: {reproducible}`: its result depends on the "
            "number of ranks; leave out one of the two"
        )
    if how.kind != "allreduce" and ranks == 1:
        raise ValueError(f"synchronisation {how.kind} needs ranks to synchronise: give ranks 2 or more")
    size = how.ranks_per_node
    if how.kind == "hierarchical" and size and (ranks % size or ranks == size):
        raise ValueError(f"ranks_per_node {size}: {ranks} ranks are not several nodes of as many ranks each")


def nodes(how: Synchronisation, peers: Peers) -> list[int]:
    """The node of each rank.

    Raises
    ------
    ConfigError
        Where ranks are to synchronise and there is one alone, or averages within nodes are asked for and all ranks are
        on one node.
    """
    if how.kind != "allreduce" and peers.size == 1:
        raise ConfigError(
            f"synchronisation {how.kind} needs ranks to synchronise",
            found="1 rank",
            expected="2 or more, as the checkpoints of such a training are of",
            fix="start more ranks, or leave out the key synchronisation: that is another training, which begins anew",
        )
    placed = peers.allgather(peers.world.node_rank)
    size = how.ranks_per_node
    found = [rank // size for rank in range(peers.size)] if size else placed
    if how.kind == "hierarchical" and len(set(found)) == 1:
        raise ConfigError(
            "synchronisation hierarchical averages within nodes and across them",
            found=f"{peers.size} ranks on one node",
            expected="ranks on several nodes",
            fix="give `kind: post_local_sgd`; or, to try it, the key ranks_per_node",
        )
    return found


@dataclass
class Traffic:
    """What ranks have sent each other, bytes, by the way that rings go (of gloo and, for large messages, of NCCL).

    A ring of k ranks that adds up n bytes sends 2 n (k - 1) / k over each of its k links; those between two ranks of
    different nodes are what a slow network carries.

    Attributes
    ----------
    nodes
        The node of each rank.
    rounds
        How often anything was sent across nodes: each one waits for the network's latency.
    """

    nodes: Sequence[int]
    within: int = 0
    across: int = 0
    rounds: int = 0

    def ring(self, size: float, groups: Iterable[Sequence[int]] | None = None, messages: int = 1) -> None:
        """Each of `groups` of ranks (all ranks, if not given) has added up vectors of `size` bytes, all together."""
        crossed = False
        for ranks in groups if groups is not None else [range(len(self.nodes))]:
            links = [self.nodes[a] != self.nodes[b] for a, b in zip(ranks, [*ranks[1:], ranks[0]], strict=True)]
            each = round(2 * size * (len(ranks) - 1) / len(ranks))
            self.across += each * sum(links)
            self.within += each * (len(links) - sum(links))
            crossed = crossed or any(links)
        self.rounds += crossed * messages

    def __str__(self) -> str:
        across, within = (f"{size / 1e6:,.1f} MB" for size in (self.across, self.within))
        return f"{across} across {len(set(self.nodes))} nodes in {self.rounds:,} rounds, {within} within nodes"

    def state(self) -> dict[str, int]:
        """What was sent until now."""
        return {"within": self.within, "across": self.across, "rounds": self.rounds}

    def load(self, state: dict[str, int]) -> None:
        """Go on counting from a checkpoint."""
        self.within, self.across, self.rounds = state["within"], state["across"], state["rounds"]
