# Jobs that are ended for their time or memory; a site of 2 cores and 900 MB, and one of the workflow's `--resources`.
SAVES = """
import signal, sys, time
def end(*_):
    time.sleep(float(sys.argv[2]))
    open(sys.argv[1], "w").write("saved")
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
open(sys.argv[1] + ".ready", "w")
time.sleep(300)
"""
GRABS = "python -c 'import sys, time; block = bytes(range(256)) * (int(sys.argv[1]) * 3900); time.sleep(float(sys.argv[2]))'"


rule ranks_save:
    """The first is done with it at once, which does not end the other."""
    output:
        "ranks_save.txt",
    params:
        program=SAVES,
    resources:
        tasks=2,
        runtime=0.15,
    shell:
        "touch {output}; python -c {params.program:q} saved.$RP_RANK $((RP_RANK * 2))"


rule one_rank_grows:
    output:
        touch("grown.txt"),
    resources:
        tasks=2,
        mem_mb=300,
    shell:
        "if [ $RP_RANK = 1 ]; then {GRABS} 250 60; else sleep 60; fi"


rule asks_again:
    """Too much for the first attempt."""
    output:
        touch("again.txt"),
    retries: 1
    resources:
        mem_mb=lambda wildcards, attempt: 100 + 300 * (attempt - 1),
    shell:
        "{GRABS} 200 2"


rule side_by_side:
    """Not both at a time: for what the node has, or for what `--resources` says."""
    output:
        "beside.{kind}.{number}",
    resources:
        mem_mb=lambda wildcards: 500 if wildcards.kind == "node" else 0,
        licence=lambda wildcards: 1 if wildcards.kind == "licence" else 0,
        disk_mb=lambda wildcards: 600 if wildcards.kind == "disk" else 0,
    shell:
        "date +%s.%N > {output}; sleep 0.5; date +%s.%N >> {output}"


rule asks_for_nothing:
    """Snakemake gives it 1000 MB, which this site does not have."""
    output:
        touch("nothing.txt"),
    shell:
        "true"


rule asks_per_core:
    """Two nodes have as much together."""
    output:
        touch("per_core.txt"),
    threads: 2
    resources:
        mem_mb_per_cpu=500,
    shell:
        "true"


rule saves:
    """Interrupted: once, and then again for the other, which does not want to end."""
    output:
        "interrupted.txt",
    params:
        program=SAVES,
    shell:
        "touch {output}; python -c {params.program:q} saved 0.5"


rule stubborn:
    output:
        "stubborn.txt",
    shell:
        "trap '' TERM; touch {output}; while :; do sleep 60; done"
