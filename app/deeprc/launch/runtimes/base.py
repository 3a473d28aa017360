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
        The vendor of its ranks' accelerators; None for ranks without any.
    variables
        Set in the container only.
    model
        How it gets its MPI: bind, hybrid or translate; `pmi`: what that MPI speaks to the launcher; `family`: the ABI
        of the MPI in the image.
    ccl
        Whether NCCL, RCCL or oneCCL is used over several nodes.
    shares
        Whether several of its ranks are on one node.
    gpu_aware
        Whether its MPI must read and write the accelerators' memory.
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
        The suffix of its image files; None where it keeps images in a store of its own.
    """

    kind: ClassVar[str]
    one_per_node: ClassVar[bool] = False
    suffix: ClassVar[str | None] = None
    in_ranks: ClassVar[bool] = False

    def address(self, folder: str, name: str) -> str:
        """The runtime's name for this image, which the site keeps in `folder` if it is a file."""
        return f"{folder}/{name}{self.suffix}"

    def fill(self, squashfs: Path, name: str, digest: str) -> str | None:
        """Put an image into the runtime's own store, where it has one; return what to tell the user.

        Parameters
        ----------
        squashfs
            Its squashed file system.
        name, digest
            Of the image.
        """
        return None

    @abstractmethod
    def wrap(self, inside: Inside) -> list[str]:
        """What stands between the launcher and the command."""

    def hides(self, inside: Inside) -> str | None:
        """The option of the site that hides the launcher's variables from ranks; None for none."""
        return None

    def launcher_options(self, inside: Inside) -> list[str]:
        """The launcher's options, where the launcher starts the container itself."""
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
    """The suffix of the runtime's image files; None where it takes no files, or there is no runtime."""
    return _RUNTIMES.get(kind).suffix if kind in _RUNTIMES else None


def container(kind: str) -> Container:
    """The runtime of that kind."""
    return _RUNTIMES.get(kind)()
