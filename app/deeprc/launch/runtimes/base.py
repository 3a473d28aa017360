"""What every container runtime has, and the register that it is found in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from deeprc.core.registry import Registry
from deeprc.sites.hardware import Vendor

HOST_MPI = "/opt/host-mpi"  # where the host's MPI is seen in a container


@dataclass(frozen=True)
class Inside:
    """What a task needs to find in its container.

    Attributes
    ----------
    image
        The path or the name of the image.
    vendor
        Whose accelerators its ranks have; None for ranks without.
    variables
        Set in the container only.
    model
        How its MPI comes to it: bind, hybrid or translate; `pmi` what it then speaks to the launcher; `family` the ABI
        of the MPI that is in the image.
    ccl
        Whether NCCL, RCCL or oneCCL is used over several nodes.
    shares
        Whether several ranks of it lie on one node.
    gpu_aware
        Whether its MPI is to read and write the accelerators' memory.
    passes
        Names of the job's variables that ranks must see, for runtimes that hide them.
    brings
        The site's flags for parts of the host, see `deeprc.sites.software.Runtime`.
    """

    image: str
    vendor: Vendor | None = None
    binds: list[str] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)
    model: str = "hybrid"
    pmi: str | None = None
    family: str = "mpich"
    ccl: bool = False
    shares: bool = False
    gpu_aware: bool = False
    passes: list[str] = field(default_factory=list)
    brings: dict[str, str] = field(default_factory=dict)
    home: bool = False
    clean_environment: bool = False


class Container(ABC):
    """A program that runs a command in an image.

    Attributes
    ----------
    one_per_node
        A node's ranks are in one container, which holds all accelerators of the node.
    in_ranks
        Each rank starts its container itself.
    suffix
        Of the files that it takes as images; None where it has a store of its own.
    """

    kind: ClassVar[str]
    one_per_node: ClassVar[bool] = False
    suffix: ClassVar[str | None] = None
    in_ranks: ClassVar[bool] = False

    def address(self, folder: str, name: str) -> str:
        """What it calls the image of that name, which a site keeps in `folder` if it is a file."""
        return f"{folder}/{name}{self.suffix}"

    def fill(self, squashfs: Path, name: str, digest: str) -> str | None:
        """Put an image into the runtime's own store, where it has one; what is then to be said of it.

        Parameters
        ----------
        squashfs
            Its file system.
        name, digest
            Of the image.
        """
        return None

    @abstractmethod
    def wrap(self, inside: Inside) -> list[str]:
        """What stands between the launcher and the command."""

    def hides(self, inside: Inside) -> str | None:
        """The word by which the site keeps from ranks what their launcher tells them by variables; None for none."""
        return None

    def launcher_options(self, inside: Inside) -> list[str]:
        """What the launcher is told, where it starts the container itself."""
        return []

    def files(self, inside: Inside) -> dict[str, str]:
        """Files that must be written before, each path with its text."""
        return {}

    def variables(self, inside: Inside) -> dict[str, str]:
        """Variables of the host that set those in the container; `wrap` may do that instead."""
        return {}


_RUNTIMES: Registry[Container] = Registry("container runtime", "kind")
register = _RUNTIMES.register


def suffix(kind: str) -> str | None:
    """What ends the names of the files that it takes as images; None where it takes none, or there is no runtime."""
    return _RUNTIMES.get(kind).suffix if kind in _RUNTIMES else None


def container(kind: str) -> Container:
    """The runtime of that kind."""
    return _RUNTIMES.get(kind)()
