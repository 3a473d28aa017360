"""For the ranks of a job: an MPI world of the wrong size ends the job, whoever wrote the program.

The MPI library of another launcher starts every rank as a world of one. Each then does the whole work and exits with 0;
the results are those of one rank, or of none. Here the first import of `mpi4py.MPI` compares the world with the number
of ranks that the job asked for ($DEEPRC_RANKS). `DEEPRC_ANY_WORLD=1` turns that off, for programs that start worlds of
their own. Read by Python at its start (PYTHONPATH names this folder), so it stands alone and must not fail.
"""

import importlib.abc
import importlib.util
import os
import sys

EXIT = 70  # EX_SOFTWARE: not a code that programs use for their own errors


def check(mpi):
    """Compare the world, if the import has opened it, with what was asked for."""
    ranks = int(os.environ["DEEPRC_RANKS"])
    if not mpi.Is_initialized() or mpi.COMM_WORLD.Get_size() == ranks:
        return
    library = mpi.Get_library_version().split("\n")[0].rstrip("\0 ")
    print(
        f"error: the MPI world has {mpi.COMM_WORLD.Get_size()} ranks, the job {ranks}\n"
        f"  found: {library}, loaded by {mpi.__file__}\n"
        "  expected: the MPI library that belongs to the launcher of this site\n"
        "  fix: install mpi4py for that MPI, or take the image that is built for this site",
        file=sys.stderr,
        flush=True,
    )
    os._exit(EXIT)


class Finder(importlib.abc.MetaPathFinder):
    """Calls `check` right after the first import of `mpi4py.MPI`."""

    def find_spec(self, name, path=None, target=None):
        if name != "mpi4py.MPI":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None:
            load = spec.loader.exec_module

            def exec_module(module):
                load(module)
                check(module)

            spec.loader.exec_module = exec_module
        return spec


def others():
    """Run the `sitecustomize` that this one hides."""
    here = os.path.dirname(os.path.abspath(__file__))
    for folder in sys.path:
        path = os.path.join(folder or ".", "sitecustomize.py")
        if os.path.abspath(folder or ".") != here and os.path.isfile(path):
            spec = importlib.util.spec_from_file_location("sitecustomize", path)
            spec.loader.exec_module(importlib.util.module_from_spec(spec))
            return


if os.environ.get("DEEPRC_RANKS", "1").isdigit() and not os.environ.get("DEEPRC_ANY_WORLD"):
    sys.meta_path.insert(0, Finder())
others()
