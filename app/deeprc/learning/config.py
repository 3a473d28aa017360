"""The key `training` of an application: how its models are trained (read by Snakemake: nothing heavy is imported)."""

from __future__ import annotations

import os
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from deeprc.core.settings import Settings
from deeprc.learning.backends import DEVICE
from deeprc.learning.synchronisation import Synchronisation, refuse
from deeprc.learning.tracking import refuse_secret

Positive = Annotated[int, Field(gt=0)]
Reproducible = Literal["fixed", "elastic"]
Schedule = Literal["one_cycle", "cosine", "linear", "constant", "halved"]
Device = Literal["auto", "cpu", "cuda", "xpu"]
Precision = Literal["float32", "bfloat16", "float16", "tf32"]


class How(Settings):
    """What changes how a training is computed, but not its result."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    device: Device = "auto"
    """What models are trained and used on, in torch's names: `cpu`, or an accelerator for each rank: `cuda` (NVIDIA's
    and AMD's), `xpu` (Intel's). `auto`: an accelerator where the site has them. One that is not there is refused."""
    backend: Literal["auto", "gloo", "nccl", "xccl", "mpi", "mpi4py"] = "auto"
    """What gradients travel by between ranks; `auto`: nccl (RCCL) or xccl (oneCCL) on accelerators, else gloo. `nccl`
    stands for RCCL as well. One that is not there is refused."""
    checkpoint_steps: Positive | None = None
    """Steps between two checkpoints, beside those at each validation."""
    keep: Positive = 2
    """How many of the last checkpoints are kept, beside the best."""
    staging: str | None = None
    """A folder of the node's own storage, where the copy waits that a checkpoint is written from; else in memory."""
    mlflow: Annotated[str, Field(min_length=1)] | None = None
    """The URI of an MLflow that is told of losses; MLFLOW_TRACKING_URI of the environment when left out; `none`."""


class Training(How):
    """How the models of an application are trained."""

    ranks: Positive = 1
    """MPI ranks of each training; the batch is that of all of them together."""
    reproducible: Reproducible = "fixed"
    """`fixed`: the same weights, bit by bit, on the same number of ranks. `elastic`: on any number of ranks, also where
    a training is killed and goes on with another one. Both use every sample once per epoch (`deeprc audit`)."""
    shards: Positive = 4
    """`elastic`: virtual shards of a batch, a power of 2; the most ranks that a training can have."""
    precision: Precision = "float32"
    """What networks are computed in while they learn: `bfloat16`, `float16` (accelerators only) or `tf32` (NVIDIA's,
    from Ampere on). Weights, the sums of gradients, losses and forecasts are float32 in any case, as are validations
    except with `tf32`."""

    @model_validator(mode="after")
    def _the_device_computes_in_it(self) -> Self:
        if self.device == "cpu" and self.precision in ("float16", "tf32"):
            raise ValueError(f"precision {self.precision}: it is for accelerators, and the device is cpu")
        if self.device == "xpu" and self.precision == "tf32":
            raise ValueError("precision tf32: it is NVIDIA's, and the device is xpu")
        needed = DEVICE.get(self.backend, self.device)
        if self.device not in ("auto", needed):
            raise ValueError(f"backend {self.backend}: it is for the device {needed}, and the device is {self.device}")
        return self

    @model_validator(mode="after")
    def _ranks_share_the_shards(self) -> Self:
        if self.reproducible == "fixed":
            if self.shards != type(self).model_fields["shards"].default:  # a configuration written out has all keys
                raise ValueError(
                    f"shards {self.shards}: they are of `reproducible: elastic`; give that, or leave them out"
                )
            return self
        for key in ("ranks", "shards"):
            if (count := getattr(self, key)) & (count - 1):
                raise ValueError(f"{key} {count}: with `reproducible: elastic`, a power of 2 (1, 2, 4, …)")
        if self.ranks > self.shards:
            raise ValueError(f"ranks {self.ranks}: at most as many as shards ({self.shards})")
        return self

    def refuse_batch(self, batch: int, whose: str = "") -> None:
        """Refuse a batch that does not give each rank a sample; `whose` ends what is said of it."""
        if batch < self.ranks:
            raise ValueError(
                f"batch_size {batch}{whose}: less than a window for each of {self.ranks} ranks; give a larger one, or "
                "fewer training.ranks"
            )

    @property
    def told(self) -> str | None:
        """The MLflow that is told of losses."""
        uri = self.mlflow or os.environ.get("MLFLOW_TRACKING_URI") or None
        return None if uri == "none" else uri

    def how(self, device: Device | None = None) -> str:
        """The `--how` of train, with the device that is known by then.

        Raises
        ------
        ConfigError
            Where an MLflow is to be told whose URI holds a password.
        """
        if self.told:
            refuse_secret(self.told)
        known = {"mlflow": self.told, "device": device or self.device}
        return How(**self.model_dump(include=set(How.model_fields)) | known).model_dump_json()


class Halving(Settings):
    """Successive halving of a sweep's trials (docs/sweeps.md)."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    first: Positive = 1
    """The validation at which trials are compared first; then at `factor` times that, and so on."""
    factor: Annotated[int, Field(ge=2)] = 2
    """One of so many goes on."""


class Rivalry(Halving):
    """That of one trial, which knows of which sweep it is."""

    sweep: str = ""
    """Told by what its trials have in common: losses are compared among those where it is the same."""


class Optimisation(Settings):
    """How a step is made of its gradient, and that of its samples."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    accumulate: Positive = 1
    """Parts that a rank's share of a batch is computed in, one after the other: less memory, the same gradient."""
    clip: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    """The largest norm of a gradient; a longer one is shortened to it."""
    schedule: Schedule = "one_cycle"
    """Of the learning rate: `one_cycle` (Smith and Topin 2019, arXiv:1708.07120); or it rises for a twentieth of the
    steps and then falls to nothing as a `cosine` or `linear`, or stays (`constant`); or it is halved with each fifth of
    them, from the third on (`halved`: as by Informer's authors, arXiv:2012.07436, and many after them)."""
    compile: bool = False
    """Compile the network by torch.compile, which takes up to some minutes and a C++ compiler where it runs."""
    validations: Positive = 6
    """How often the model is validated, evenly spread over its steps; the weights of the smallest loss are kept."""
    patience: Positive | None = None
    """Validations without a smaller loss that end the training; it goes through all its steps when left out."""
    halving: Rivalry | None = None
    """What the key `halving` of a sweep gives its trials; not to be given by itself."""


class TorchTraining(Training):
    """The same for models in PyTorch."""

    optimisation: Optimisation = Optimisation()
    """Accumulation, clipping, schedule and compilation."""

    synchronisation: Synchronisation = Synchronisation()
    """How ranks come to one set of weights (docs/synchronisation.md)."""

    @property
    def least_ranks(self) -> int:
        """The fewest that it can have: the ways of synchronisation but one need ranks to synchronise."""
        return 1 if self.synchronisation.kind == "allreduce" else 2

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        refuse(self.synchronisation, ranks=self.ranks, reproducible=self.reproducible)
        if self.reproducible == "elastic" and self.optimisation.accumulate > 1:
            raise ValueError("accumulate: `reproducible: elastic` computes shards one by one: give more of them")
        if self.precision == "float16" and self.synchronisation.kind == "powersgd":
            raise ValueError(
                "precision float16: powersgd keeps what it did not send, which a gradient too large spoils"
            )
        if self.reproducible == "elastic" and self.optimisation.compile:
            raise ValueError("compile: what is compiled is not promised to give the bits of `reproducible: elastic`")
        return self

    def refuse_batch(self, batch: int, whose: str = "") -> None:
        """Refuse a batch that gives a rank no sample, or fewer than the parts that its share is to be cut in."""
        super().refuse_batch(batch, whose)
        if (parts := self.optimisation.accumulate) > (share := batch // self.ranks):
            raise ValueError(
                f"accumulate {parts}: batch_size {batch}{whose} has no more than {share} windows for a rank; "
                "give at most so many parts"
            )

    @model_validator(mode="after")
    def _backend_carries_it(self) -> Self:
        if self.reproducible == "fixed" and self.ranks > 1 and self.backend == "mpi4py":
            raise ValueError("backend mpi4py carries `reproducible: elastic` alone: auto, gloo, nccl, xccl or mpi")
        if self.reproducible == "elastic" and self.backend not in ("auto", "mpi4py"):
            raise ValueError(f"backend {self.backend}: `reproducible: elastic` is carried by mpi4py")
        return self
