"""What a container sees of the machine: the folders of its job, and only those variables that it needs."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

from deeprc.core.errors import ConfigError
from deeprc.launch import Plan
from deeprc.launch.text import shell_word
from deeprc.schedulers import schedulers
from deeprc.sites import Site

# The runtimes that take folders from a variable and show containers all variables of the host.
VARIABLE = {"apptainer": "APPTAINER_BIND", "singularity": "SINGULARITY_BIND"}
# Variables from launchers to ranks and from batch systems to jobs, for network and accelerators, and the pilot's own.
KEPT = (
    "PMI_*", "PMI2_*", "PMIX_*", "PALS_*", "OMPI_*", "OPAL_*", "PRTE_*", "HYDRA_*", "HYDI_*", "MPI_*", "MPIR_*",
    "MPICH_*", "I_MPI_*", "MV2_*", "JSM_*", "FLUX_*", "ALPS_*", "RP_*",
    *(pattern for one in schedulers() if one.engine for pattern in one.tells),
    "SLINGSHOT_*",  # the job's share of the network: without it libfabric opens no cxi (Slurm, switch_hpe_slingshot.c)
    "FI_*", "UCX_*", "NCCL_*", "RCCL_*", "CCL_*", "HSA_*", "*_VISIBLE_DEVICES", "ZE_*", "OMP_*", "*_NUM_THREADS",
    # How numerical libraries choose their instructions: without these an image would compute different last digits.
    "OPENBLAS_CORETYPE", "MKL_*", "KMP_*", "DNNL_*", "ONEDNN_*", "TF_ENABLE_ONEDNN_OPTS", "ATEN_CPU_CAPABILITY",
    "NPY_*_CPU_FEATURES", "GLIBC_TUNABLES",
    "DEEPRC_PILOT", "APPTAINER*", "SINGULARITY*", "PATH", "HOME", "USER", "LOGNAME", "TERM", "TZ", "LANG", "LC_*",
)  # fmt: skip


def knows(site: Site) -> bool:
    """Whether it is decided here what the site's containers see."""
    return site.runtime.kind in VARIABLE


def folders(paths: Iterable[str | Path]) -> list[Path]:
    """The folders of these files and folders, and of what their links lead to; folders within others are left out."""
    found = {folder for path in map(Path, paths) for folder in (_folder(path.absolute()), _folder(path.resolve()))}
    return sorted(path for path in found if not any(parent in found for parent in path.parents))


def contained(site: Site, plan: Plan, command: Sequence[str], binds: Sequence[Path], keep: Iterable[str]) -> str:
    """A rank's command in its container, as shell: in a subshell, with only the variables that it may see.

    The words come first: paths in them may name variables (`$SCRATCH`) that the container must not see.

    Parameters
    ----------
    binds
        Folders that the container must see, under their own names.
    keep
        Variables that it sees beside the launcher's: the job's own.
    """
    for path in binds:
        if set(",:") & set(str(path)):
            raise ConfigError(
                "a container cannot be given a folder with a comma or a colon in its name", found=path, fix="rename it"
            )
    bound = ",".join(map(str, binds))
    patterns = "|".join([*KEPT, *plan.environment, *keep, *site.runtime.environment])
    name = VARIABLE[site.runtime.kind]
    words = " ".join([*map(shlex.quote, plan.binding), *map(shell_word, plan.runtime), *map(shlex.quote, command)])
    bind = f"export {name}=${{{name}:+${name},}}{shlex.quote(bound)}"
    # Only `env` removes functions, and names that no shell allows. It gets no values: all can read a command line.
    leave = "DEEPRC_UNSEEN=(); while IFS= builtin read -r -d '' DEEPRC_NAME; do DEEPRC_NAME=${DEEPRC_NAME%%=*}; "
    leave += f'case $DEEPRC_NAME in ""|{patterns}) ;; *) DEEPRC_UNSEEN+=(-u "$DEEPRC_NAME") ;; esac; '
    leave += "done < <(/usr/bin/env -0)"
    return f'( set -- {words}; {bind}; {leave}; exec /usr/bin/env "${{DEEPRC_UNSEEN[@]}}" "$@" )'


def _folder(path: Path) -> Path:
    """The folder itself, or the nearest one above that exists."""
    while not path.is_dir():
        path = path.parent
    return path
