# On two nodes, one of which lacks the environment; and what is done while disks are full.
rule pair:
    """A node of its own for each."""
    output:
        touch("pair.{number}.txt"),
    log:
        "pair.{number}.log",
    resources:
        tasks=4,
    shell:
        "echo $SLURMD_NODENAME; sleep 1"


rule large:
    """More than there is room for, half of which is written."""
    output:
        config["small"] + "/large.bin",
    shell:
        "head -c 3000000 /dev/zero > {output}"


rule waits:
    input:
        expand("pair.{number}.txt", number=range(3)),
    output:
        "waited.txt",
    shell:
        "touch began; until [ -e go ]; do sleep 0.1; done; echo $SLURMD_NODENAME > {output}"


rule last:
    input:
        "waited.txt",
    output:
        "last.txt",
    shell:
        "cat {input} > {output}"
