"""The site file's model. Unknown keys are refused, so that a misspelt fact cannot pass for an absent one."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, model_validator

from deeprc.errors import unknown
from deeprc.sites import detect


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Partition(_Strict):
    """Nodes of one kind. `detect` in the file stands for what this machine has.

    Attributes
    ----------
    cores
        Cores of a node that ranks may use.
    memory_mb
        Memory of a node, MB (10^6 bytes).
    gpus
        Accelerators of a node.
    """

    name: str
    nodes: PositiveInt = 1
    cores: PositiveInt
    memory_mb: PositiveInt
    gpus: int = Field(0, ge=0)

    @model_validator(mode="before")
    @classmethod
    def _detect(cls, data: object) -> object:
        found = {"cores": detect.cores, "memory_mb": detect.memory_mb}
        if not isinstance(data, dict):
            return data
        return {k: found[k]() if v == "detect" and k in found else v for k, v in data.items()}


class Site(_Strict):
    """A machine, as its site file says."""

    name: str
    description: str
    status: Literal["active", "retired"] = "active"
    contact: str
    url: str
    scheduler: Literal["fork"]
    launcher: Literal["mpiexec"]
    interconnect: str
    partitions: list[Partition] = Field(min_length=1)

    def partition(self, name: str | None = None) -> Partition:
        """The partition called `name`; the first one where no name is given."""
        if name is None:
            return self.partitions[0]
        by_name = {partition.name: partition for partition in self.partitions}
        if name not in by_name:
            raise unknown("partition", name, by_name, where=f"site {self.name}")
        return by_name[name]
