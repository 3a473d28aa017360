"""Networks compiled by torch.compile."""

from __future__ import annotations

import os
import shutil

import torch

from deeprc.core.errors import ConfigError

COMPILERS = ("g++", "clang++", "c++")


def compiled(module: torch.nn.Module) -> None:
    """Compile a module of a class of one's own (torch leaves its own classes as they are), at its first use.

    Names of weights stay as they are.

    Raises
    ------
    ConfigError
        Where there is no C++ compiler, which torch.compile calls.
    """
    names = [name for name in (os.environ.get("CXX"), *COMPILERS) if name]
    if not any(shutil.which(name) for name in names):
        raise ConfigError(
            "the key 'optimisation.compile' needs a C++ compiler",
            found=f"none of {', '.join(names)} on the PATH",
            fix="leave out `compile: true`, or take an image with a compiler",
        )
    module.compile()
