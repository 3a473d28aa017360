# Jobs of one rank, of six on two nodes, one that fails in one rank, and one to be interrupted.
PROGRAM = "from mpi4py import MPI; import os; c = MPI.COMM_WORLD; print('rank', c.rank, 'of', c.size, 'on', os.environ['SLURMD_NODENAME'])"


rule all:
    input:
        "world.txt",
        expand("one/{number}.txt", number=range(6)),
        "script.txt",


rule one:
    """Of the four cores of a node, its memory is enough for two."""
    output:
        "one/{number}.txt",
    resources:
        mem_mb=1500,
    shell:
        'echo "$SLURMD_NODENAME $DEEPRC_RANKS $RP_RANK" > {output}; sleep 1'


rule alone:
    """MPI in a job of one rank: a world of its own, the second in the same worker too."""
    output:
        "alone/{number}.txt",
    shell:
        'python -c "from mpi4py import MPI; print(MPI.COMM_WORLD.size)" > {output}'


rule script:
    output:
        "script.txt",
    script:
        "script.py"


rule world:
    output:
        touch("world.txt"),
    log:
        "logs/world.log",
    resources:
        tasks=6,
        mem_mb=600,
    shell:
        'python -c "{PROGRAM}"'


rule device:
    """Four at once: each is to have an accelerator of its own."""
    output:
        "devices/{number}.txt",
    resources:
        gpu=1,
    shell:
        'echo "$SLURMD_NODENAME $CUDA_VISIBLE_DEVICES" > {output}; sleep 4'


rule two_nodes:
    """It would fit on one."""
    output:
        touch("two.txt"),
    log:
        "logs/two.log",
    resources:
        nodes=2,
        tasks_per_node=1,
    shell:
        'echo "$SLURMD_NODENAME $SLURM_NNODES ${{API_TOKEN:+secret}}"'


rule too_large:
    output:
        "large.txt",
    resources:
        mem_mb=60,
    shell:
        "python -c 'import time; block = bytearray(200_000_000); time.sleep(60)'"


rule too_long:
    output:
        "long.txt",
    resources:
        mem_mb=60,
        runtime=0.05,
    shell:
        "sleep 61"


rule one_rank_fails:
    output:
        "never.txt",
    resources:
        tasks=6,
    message:
        "do what cannot be done"
    shell:
        "touch {output}; if [ $RP_RANK != 4 ]; then sleep 100; fi; sleep 1; echo the reason is this; exit 7"


rule trained:
    """Slow until it is asked to end."""
    output:
        touch("trained.txt"),
    log:
        "trained.log",
    resources:
        tasks=2,
    shell:
        "[ -e training.saved ] || export TOY_PAUSE=3; exec python -P {config[toy]} training 24"


rule ahead:
    """On a node whose clock is an hour ahead."""
    output:
        "ahead.txt",
    shell:
        "echo ahead > {output}; touch -d '+1 hour' {output}"


rule behind:
    """On one whose clock is an hour behind."""
    input:
        "ahead.txt",
    output:
        "behind.txt",
    shell:
        "cat {input} > {output}; touch -d '-1 hour' {output}"


rule sleeper:
    output:
        "slept.txt",
    resources:
        tasks=2,
    shell:
        "touch {output}; sleep 186.5"
