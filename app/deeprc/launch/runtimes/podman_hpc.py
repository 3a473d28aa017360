"""NERSC's podman-hpc."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import ClassVar, get_args

from deeprc.core.errors import ConfigError
from deeprc.images.errors import ImageError
from deeprc.images.tree import write_tar
from deeprc.launch.runtimes.base import Container, Inside, register
from deeprc.sites.hardware import VISIBLE
from deeprc.sites.software import Part

# The modules that podman-hpc comes with: etc/modules.d/*.yaml of NERSC/podman-hpc.
DIGEST = "deeprc.digest"
BRINGS = {part: f"--{part}" for part in get_args(Part)}


@register("podman-hpc")
class PodmanHpc(Container):
    """`podman-hpc shared-run`: one container per node, which the node's ranks share.

    Flags bring libraries of the host, a site's own or those that it comes with: `--mpi` and `--cuda-mpi` Cray MPICH,
    `--nccl` the OFI plugin, `--gpu` the driver. It passes on SLURM_*, PALS_* and PMI_* and hides all other variables of
    the job; `--env NAME` passes on one, with the value that each rank has. What is said after the flags, as
    LD_LIBRARY_PATH, replaces theirs.
    """

    one_per_node: ClassVar[bool] = True

    def address(self, folder: str, name: str) -> str:
        """An image of podman's own store: it runs no files."""
        return f"localhost/deeprc/{name}"

    def fill(self, squashfs: Path, name: str, digest: str) -> str | None:
        """`podman-hpc import` and `migrate`, as its `pull` does; nothing where the image of that digest is there.

        The label `deeprc.digest` says which that is.
        """
        program, address = shutil.which("podman-hpc"), self.address("", name)
        if program is None:
            return f"podman-hpc is not here: on the site, the same command fills its store with {address}"
        asked = [program, "image", "inspect", "--format", f'{{{{ index .Labels "{DIGEST}" }}}}', address]
        if subprocess.run(asked, capture_output=True, text=True).stdout.strip() == digest:
            return f"{address} is in podman-hpc's store already"
        with tempfile.TemporaryDirectory(prefix="deeprc-podman-") as folder:
            write_tar(squashfs, tar := Path(folder) / "root.tar")
            for words in (["import", "--change", f"LABEL {DIGEST}={digest}", str(tar), address], ["migrate", address]):
                done = subprocess.run([program, *words], capture_output=True, text=True)
                if done.returncode:
                    found = f"exit code {done.returncode}: {(done.stderr or done.stdout).strip()[-500:]}"
                    raise ImageError(f"podman-hpc {words[0]} of {address} failed", where=squashfs, found=found)
        return f"{address} is in podman-hpc's store"

    def wrap(self, inside: Inside) -> list[str]:
        """`podman-hpc shared-run --rm <modules> <binds> <variables> image`."""
        line = ["podman-hpc", "shared-run", "--rm", *([_flag(inside, "gpu")] if inside.vendor else []), *inside.flags]
        if inside.model == "bind":
            line.append(_flag(inside, "cuda-mpi" if inside.vendor == "nvidia" and inside.gpu_aware else "mpi"))
        elif inside.model == "hybrid" and inside.family == "openmpi" and inside.pmi in ("pmi2", "pmix"):
            line.append(_flag(inside, f"openmpi-{inside.pmi}"))
        if inside.ccl:
            line.append(_flag(inside, "nccl"))
        if inside.home:
            line.append("--home")
        for bind in inside.binds:
            line += ["--volume", bind if ":" in bind else f"{bind}:{bind}"]
        for name in [*inside.passes, *([VISIBLE[inside.vendor]] if inside.vendor else [])]:
            line += ["--env", name]
        for name, value in inside.variables.items():
            line += ["--env", f"{name}={value}"]
        return [*line, "--workdir", "$PWD", inside.image]


def _flag(inside: Inside, part: Part) -> str:
    """The flag that brings this part of the host."""
    brings = inside.brings or BRINGS
    if part not in brings:
        raise ConfigError(
            f"this site's podman-hpc has no flag that brings {part} into a container",
            found=f"runtime.brings: {', '.join(brings)}",
            fix=f"add {part} and its flag (podman-hpc shared-run --help), or run without an image",
        )
    return brings[part]
