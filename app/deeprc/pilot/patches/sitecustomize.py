"""Changes RADICAL-Pilot's processes as they import it; Python reads this at their start (PYTHONPATH has its folder).

What is changed, and why, stands in the table (`deeprc_table`); a change is made right after its module was imported, if
that is what the change was made for. Otherwise the process ends with one sentence.

It stands alone: it is read before anything else, in environments that may have no deeprc, and must never fail there.
"""

import importlib.abc
import importlib.util
import os
import sys
from importlib.machinery import PathFinder

MODULES = ("radical", "psij", "zmq")  # the table is read where one of these is imported
AGENT = "radical-pilot-agent_0"  # the program that starts bridges and components on the pilot's first node


class Finder(importlib.abc.MetaPathFinder):
    """Changes a module right after it was imported."""

    left = None  # the patches to come, by their modules

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in MODULES:
            return None
        if self.left is None:
            import deeprc_table

            if os.path.basename(sys.argv[0]) == AGENT:
                import deeprc_forks

                deeprc_forks.begin()
            self.left = {patch.module: patch for patch in deeprc_table.TABLE if deeprc_table.wanted(patch, os.environ)}
        patch = self.left.pop(name, None)
        spec = importlib.util.find_spec(name) if patch else None
        if spec is None:
            return None
        load = spec.loader.exec_module

        def exec_module(module):
            load(module)
            apply(patch, module)

        spec.loader.exec_module = exec_module
        return spec


def apply(patch, module):
    """Change the module; end this process where it is not what the change was made for."""
    import deeprc_table
    import deeprc_watch

    problem = deeprc_table.problem(patch, deeprc_table.folder(patch))
    if problem:
        deeprc_watch.end(problem)
    name, _, function = patch.change.partition(":")
    getattr(importlib.import_module(name), function)(module)


def others():
    """Run the `sitecustomize` that this one hides, the environment's own: the next one where Python looks."""
    here = os.path.dirname(os.path.abspath(__file__))
    folders = [os.path.abspath(folder or ".") for folder in sys.path]
    spec = PathFinder.find_spec("sitecustomize", folders[folders.index(here) + 1 :] if here in folders else folders)
    if spec is not None:
        spec.loader.exec_module(importlib.util.module_from_spec(spec))


sys.meta_path.insert(0, Finder())
others()
