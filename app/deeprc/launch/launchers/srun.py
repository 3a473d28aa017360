"""Slurm's own launcher."""

from __future__ import annotations

from collections.abc import Sequence

from deeprc.launch.launchers.base import Launcher, Layout, register, said
from deeprc.launch.launchers.takes import takes
from deeprc.schedulers.requests import pairs

# The name of the plugin, where it is another one. A library of PMI-1 (libpmi.so) asks Slurm itself.
PMI = {"cray": "cray_shasta", "pmi1": "none", "orte": "openmpi"}
DISTRIBUTION = ("--distribution", "-m")
# By these srun gives ranks their accelerators: which of them, is for the plan to say.
EXPORT = "--export"  # what is not ALL leaves ranks without our variables, and without PATH (tried)
GPUS = ("--gpu-bind", "--gpus", "-G", "--gpus-per-node", "--gpus-per-task", "--gres", "--tres-per-task", "--tres-bind")


@register("srun")
class Srun(Launcher):
    """`srun`, with long options.

    `--gpu-bind`: slurm.schedmd.com/srun.html. `--cpus-per-task` counts what
    Slurm takes for a processor, which may be a hardware thread; ranks are then bound to whole cores (docs.nersc.gov,
    jobs/affinity). A step does not inherit
    `--cpus-per-task` from the allocation since Slurm 22.05. One rank that fails ends the step (`--kill-on-bad-exit`).
    """

    binds_gpus = shares_gpus = joins = True
    local_rank, rank = "SLURM_LOCALID", "SLURM_PROCID"
    laid = (
        "--nodes", "-N", "--ntasks", "-n", "--ntasks-per-node", "--cpus-per-task", "-c", "--relative", "-r",
        "--nodelist", "-w", "--nodefile", "-F", "--multi-prog", "--ntasks-per-gpu", "--cpus-per-gpu",
    )  # fmt: skip
    allowed = dict.fromkeys(GPUS, 1) | takes(  # of an idle accelerator's: `contradicted` looks at them
        "--quiet -Q --verbose -v --unbuffered -u --label -l --exact --overlap -O --oversubscribe -s --exclusive",
        "--contiguous --disable-status -X --wait= -W= --kill-on-bad-exit -K --no-kill -k --resv-ports --export= --mpi=",
        "--network= --disable_rdzv_get --distribution= -m= --cpu-bind= --cpu_bind= --mem-bind= --mem_bind= --hint=",
        "--threads-per-core= --ntasks-per-core= --ntasks-per-socket= --cores-per-socket= --sockets-per-node= -B=",
        "--extra-node-info= --core-spec= -S= --thread-spec= --mem= --mem-per-cpu= --mem-per-gpu= --cpu-freq=",
        "--gpu-freq= --gres-flags= --acctg-freq= --profile= --propagate= --licenses= -L= --signal= --switches= --tmp=",
        "--time= -t= --account= -A= --partition= -p= --qos= -q= --reservation= --constraint= -C= --comment= --jobid=",
        "--job-name= -J= --output= -o= --error= -e= --input= -i= --open-mode= --bcast= --bcast-exclude= --send-libs",
        "--compress --chdir= -D= --task-prolog= --task-epilog= --prolog= --epilog= --immediate --msg-timeout= --wckey=",
        "--slurmd-debug= --environment= --uenv= --view=",
    )

    def options(self, layout: Layout, *, pmi: str | None, exports: Sequence[str], placed: bool = False) -> list[str]:
        """Nodes, ranks, cores and accelerators of each; `--mpi` wherever the ranks' PMI is known: defaults differ."""
        options = [f"--nodes={layout.nodes}", f"--ntasks={layout.ranks}"]
        if layout.nodes > 1:
            options.append(f"--ntasks-per-node={layout.ranks_per_node}")
        threads = self.partition.threads_per_core
        options.append(f"--cpus-per-task={layout.cores_per_rank * threads}")
        if threads > 1:
            options.append("--cpu-bind=cores")
        if pmi and said(self.words, "--mpi") is None:
            options.append(f"--mpi={PMI.get(pmi, pmi)}")
        return [*options, "--kill-on-bad-exit=1"]

    def accelerators(self, layout: Layout, *, by: str, placed: bool) -> list[str]:
        """Each rank its own, or all of a node's (of the task's, in a pilot) to all of its ranks.

        `closest` shows a rank every one that is near to its cores: all of them, where gres.conf has no `Cores` (tried).
        The order in which a variable names them takes the n-th rank of a node to be on its n-th block of cores; Slurm
        deals ranks out to sockets in turn unless told (SchedMD/slurm ca510f29).
        """
        if by == "variable":
            count = layout.gpus_per_node if placed else self.partition.gpus
            told = said(self.words, *DISTRIBUTION) is not None
            blocks = [] if told or layout.ranks_per_node == 1 else ["--distribution=block:block"]
            return [*blocks, f"--gpus-per-node={count}", "--gpu-bind=none"]
        bind = by if by == "closest" else f"per_task:{layout.gpus_per_rank}"
        return [f"--gpus-per-task={layout.gpus_per_rank}", f"--gpu-bind={bind}"]

    def placement(self, layout: Layout, *, placed: bool) -> list[str]:
        """The nodes that a pilot has chosen, where it runs several steps at a time.

        Each step has its cores and accelerators to itself (`--exact`): with `--overlap`, Slurm 22.05 gives all steps of
        a node the same first ones (tried). Unless told, a step takes all of the memory and all accelerators. What it
        is told of memory is a limit where the cluster has memory constrained (slurm.conf's TaskPlugin=task/cgroup);
        Slurm counts in MiB, and for each node.
        """
        if not placed:
            return []
        idle = self.partition.gpus > 0 and not layout.gpus_per_rank
        memory = -(-layout.memory_mb * layout.ranks_per_node * 10**6 // 2**20)
        return ["--nodelist={hosts}", "--exact", f"--mem={memory}", *(["--gres=none"] if idle else [])]

    def own(self, words: Sequence[str]) -> list[str]:
        """One `--network=` for all requests to the network: srun obeys only the last one."""
        asked, rest = [], []
        left = iter(words)
        for word in left:
            option, equals, value = word.partition("=")
            if option != "--network":
                rest.append(word)
                continue
            asked += [part for part in (value if equals else next(left, "")).split(",") if part]
        return [*rest, *([f"--network={','.join(dict.fromkeys(asked))}"] if asked else [])]

    def contradicted(self, layout: Layout, *, pmi: str | None) -> tuple[str, str] | None:
        """Another PMI than that of the ranks would make each a world of its own, another binding share accelerators."""
        told = said(self.words, "--mpi")
        plugin = (told or "").partition("_v")[0]
        if layout.ranks > 1 and pmi and told and plugin != PMI.get(pmi, pmi) and (plugin, pmi) != ("pmi2", "pmi1"):
            why = f"the site's own options of srun say --mpi={told}, and the ranks speak {pmi}"
            return f"{why}: each would be a world of its own", "leave --mpi out of them: it stands in every line"
        exported = said(self.words, EXPORT)
        if exported is not None and exported.split(",")[0] != "ALL":
            why = (
                f"the site's own options of srun say --export={exported}: ranks would get none of the plan's variables"
            )
            return f"{why}, nor PATH", "write --export=ALL, or leave it out: srun passes on all"
        given = next((name for name in GPUS if said(self.words, name) is not None), None)
        if layout.gpus_per_rank and given:
            why = f"the site's own options of srun say {given}={said(self.words, given)}"
            fix = "leave it out of them; `gpu_binding` of the partition says how ranks get their accelerators"
            return f"{why}, which undoes what gives each rank an accelerator of its own", fix
        return super().contradicted(layout, pmi=pmi)

    def beside(self, scheduler_options: Sequence[str]) -> list[str]:
        """`sbatch --export=NONE` stays with the steps of the job, unless these say otherwise (tried)."""
        values = [value for name, value in pairs(scheduler_options) if name == EXPORT]
        kept = not values or values[-1].split(",")[0] == "ALL" or said(self.words, EXPORT) is not None
        return [] if kept else ["--export=ALL"]

    def remarks(self, layout: Layout, *, gpus_by: str) -> list[str]:
        """Accelerators told by a variable go by blocks of cores, as ranks do unless the site has them otherwise."""
        told = said(self.words, *DISTRIBUTION)
        blocks = [*(told or "").split(","), ""][0].split(":")[1:2] == ["block"]
        if gpus_by != "variable" or told is None or layout.ranks_per_node == 1 or blocks:
            return []
        return [
            f"--distribution={told} of the site's own options deals ranks out to sockets in turn: some use an"
            " accelerator of the other socket (block:block keeps each near its own)"
        ]
