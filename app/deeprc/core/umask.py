"""The umask: what the user's new files let others do."""

from __future__ import annotations

import os
import stat
from functools import cache

from deeprc.core.ownership import OwnershipError

PRIVATE = 0o077  # the umask of what is nobody else's business


@cache
def own_umask() -> str:
    """The umask that the user's files have, in octal.

    It is read by setting it: what another thread makes in that moment is closed to others.
    """
    mask = os.umask(PRIVATE)
    os.umask(mask)
    return f"{mask:04o}"


def require_umask() -> None:
    """Raise an OwnershipError where everybody may write to what the user makes, and so to what is run from it.

    Snakemake makes the folders that it runs scripts from with the user's umask.
    """
    if not int(own_umask(), 8) & stat.S_IWOTH:
        raise OwnershipError(
            "everybody may write to what you make, also to scripts that are run",
            where="umask",
            found=own_umask(),
            expected="one that keeps others from writing",
            fix="`umask 022`, and the same command again; to keep it so, put it where your shell starts",
        )
