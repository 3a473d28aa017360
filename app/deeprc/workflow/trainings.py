"""What the key `training` asks of where jobs run: accelerators, backends, MLflow; known before anything queues."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from deeprc.applications.base.application import Application
from deeprc.applications.config import Config
from deeprc.core.errors import ConfigError
from deeprc.learning.backends import DEVICE
from deeprc.learning.config import Training
from deeprc.learning.tracking import refuse_absent

if TYPE_CHECKING:
    from snakemake_executor_plugin_radical_pilot.accelerators import There

NAMES = {"nvidia": "cuda", "amd": "cuda", "intel": "xpu"}  # as torch calls their devices
KNOWN = {"torch": ("cuda", "xpu"), "tensorflow": ("cuda",)}  # of the kinds of stages
USERS = ("train", "predict")  # the stages that accelerators are for
ONLY_THERE = ("float16", "tf32")  # precisions of accelerators
ASKS = "import torch.distributed as d; print(d.is_available() and d.is_backend_available('mpi'))"


@dataclass(frozen=True)
class Trainings:
    """The trainings of a configuration, as the jobs of a command line would make them.

    Attributes
    ----------
    there
        What pilots have; None where jobs go elsewhere: then `device` stays as it is, and the job finds what there is.
    imaged
        Whether jobs run in images; what is in this Python then says nothing of them.
    holds
        The packages in the image, where that is known.
    """

    config: Config
    there: Sequence[There] | None = None
    imaged: bool = False
    holds: Callable[[], set[str] | None] = field(default=lambda: None)

    def device(self, application: Application, training: Training) -> str:
        """What its models are told to compute on: `cpu` where jobs get no accelerators, whatever they might see."""
        if self.there is None or self.gpus(application, training):
            return training.device
        return "cpu"

    def gpus(self, application: Application, training: Training) -> int:
        """The accelerators of each rank of its trainings and forecasts."""
        if self.there is None:
            return int(training.device not in ("auto", "cpu"))
        return int(training.device != "cpu" and any(True for _ in self._usable(application, training.device)))

    def comm(self, application: Application, training: Training) -> str:
        """What its ranks talk through: PyTorch's gradients by NCCL (or its like) on accelerators, all else by MPI."""
        by_ccl = self._stage(application) == "torch" and training.backend in ("auto", "nccl", "xccl")
        several = training.ranks > 1 and training.reproducible == "fixed"
        return "both" if by_ccl and several and self.gpus(application, training) else "mpi"

    def accelerated(self, application: Application) -> bool:
        """Whether any of its trainings asks for accelerators."""
        return any(self.gpus(application, training) for training in self._of(application))

    def refused(self) -> Iterator[ConfigError]:
        """An error for each thing that trainings ask for and that is not where they would run."""
        found: dict[str, ConfigError] = {}
        for application in self.config.applications():
            for training in self._of(application):
                for error in self._refused(application, training):
                    found[str(error)] = error
        yield from found.values()

    def _of(self, application: Application) -> list[Training]:
        cases = (getattr(case.options, "training", None) for case in self.config.cases(application))
        return [training for training in cases if isinstance(training, Training)]

    def _stage(self, application: Application) -> str:
        return application.needs[0].stage if application.needs else ""

    def _usable(self, application: Application, asked: str) -> Iterator[There]:
        names = KNOWN.get(self._stage(application), ()) if asked == "auto" else (asked,)
        for each in self.there or ():
            if each.count and NAMES[each.vendor] in names and self._unfit(application, each) is None:
                yield each

    def _unfit(self, application: Application, where: There) -> str | None:
        """Why its stages cannot use the accelerators there."""
        stage = self._stage(application)
        if where.image is None:
            return for_processors(stage)
        if stage not in where.image.stages:
            return f"the image {where.image.name} holds no {stage}"
        return where.refused

    def _refused(self, application: Application, training: Training) -> Iterator[ConfigError]:
        key = f"{application.name}.training"
        if self.there is not None and not self.gpus(application, training):
            found = "; ".join(self._told(application, each) for each in self.there)
            fix = "take a partition that has them (--radical-pilot-partition)"
            if training.device not in ("auto", "cpu"):
                yield ConfigError(
                    f"key '{key}.device': the device {training.device} is not there", found=found,
                    expected=f"accelerators that {self._stage(application)} calls {training.device}",
                    fix=f"{fix}, or leave the key out",
                )  # fmt: skip
            elif training.precision in ONLY_THERE:
                yield ConfigError(
                    f"key '{key}.precision': {training.precision} is for accelerators, and models would be trained on"
                    " processors", found=found, expected="an accelerator", fix=f"{fix}, or give float32 or bfloat16",
                )  # fmt: skip
            elif training.backend in ("nccl", "xccl"):
                yield ConfigError(
                    f"key '{key}.backend': {training.backend} is for accelerators, and models would be trained on"
                    " processors", found=found, expected="an accelerator", fix=f"{fix}, or give auto",
                )  # fmt: skip
        elif self.there is not None:
            yield from self._of_other_vendors(application, training, key)
        if training.backend == "mpi" and training.ranks > 1 and (why := self._without_mpi()):
            yield ConfigError(
                f"key '{key}.backend': mpi is not there", found=why,
                expected="a torch built from source against the site's MPI: the images of Spack have it, wheels do not",
                fix="give auto or gloo, or an image of Spack (--radical-pilot-image)",
            )  # fmt: skip
        if training.told:
            try:
                self._refuse_without_mlflow(key)
            except ConfigError as error:
                yield error

    def _of_other_vendors(self, application: Application, training: Training, key: str) -> Iterator[ConfigError]:
        usable = [*self._usable(application, training.device)]
        found = "; ".join(map(str, usable))
        if training.precision == "tf32" and all(each.vendor != "nvidia" for each in usable):
            yield ConfigError(
                f"key '{key}.precision': tf32 is not there", found=found,
                expected="a GPU of NVIDIA, of Ampere (A100) or later", fix="give float32 or bfloat16",
            )  # fmt: skip
        needed = DEVICE.get(training.backend)
        if needed and all(NAMES[each.vendor] != needed for each in usable):
            yield ConfigError(
                f"key '{key}.backend': {training.backend} is not there", found=found,
                expected=f"accelerators that torch calls {needed}", fix="give auto",
            )  # fmt: skip

    def _told(self, application: Application, where: There) -> str:
        why = self._unfit(application, where) if where.count else None
        return f"{where} ({why})" if why else str(where)

    def _without_mpi(self) -> str | None:
        """Why torch has no MPI where ranks run."""
        if not self.imaged:
            done = subprocess.run([sys.executable, "-P", "-c", ASKS], capture_output=True, text=True)
            return None if done.stdout.strip() != "False" else f"torch {_version('torch')}, which was built without it"
        images = {each.image.name: each.image for each in self.there or () if each.image}
        wheels = [name for name, image in images.items() if image.route == "wheel"]
        return f"the image {', '.join(wheels)}, whose torch is a wheel" if wheels else None

    def _refuse_without_mlflow(self, key: str) -> None:
        if not self.imaged:
            refuse_absent()
        elif (held := self.holds()) is not None and "mlflow" not in held:
            raise ConfigError(
                "MLflow is to be told of losses, and the image that jobs run in lacks it",
                found="no mlflow in its SBOM",
                fix=f"give the key '{key}.mlflow' none, or an image that holds it (--radical-pilot-image)",
            )


def for_processors(stage: str) -> str | None:
    """Why the framework of this Python uses no accelerators, where its version says so."""
    if stage == "torch" and _version("torch").endswith("+cpu"):
        return f"torch {_version('torch')} is built for processors alone"
    if stage == "tensorflow" and not _version("tensorflow") and _version("tensorflow-cpu"):
        return f"tensorflow-cpu {_version('tensorflow-cpu')} is built for processors alone"
    return None


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""
