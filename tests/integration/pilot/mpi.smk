# Rules of several ranks, one that fails, and one that can never run.
PROGRAM = "from mpi4py import MPI; c = MPI.COMM_WORLD; print('rank', c.rank, 'of', c.size)"


rule world:
    output:
        touch("world.txt"),
    log:
        "logs/world.log",
    resources:
        tasks=2,
    shell:
        'python -c "{PROGRAM}"; echo "$DEEPRC_RANKS" > ranks.$RP_RANK'


rule one_rank_fails:
    """Rank 1 is no MPI program and fails; rank 0 would go on for 100 s."""
    output:
        "never.txt",
    log:
        "logs/fails.log",
    resources:
        tasks=2,
    message:
        "do what cannot be done"
    shell:
        "touch {output}; if [ $RP_RANK = 1 ]; then echo the reason is this; exit 7; fi; sleep 100"


rule too_large:
    output:
        "large.txt",
    resources:
        tasks=1000,
    shell:
        "touch {output}"


rule accelerator:
    output:
        "gpu.txt",
    resources:
        gpu=1,
    shell:
        "touch {output}"


rule sleeper:
    output:
        "slept.txt",
    message:
        "sleep"
    shell:
        "sleep 86.5; touch {output}"
