# A run that goes on without its terminal: it waits for a file, and fails in the end.
rule all:
    input:
        "failed.txt",


rule first:
    output:
        "first.txt",
    shell:
        'echo "$SLURM_JOB_ID $MY_WORD $SLURM_JOB_NAME" > {output}; echo {rule} >> counted'


rule world:
    """On both nodes."""
    input:
        "first.txt",
    output:
        touch("world.txt"),
    log:
        "world.log",
    resources:
        nodes=2,
        tasks_per_node=2,
    shell:
        "python -c \"from mpi4py import MPI; c = MPI.COMM_WORLD; print(c.rank, 'of', c.size)\";"
        " echo on $SLURMD_NODENAME; touch began; while ! test -e go; do sleep 0.2; done"


rule fails:
    input:
        "world.txt",
    output:
        "failed.txt",
    shell:
        "exit 7"
