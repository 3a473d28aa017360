"""What a container sees of the machine: the folders of its job, and of the variables only those that it needs."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

from deeprc.core.errors import ConfigError
from deeprc.launch import Plan
from deeprc.launch.text import shell_word
from deeprc.schedulers import schedulers
from deeprc.sites import Site

# The runtimes that are told folders by a variable, and whose containers see all variables of the host.
VARIABLE = {"apptainer": "APPTAINER_BIND", "singularity": "SINGULARITY_BIND"}
# What launchers tell ranks, batch systems their jobs, what network and accelerators are told, and the pilot's own.
KEPT = (
    "PMI_*", "PMI2_*", "PMIX_*", "PALS_*", "OMPI_*", "OPAL_*", "PRTE_*", "HYDRA_*", "HYDI_*", "MPI_*", "MPIR_*",
    "MPICH_*", "I_MPI_*", "MV2_*", "JSM_*", "FLUX_*", "ALPS_*", "RP_*",
    *(pattern for one in schedulers() if one.engine for pattern in one.tells),
    "SLINGSHOT_*",  # the job's share of the network: without it libfabric opens no cxi (Slurm, switch_hpe_slingshot.c)
    "FI_*", "UCX_*", "NCCL_*", "RCCL_*", "CCL_*", "HSA_*", "*_VISIBLE_DEVICES", "ZE_*", "OMP_*", "*_NUM_THREADS",
    # How numerical libraries choose their instructions: without these an image would compute other last digits.
    "OPENBLAS_CORETYPE", "MKL_*", "KMP_*", "DNNL_*", "ONEDNN_*", "TF_ENABLE_ONEDNN_OPTS", "ATEN_CPU_CAPABILITY",
    "NPY_*_CPU_FEATURES", "GLIBC_TUNABLES",
    "DEEPRC_PILOT", "APPTAINER*", "SINGULARITY*", "PATH", "HOME", "USER", "LOGNAME", "TERM", "TZ", "LANG", "LC_*",
)  # fmt: skip


def knows(site: Site) -> bool:
    """Whether the site's containers are told here what they see."""
    return site.runtime.kind in VARIABLE


def folders(paths: Iterable[str | Path]) -> list[Path]:
    """The folders of these files and folders, each also where links lead to; those within others left out."""
    found = {folder for path in map(Path, paths) for folder in (_folder(path.absolute()), _folder(path.resolve()))}
    return sorted(path for path in found if not any(parent in found for parent in path.parents))


def contained(site: Site, plan: Plan, command: Sequence[str], binds: Sequence[Path], keep: Iterable[str]) -> str:
    """A rank's command in its container, as shell: in a subshell, with those of the variables that get in.

    The words come first: paths in them may name variables (`$SCRATCH`) that the container is not to see.

    Parameters
    ----------
    binds
        Folders that the container is to see, under their own names.
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
    # `env` alone knows names that are no shell's, and functions. It is told names only: its words can be read by all.
    leave = "DEEPRC_UNSEEN=(); while IFS= builtin read -r -d '' DEEPRC_NAME; do DEEPRC_NAME=${DEEPRC_NAME%%=*}; "
    leave += f'case $DEEPRC_NAME in ""|{patterns}) ;; *) DEEPRC_UNSEEN+=(-u "$DEEPRC_NAME") ;; esac; '
    leave += "done < <(/usr/bin/env -0)"
    return f'( set -- {words}; {bind}; {leave}; exec /usr/bin/env "${{DEEPRC_UNSEEN[@]}}" "$@" )'


def _folder(path: Path) -> Path:
    """The folder itself, or the nearest one above that exists."""
    while not path.is_dir():
        path = path.parent
    return path
