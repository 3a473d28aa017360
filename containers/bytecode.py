"""Compiles Python files, each to the same bytes whatever was compiled before it; runs while an image is built.

What one process compiles shares strings with what it compiled before, and marshal writes which strings are shared: so
two runs of compileall differ in some files (python/cpython#78274). Here each file is compiled by a fork of a process
that has compiled none. Of files that no Python of this version can compile there is no bytecode, as with compileall.

It needs Python's standard library only, from 3.8 on.
"""

import os
import py_compile
import sys

MODE = py_compile.PycInvalidationMode.UNCHECKED_HASH  # images are read-only, and their times are all the same


def main(folders):
    """Compile every file under `folders`, on all processors."""
    children = 0
    for folder in folders:
        for path in sources(folder):
            if children >= (os.cpu_count() or 1):
                os.wait()
                children -= 1
            if os.fork() == 0:
                compile_alone(path)
            children += 1
    while children:
        os.wait()
        children -= 1


def sources(folder):
    """The Python files under a folder, sorted."""
    for path, inner, files in os.walk(folder):
        inner.sort()
        for name in sorted(files):
            if name.endswith(".py"):
                yield f"{path}/{name}"


def compile_alone(path):
    """Compile one, and end this process."""
    try:
        py_compile.compile(path, doraise=True, quiet=2, invalidation_mode=MODE)
    except Exception:
        pass  # it is for another Python
    finally:
        os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
