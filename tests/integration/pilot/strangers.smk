# The same jobs before and after a gate, at which the run waits for the test.
NUMBERS = range(6)


rule all:
    input:
        expand("after.{kind}.{n}.txt", kind=["one", "two"], n=NUMBERS),


def gate(wildcards):
    return ["gate.txt"] if wildcards.when == "after" else []


rule one:
    input:
        gate,
    output:
        touch("{when}.one.{n}.txt"),
    shell:
        "true"


rule two:
    input:
        gate,
    output:
        touch("{when}.two.{n}.txt"),
    resources:
        tasks=2,
    shell:
        "true"


rule wait:
    input:
        expand("before.{kind}.{n}.txt", kind=["one", "two"], n=NUMBERS),
    output:
        touch("gate.txt"),
    shell:
        "touch waiting; until [ -e go ]; do sleep 0.1; done"
