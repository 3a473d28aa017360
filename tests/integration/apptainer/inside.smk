# Ranks, warm jobs, data outside of the working directory, and what gets into the container.
MINE = config["data"]


rule all:
    input:
        "world",
        expand("warm.{number}", number=range(4)),
        "data",
        "environment",
        expand("gang.{number}", number=range(3)),


rule world:
    output:
        "world",
    resources:
        tasks=2,
    shell:
        "python -c 'from mpi4py import MPI; c = MPI.COMM_WORLD; s = c.allreduce(1);"
        ' c.rank == 0 and open("{output}", "w").write(str(s))\''


rule warm:
    output:
        "warm.{number}",
    resources:
        warm="polars",
    shell:
        "python -c 'import sys; print(\"polars\" in sys.modules, sys.prefix)' > {output}"


rule data:
    input:
        MINE,
    output:
        "data",
    shell:
        "cat {input} > {output}; grep -c . /opt/deeprc/image.json >> {output}"


rule environment:
    output:
        "environment",
    shell:
        "env > {output}; ls -A $HOME >> {output} || true"


rule gang:
    """After all others: a gang makes room for jobs that wait for long."""
    input:
        "world",
        expand("warm.{number}", number=range(4)),
        "data",
        "environment",
    output:
        "gang.{number}",
    resources:
        tasks=2,
        warm="mpi4py.MPI",
    shell:
        "python -c 'from mpi4py import MPI; import os, sys; c = MPI.COMM_WORLD;"
        ' who = c.gather((os.getpid(), sys.prefix, os.path.exists("/opt/deeprc/image.json")));'
        ' c.rank == 0 and open("{output}", "w").write(repr(who))\''
