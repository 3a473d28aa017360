"""The key `training` of an application: how its models are trained (read by Snakemake: nothing heavy is imported)."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from deeprc.core.settings import Settings

Positive = Annotated[int, Field(gt=0)]
Reproducible = Literal["fixed", "elastic"]


class How(Settings):
    """What changes how a training is computed, but not its result."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    backend: Literal["auto", "gloo", "nccl", "xccl", "mpi", "mpi4py"] = "auto"
    """What gradients travel by between ranks; `auto`: nccl (RCCL) or xccl (oneCCL) on accelerators, else gloo. `nccl`
    stands for RCCL as well. One that is not there is refused."""
    checkpoint_steps: Positive | None = None
    """Steps between two checkpoints, beside those at each validation."""
    keep: Positive = 2
    """How many of the last checkpoints are kept, beside the best."""
    staging: str | None = None
    """A folder of the node's own storage, where the copy waits that a checkpoint is written from; else in memory."""


class Training(How):
    """How the models of an application are trained."""

    ranks: Positive = 1
    """MPI ranks of each training; the batch is that of all of them together."""
    reproducible: Reproducible = "fixed"
    """`fixed`: the same weights, bit by bit, on the same number of ranks. `elastic`: on any number of ranks, also where
    a training is killed and goes on with another one; every sample is used once per epoch (`deeprc audit`)."""
    shards: Positive = 4
    """`elastic`: virtual shards of a batch, a power of 2; the most ranks that a training can have."""

    @model_validator(mode="after")
    def _ranks_share_the_shards(self) -> Self:
        if self.reproducible == "fixed":
            return self
        for key in ("ranks", "shards"):
            if (count := getattr(self, key)) & (count - 1):
                raise ValueError(f"{key} {count}: with `reproducible: elastic`, a power of 2 (1, 2, 4, …)")
        if self.ranks > self.shards:
            raise ValueError(f"ranks {self.ranks}: at most as many as shards ({self.shards})")
        return self

    def how(self) -> str:
        """The `--how` of train."""
        return self.model_dump_json(include=set(How.model_fields))
