# Rules of several ranks, some that fail, some that can never run, and one to be interrupted.
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
    """Rank 1 is no MPI program and fails; rank 0 has printed more, and would go on for 100 s."""
    output:
        "never.txt",
    log:
        "logs/fails.log",
    resources:
        tasks=2,
    message:
        "do what cannot be done"
    shell:
        "touch {output}; if [ $RP_RANK = 0 ]; then seq 100; sleep 100; fi; sleep 1; echo the reason is this; exit 7"


rule one_rank_aborts:
    """Rank 1 ends the world with the code 0, in the midst of rank 0's work; mpiexec says 0, too."""
    output:
        "half.txt",
    resources:
        tasks=2,
    shell:
        "touch {output}; python -c 'import time; from mpi4py import MPI; MPI.COMM_WORLD.rank and MPI.COMM_WORLD.Abort(0); time.sleep(60)'"


rule script_fails:
    output:
        "scripted.txt",
    script:
        "failing_script.py"


rule too_large:
    """What it needs is made first; that it can never run must be told before."""
    input:
        "world.txt",
    output:
        "large.txt",
    resources:
        tasks=1000,
    shell:
        "touch {output}"


rule too_much_memory:
    output:
        "memory.txt",
    resources:
        mem_mb=10**9,
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
        "touch {output}; sleep {config[seconds]}; echo whole > {output}"


rule after_sleep:
    input:
        "slept.txt",
    output:
        "after.txt",
    shell:
        "cp {input} {output}"
