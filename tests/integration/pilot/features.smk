# One workflow with the features that a job can have; what it makes must not depend on the executor.
shell.prefix("set -euo pipefail; ")


envvars:
    "DEEPRC_TEST_VARIABLE",


localrules:
    near,


rule all:
    default_target: True
    input:
        "piped.txt",
        "near.txt",
        "updated.txt",
        "params.txt",
        "threads.txt",
        "bench.tsv",
        "folder",
        "protected.txt",
        "touched",
        "ensured.txt",
        "shadowed.txt",
        "retried.txt",
        "gathered.txt",
        "scripted.txt",
        "ran.txt",
        "odd name.txt",
        "environment.txt",
        "long.txt",
        "grouped.txt",
        expand("sample-{sample}.txt", sample=["a", "b"]),


rule into_pipe:
    output:
        pipe("stream"),
    shell:
        "seq 5 > {output}"


rule out_of_pipe:
    input:
        "stream",
    output:
        "piped.txt",
    shell:
        "cat {input} > {output}"


rule near:
    output:
        "near.txt",
    shell:
        "echo beside the pilot > {output}"


rule first_line:
    output:
        "first.txt",
    shell:
        "echo first > {output}"


rule updated:
    input:
        "first.txt",
    output:
        update("updated.txt"),
    shell:
        "echo once more >> {output}"


rule sample:
    output:
        "sample-{sample}.txt",
    log:
        "logs/{sample}.log",
    message:
        "make sample {wildcards.sample}"
    shell:
        "echo {wildcards.sample} > {output}; echo done {wildcards.sample} > {log}"


rule params:
    input:
        "sample-a.txt",
    output:
        "params.txt",
    params:
        quoted='it\'s "$HOME" & more',
        computed=lambda wildcards, input: len(input),
        chosen=config.get("chosen", "plain"),
    shell:
        "echo {params.quoted:q} {params.computed} {params.chosen} > {output}"


rule threads:
    output:
        "threads.txt",
    threads: 2
    shell:
        "echo {threads} $OMP_NUM_THREADS $MKL_NUM_THREADS > {output}"


rule bench:
    output:
        touch("benched"),
    benchmark:
        repeat("bench.tsv", 2)
    shell:
        "sleep 0.1"


rule folder:
    input:
        "intermediate.txt",
    output:
        directory("folder"),
    shell:
        "mkdir {output}; cp {input} {output}/copy.txt"


rule intermediate:
    output:
        temp("intermediate.txt"),
    shell:
        "echo passing > {output}"


rule protect:
    output:
        protected("protected.txt"),
    shell:
        "echo kept > {output}"


rule touched:
    output:
        touch("touched"),
    shell:
        "true"


rule ensured:
    output:
        ensure("ensured.txt", non_empty=True),
    shell:
        "echo something > {output}"


rule shadowed:
    output:
        "shadowed.txt",
    shadow:
        "minimal"
    shell:
        "echo litter > litter.txt; echo kept > {output}"


rule retried:
    output:
        "retried.txt",
    retries: 2
    resources:
        trial=lambda wildcards, attempt: attempt,
    shell:
        "[ {resources.trial} = 2 ] && echo {resources.trial} > {output}"


checkpoint numbers:
    output:
        directory("numbers"),
    shell:
        "mkdir {output}; for i in 1 2 3; do echo $i > {output}/$i.txt; done"


rule square:
    input:
        "numbers/{number}.txt",
    output:
        "squares/{number}.txt",
    shell:
        "n=$(cat {input}); echo $((n * n)) > {output}"


def squares(wildcards):
    folder = checkpoints.numbers.get().output[0]
    return expand("squares/{number}.txt", number=sorted(glob_wildcards(f"{folder}/{{number}}.txt").number))


rule gather:
    input:
        squares,
    output:
        "gathered.txt",
    shell:
        "cat {input} > {output}"


rule scripted:
    output:
        "scripted.txt",
    script:
        "features_script.py"


rule ran:
    output:
        "ran.txt",
    run:
        with open(output[0], "w") as handle:
            handle.write("by a run: block\n")


rule odd:
    output:
        "odd name.txt",
        "ödd 'quotes' \"and\" $HOME & more; (brackets) *.txt",
    resources:
        qos="debug",
    shell:
        "echo 'a b' > {output[0]:q}; echo 'c d' > {output[1]:q}"


rule environment:
    output:
        "environment.txt",
    shell:
        'echo "$DEEPRC_TEST_VARIABLE $HOME $TMPDIR {resources.tmpdir} $DEEPRC_TEST_ODD" > {output}; pwd -P >> {output}'


rule long_command:
    output:
        "long.txt",
    params:
        text="x" * 150_000,
    shell:
        "printf %s {params.text} | wc -c > {output}"


rule group_begin:
    output:
        temp("group_begin.txt"),
    group:
        "pair"
    shell:
        "echo begun > {output}"


rule group_end:
    input:
        "group_begin.txt",
    output:
        "grouped.txt",
    group:
        "pair"
    shell:
        "cat {input} > {output}; echo ended >> {output}"
