"""What Spack would compile MPI programs with. Run by `spack -e ENVIRONMENT python`, before anything is built.

No file of Deep RC is imported, and no other one but Spack's. Exit 1 where a facility's MPI lacks the wrapper that Spack
takes, or where that is not the facility's: Spack itself would go on, and build without MPI.
"""

import os
import sys
import types
from pathlib import Path

import spack.environment


def main() -> int:
    """Ask the recipe of the MPI, as the build of a package would."""
    nodes = spack.environment.active_environment().all_specs()
    for spec in nodes:
        for mpi in [
            edge.spec for edge in spec.edges_to_dependencies() if "mpi" in edge.virtuals and edge.spec.external
        ]:
            mpi.package.setup_dependent_package(types.ModuleType(spec.name), spec)
            wrapper = str(getattr(mpi, "mpicc", None))
            # The folder counts: wrappers are often links to a program beside them, or to the system's alternatives.
            inside = Path(wrapper).parent.resolve().is_relative_to(Path(mpi.prefix).resolve())
            if not (inside and os.access(wrapper, os.X_OK)):
                print(
                    f"error: Spack would compile {spec.name} with another thing than the wrappers of {mpi.name}",
                    f"  found: {wrapper}",
                    f"  expected: a program below {mpi.prefix}",
                    "  fix: correct version, modules and prefix of the site file's mpi.build",
                    sep="\n",
                    file=sys.stderr,
                )
                return 1
            print(f"MPI programs are compiled with {mpi.mpicc}")
            return 0
    return 0


sys.exit(main())
