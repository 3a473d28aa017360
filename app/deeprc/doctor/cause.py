"""Why ranks did not become one world: the cause in a sentence, and what to do."""

from __future__ import annotations

import re

from deeprc.doctor.ranks import MODULE_FAILED, Output
from deeprc.doctor.signs import SAME, first_sign
from deeprc.launch.launchers.srun import PMI as SRUN
from deeprc.sites.detect.mpi import what_it_is

LINE = 300  # characters of a log's line that are shown
# The variables that a launcher sets show what it offers; the name of a library shows what it wants.
OFFERS = (
    ("PMIX_RANK", "PMIx"),
    ("PALS_RANKID", "PALS"),
    ("PMI_RANK", "PMI-1 or PMI-2"),
    ("PMI_FD", "PMI-1 or PMI-2"),
)
WANTS = (
    ("Open MPI", "PMIx"),
    ("CRAY MPICH", "Cray PMI"),
    ("Intel(R) MPI", "PMI-1 or PMI-2"),
    ("MPICH", "PMI-1 or PMI-2"),
)


def of_failure(done: Output) -> tuple[str, str | None]:
    """Cause and fix where the launcher failed, or took too long."""
    if told := first_sign(done.all, done.image):
        named = f" ({told.named})" if told.named else ""
        return f"{told.sign.cause}{named}; the log says: {told.line[:LINE]}", told.sign.cure
    if done.code is None:
        return (
            f"it hung, and was ended after {done.seconds:.0f} s",
            "ranks wait for each other: the network's interface may be the wrong one, or launcher and MPI differ",
        )
    if done.code == MODULE_FAILED:
        return printed_last(done), "is the module's name in the site file right? (module avail)"
    if done.code == 127:
        return printed_last(done), "the launcher is not on the PATH: load the module that brings it"
    return f"exit code {done.code}: {printed_last(done)}", None


def of_wrong_world(ranks: list[dict], expected: int, launcher: str) -> tuple[str, str | None]:
    """Cause and fix where ranks came up, but not as one world of `expected`."""
    sizes = sorted({rank["size"] for rank in ranks})
    if sizes != [1]:
        found = f"{len(ranks)} ranks came up, with a world of {', '.join(map(str, sizes))}"
        return f"{found}; {expected} were asked for", "does the allocation hold as many tasks? (scheduler_options)"
    library = ranks[0]["library"]
    told = ranks[0]["told"]
    offered = next((name for variable, name in OFFERS if variable in told), None)
    wanted = next((name for word, name in WANTS if word.lower() in library.lower()), None)
    head = f"{len(ranks)} worlds of one rank instead of one of {expected}, and exit code 0"
    if offered and wanted and offered != wanted:
        return f"{head}: {launcher} speaks {offered}, the ranks' library ({title(library)}) wants {wanted}", SAME
    if "SLURM_PROCID" in told and "intel(r) mpi" in library.lower():
        return (
            f"{head}: Intel MPI finds Slurm's PMI by I_MPI_PMI_LIBRARY only",
            "mpi.pmi_library in the site file: the path of Slurm's libpmi2.so or libpmi.so",
        )
    if not offered and "SLURM_PROCID" in told:
        word = {"PMIx": "pmix", "Cray PMI": "cray"}.get(wanted or "", "pmi2")
        return (
            f"{head}: srun offers the ranks no PMI",
            f"launcher.pmi: [{word}] and mpi.pmi: [{word}] in the site file, if `srun --mpi=list` names it: the launch"
            f" line then has `--mpi={SRUN.get(word, word)}`",
        )
    if not told:
        return (
            f"{head}: the ranks see nothing of {launcher}",
            "is the environment wiped on the way (--cleanenv, --export=NONE), or is it the launcher of another MPI?",
        )
    return f"{head}: {launcher} and the ranks' library ({title(library)}) do not speak to each other", SAME


def title(library: str) -> str:
    """A short name for what MPI_Get_library_version said."""
    name, version, _ = what_it_is(library)
    return f"{name} {version}" if name else library[:40].strip()


def printed_last(done: Output) -> str:
    """The last lines that say something."""
    lines = [line.strip() for line in (done.err.strip() or done.out).splitlines() if re.search(r"\w", line)]
    return " / ".join(lines[-3:])[-400:] or "nothing was printed"
