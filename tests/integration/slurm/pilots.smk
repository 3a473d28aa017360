# Jobs without accelerators, then one with them, then nothing to do for a pilot.
localrules:
    last,


rule last:
    input:
        "fit.txt",
    output:
        "last.txt",
    shell:
        "sleep 8; touch {output}"


rule part:
    output:
        "part/{number}.txt",
    threads: 4
    resources:
        runtime=1,
    shell:
        'echo "$SLURMD_NODENAME ${{CUDA_VISIBLE_DEVICES:-none}}" > {output}; sleep 2'


rule fit:
    input:
        expand("part/{number}.txt", number=range(6)),
    output:
        "fit.txt",
    resources:
        gpu=2,
        mem_mb=2000,
    shell:
        'echo "$SLURMD_NODENAME $CUDA_VISIBLE_DEVICES" > {output}; sleep 1'
