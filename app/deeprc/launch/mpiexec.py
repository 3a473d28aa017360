"""Hydra, MPICH's own launcher; the `mpich` wheel brings it into the environment."""

from __future__ import annotations

import shlex
from pathlib import Path

from deeprc.errors import ConfigError
from deeprc.launch.base import Launcher, Layout, register


@register("mpiexec")
class Mpiexec(Launcher):
    """The environment's own `mpiexec`, named by its path: another MPI's would start each rank as a world of its own."""

    method = "MPIEXEC"

    @property
    def program(self) -> Path:
        """The path of `mpiexec`."""
        path = self.environment / "bin" / "mpiexec"
        if not path.is_file():
            raise ConfigError("the environment has no mpiexec", found=f"no {path}", fix="pip install mpich")
        return path

    def command(self, layout: Layout) -> list[str]:
        """`mpiexec -np RANKS`; RADICAL-Pilot adds the file of hosts (`-f`)."""
        return [str(self.program), "-np", str(layout.ranks)]

    def pilot_settings(self) -> dict:
        """RADICAL-Pilot takes the first `mpiexec` on its launcher's PATH, which does not hold the environment."""
        return {"pre_exec_cached": [f"export PATH={shlex.quote(str(self.program.parent))}:$PATH"]}
