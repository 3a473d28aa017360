# Jobs that go wrong in odd ways, and jobs that are warm or measured; one run with --keep-going takes them all.
rule killed:
    output:
        "killed.txt",
    shell:
        "kill -9 $$"


rule leaves_children:
    """Two that stay behind: one in the background, one in a session of its own."""
    output:
        "children.txt",
    shell:
        "sleep 1000 & echo $! > {output}; setsid sh -c 'echo $$ >> {output}; exec sleep 1000' & sleep 0.5"


rule wrong_world:
    """Each rank opens a world of its own, as a library of another MPI would; every one exits with 0."""
    output:
        touch("world.txt"),
    resources:
        tasks=2,
    shell:
        "env -u PMI_FD -u PMI_RANK -u PMI_SIZE -u PMI_PORT python -c 'from mpi4py import MPI; print(MPI.COMM_WORLD.size)'"


rule killed_in_a_join:
    output:
        touch("joined.txt"),
    resources:
        tasks=2,
    shell:
        "exec python -P {config[killed]} join"


rule measured:
    output:
        touch("measured.txt"),
    benchmark:
        "measured.tsv"
    shell:
        "python -c \"import time; block = b'x' * 200_000_000\nwhile time.process_time() < 1.5: pass\""


rule warm:
    """`json` is there already, `tomllib` is not; redirections, pipes and exit codes are those of any command."""
    output:
        "warm.{case}.txt",
    resources:
        warm="json,tomllib",
    shell:
        "python -c 'import sys; print(\"json\" in sys.modules, sys.argv, __name__)' a b | cat > {output}; "
        "echo '{wildcards.case}' | python -c 'print(input())' >> {output}; "
        "python -c 'import os, sys; sys.exit(3)' || echo $? >> {output}; "
        "python -c 'import os; os.abort()' || echo $? >> {output}; "
        "python -m this | tail -1 >> {output}"


rule short:
    output:
        "short.txt",
    shell:
        "touch {output}"


rule takes_a_minute:
    """At most, that is: its pilot must live as long."""
    input:
        "short.txt",
    output:
        "minute.txt",
    resources:
        runtime=1,
    shell:
        "echo done > {output}"


rule outlives_its_pilot:
    output:
        "late.txt",
    shell:
        "touch {output}; [ -e again ] || sleep {config[seconds]}; echo whole > {output}"


rule trains:
    """Slowly, until it is asked to end."""
    output:
        touch("trained.txt"),
    log:
        "trained.log",
    resources:
        tasks=2,
    shell:
        "[ -e training.saved ] || export TOY_PAUSE=4; exec python -P {config[toy]} training 24"


rule appears_late:
    """As on a slow file system: somebody else sees to it that the file is there, after the job has ended."""
    output:
        "appeared.txt",
    shell:
        "true"


rule never_appears:
    output:
        "never.txt",
    shell:
        "true"


rule flaky:
    """Its second attempt waits for `room`, which `holds_room` takes first and has until the checkpoint below has made
    the DAG anew. (That attempt could not ask for more: Snakemake counts what the first one asked for.)"""
    output:
        "flaky.txt",
    retries: 1
    resources:
        room=1,
        trial=lambda wildcards, attempt: attempt,
    shell:
        "echo {resources.trial} > {output}; [ {resources.trial} = 2 ]"


checkpoint parts:
    """Ends once `holds_room` has its turn: the failure before it has been noted."""
    output:
        directory("parts"),
    shell:
        'until grep -q \'"rule": "holds_room"\' $DEEPRC_RUN/events.jsonl; do sleep 0.2; done; '
        "mkdir {output}; touch {output}/a"


rule part:
    input:
        "parts/{part}",
    output:
        "part.{part}",
    shell:
        "touch {output}"


def parts(wildcards):
    folder = checkpoints.parts.get().output[0]
    return expand("part.{part}", part=glob_wildcards(f"{folder}/{{part}}").part)


rule gathered:
    input:
        parts,
    output:
        touch("gathered.txt"),


rule soon:
    """Made beside the pilot, before any job of it begins; `flaky` has been handed out by then."""
    output:
        touch("soon.txt"),


rule holds_room:
    input:
        "soon.txt",
    output:
        touch("held.txt"),
    priority: 1
    resources:
        room=1,
    shell:
        "until [ -e part.a ]; do sleep 0.2; done"


rule size:
    output:
        "size.txt",
    shell:
        "echo 1000 > {output}"


rule asks_late:
    """What it asks for is known when its turn comes, and less the second time."""
    input:
        "size.txt",
    output:
        "asked.{tries}.txt",
    retries: 1
    resources:
        cpus_per_task=lambda wildcards, input, attempt: (
            int(open(input[0]).read()) if attempt <= int(wildcards.tries) else 1
        ),
    shell:
        "touch {output}"


rule unknown_name:
    """The command cannot be made, in any of its attempts; nor can what Snakemake notes of a job that has failed."""
    output:
        "unknown.txt",
    retries: 1
    shell:
        "echo {resources.nobody} > {output}"


rule odd_wildcard:
    """Of `"a"`, a Snakemake of its own would make the file of `a`."""
    output:
        "odd.{word}.txt",
    run:
        open(output[0], "w").write(wildcards.word)
