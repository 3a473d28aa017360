"""What launchers, libraries, loaders and container runtimes print when they give up: the cause, and its cure.

The first that fits counts: what ends a start at once stands before what may be a remark on the way to it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

SAME = "start the ranks with the launcher of the same installation as the library (launcher.program in the site file)"
IGNORED = re.compile(r"^.*LD_PRELOAD cannot be preloaded.*: ignored\.?$", re.M)  # ld.so goes on without it
OUTSIDE = "start from a shell outside of any job, or unset what that job's shell has left"


@dataclass(frozen=True)
class Sign:
    """A regular expression for a line of the log (a group in it is named in the cause), its cause and cure.

    `image`: it counts with an image only, or only without one.
    """

    pattern: str
    cause: str
    cure: str
    image: bool | None = None


@dataclass(frozen=True)
class FoundSign:
    """A sign that was found, and the line that it was told by."""

    sign: Sign
    named: str | None
    line: str


def first_sign(log: str, image: bool = False) -> FoundSign | None:
    """The first of SIGNS that stands in the log of ranks in an image, or without one."""
    log = IGNORED.sub("", log)
    for sign in (sign for sign in SIGNS if sign.image in (None, image)):
        if match := re.search(sign.pattern, log):
            begin = log.rfind("\n", 0, match.start()) + 1
            end = log.find("\n", match.end())
            line = " ".join(log[begin : end if end >= 0 else None].split())
            return FoundSign(sign, match.group(1) if match.groups() else None, line)
    return None


SCHEDULER = (
    Sign(r"(?:SLURM_MEM_PER_\w+|--mem\S*),.* are mutually exclusive",
         "memory is asked for in two ways, one of which most often comes from the shell of another job",
         f"{OUTSIDE} (unset SLURM_MEM_PER_CPU SLURM_MEM_PER_GPU SLURM_MEM_PER_NODE); one `--mem…` in the options"),
    Sign(r"cpus.per.task set by two different environment variables",
         "the cores of a rank are set twice, and differently",
         f"{OUTSIDE} (unset SLURM_CPUS_PER_TASK SLURM_TRES_PER_TASK)"),
    Sign(r"Job step creation (?:temporarily|still) disabled",
         "srun waits for the resources of this very shell, which is a step of the job itself",
         "run the doctor in the shell of salloc, not in one of `srun --pty`"),
    Sign(r"Unable to allocate resources|Job request does not match", "Slurm gives no nodes for it",
         "run the doctor within an allocation (salloc)"),
    Sign(r"There are not enough slots available", "Open MPI counts fewer cores than the ranks want",
         "fewer ranks, or `--oversubscribe` in launcher.options"),
    Sign(r"(?:mpirun|mpiexec|prterun).*run as root", "Open MPI's launcher refuses to run as root",
         "run as another user, or set OMPI_ALLOW_RUN_AS_ROOT=1 and OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1"),
)  # fmt: skip
LOADING = (
    Sign(r"[Ee]xec(?:utable)? format error|cannot execute binary file",
         "the program or the image was built for another processor",
         "an image and an environment for the node's own (uname -m there); partitions.architecture in the site file"),
    Sign(r"version [`'](GLIBC_[\d.]+)' not found",
         "what was built with a newer C library meets an older one: a host's MPI in an older image, or a program from "
         "a newer machine",
         "an image not older than the host (deeprc image list), or the image's own MPI (--model hybrid); `glibc` in "
         "the site file keeps such pairs apart"),
    Sign(r"CUDA driver version is insufficient|NVIDIA driver on your system is too old",
         "the NVIDIA driver is older than the CUDA of the program or the image",
         "an image with an older CUDA: partitions.accelerator.driver in the site file is what nvidia-smi says there"),
    Sign(r"failed to map segment from shared object: Cannot allocate memory",
         "there is no memory left to load a library into: a limit of the shell's or the job's",
         "`ulimit -v` in the job says unlimited where there is none; otherwise more memory for the job, or fewer ranks "
         "on a node"),
    Sign(r"failed to map segment from shared object: (?:Operation not permitted|Permission denied)",
         "a library lies on a file system that nothing may be started from (mounted noexec)",
         "put the environment elsewhere: `findmnt -T FOLDER` shows how it is mounted"),
    Sign(r"failed to map segment from shared object",
         "a library cannot be loaded: its file system is mounted noexec, or there is no memory left for it",
         "`findmnt -T FOLDER` shows noexec: put the environment elsewhere; `ulimit -v` in the job shows a limit"),
    Sign(r"(?:execve\(\)|fork/exec|couldn't exec|failed to exec|bash: (?:line \d+: )?/|sh: (?:\d+: )?/)"
         r".*[Pp]ermission denied",
         "a program may not be started: it is no executable file, or its file system (scratch?) is mounted noexec",
         "`findmnt -T FOLDER` on a node shows noexec: put environment and images elsewhere; otherwise chmod +x"),
    Sign(r"[Uu]ser namespace.*(?:Resource temporarily unavailable|No space left on device)"
         r"|container process: (?:Resource temporarily unavailable|No space left on device)"
         r"|unshare failed: No space left on device|max_user_namespaces",
         "no more user namespaces: each container takes one, and the node's limit is reached",
         "fewer ranks on a node, or one namespace for all of a node's ranks (runtime.flags: [--sharens]); the facility "
         "can raise user.max_user_namespaces, or install Apptainer with setuid"),
    Sign(r"[Dd]isk quota exceeded", "your quota is used up: nothing more can be written there",
         "remove files, or set storage.image_cache, APPTAINER_CACHEDIR and APPTAINER_TMPDIR to another file system"),
    Sign(r"(libmpi\w*\.so[.\d]*): cannot open shared object", "the MPI library is not found",
         "load its module, or put its folder on LD_LIBRARY_PATH (mpi.path in the site file)"),
    Sign(r"cannot load MPI library|libmpi[^\n]*not found", "the MPI library is not found",
         "load its module, or put its folder on LD_LIBRARY_PATH (mpi.path in the site file)"),
    Sign(r"No module named '?(\w+)", "a Python package is missing on the ranks", "install Deep RC where the ranks run"),
    Sign(r"invalid device ordinal", "a rank asks for an accelerator that it is not shown",
         "no more ranks on a node than it has accelerators; a rank that is shown one calls it 0, not by its local "
         "rank (deeprc plan shows who is shown what)"),
)  # fmt: skip
NETWORK = (
    Sign(r"VNI not found in SLINGSHOT_VNIS", "the step has a list of Slingshot networks (VNI) without one for it",
         "start with the facility's launcher, with `--network=single_node_vni,job_vni` for srun inside of steps; "
         "SLINGSHOT_* must get into the container"),
    Sign(r"cxip_gen_auth_key failed",
         "Slingshot gives the ranks no network of their own (VNI): Slurm makes none for a step of one node",
         "`--network=single_node_vni` in launcher.options; ranks that mpirun or ssh start have none at all"),
)  # fmt: skip
MUNGE = r"Munge encode failed|munge\.socket\.\d+\": No such file|libmunge\.so[.\d]*: cannot open"
PMI = (
    Sign(r"unsupported PMI version PMIx",
         "the launcher speaks PMIx (Open MPI's, or Slurm's pmix), the ranks' MPICH wants PMI-1 or PMI-2",
         f"{SAME}; under Slurm `--mpi=pmi2`"),
    Sign(r"invalid PMI1 init command|failed to read PMI1 init",
         "srun offers PMI-2, and the ranks' library began to speak another PMI",
         "the PMI that the library speaks, by `--mpi=`: cray_shasta for Cray MPICH, pmix for Open MPI (mpi.pmi in the "
         "site file; `srun --mpi=list`)"),
    Sign(r"OMPI was not built with SLURM's PMI|not built with.*PMI",
         "Open MPI was built without the PMI that srun offers",
         "`srun --mpi=pmix`, if `srun --mpi=list` has it, or mpirun"),
    Sign(r"can not load PMIx library|incorrect PMIx library version loaded",
         "srun has the plugin pmix, and names it in `srun --mpi=list`, but the PMIx that it loads is not installed",
         "tell the facility (Debian: libpmix-dev), or take an MPI that speaks another PMI, as pmi2"),
    Sign(r"[Ii]nvalid MPI type|cannot find mpi plugin|Couldn't find the specified plugin name for mpi",
         "srun has no plugin for the PMI that the site file asks for",
         "take one that `srun --mpi=list` names (launcher.pmi)"),
    Sign(r"PMIX ERROR.* in file \S*(?:gds|dstore)",
         "PMIx in the container cannot share memory with Slurm's, whose folder is not there",
         "PMIX_MCA_gds=hash in its settings, or bind Slurm's spool folder (scontrol show config: SlurmdSpoolDir)",
         True),
    Sign(r"PMIX ERROR.* in file \S*(?:gds|dstore)",
         "the ranks' PMIx cannot share memory with the launcher's: another version, or a folder that it may not use",
         f"PMIX_MCA_gds=hash in the site's settings, or {SAME}", False),
    Sign(MUNGE, "Munge, by which Slurm knows users, is not in the container",
         "bind /run/munge and libmunge.so.2, or start nothing of Slurm's from within the container", True),
    Sign(MUNGE, "Munge, by which Slurm knows users, does not run on this node, or is not installed there",
         "tell the facility, or take another node (`munge -n` on it says whether it answers)", False),
    Sign(r"Framework:? +psec\s+Component:? +munge|pmix_psec_base_open failed",
         "Slurm's PMIx authenticates by Munge, which the ranks' PMIx has no part for",
         "PMIX_MCA_psec=^munge in the site's settings"),
)  # fmt: skip
SIGNS = (*SCHEDULER, *LOADING, *NETWORK, *PMI)
