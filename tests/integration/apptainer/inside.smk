# Ranks, warm jobs, data outside of the working directory, and what gets into the container.
MINE = config["data"]


rule all:
    input:
        "world",
        expand("warm.{number}", number=range(4)),
        "data",
        "environment",


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
