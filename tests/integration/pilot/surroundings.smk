# What jobs find around them: folder, shell, environment, software. It must not depend on the executor.
workdir: "elsewhere"


shell.prefix("LEVEL=deep timeout 60 ")
shell.suffix("|| exit 9")
# A variable that cannot be given to a shell's `export`; it dumps what a program is given by the kernel.
DUMP = "env -0 > {output}"
# Which of the signals 1 to 28 are ignored.
IGNORED = "sed -n 's/^SigIgn:.*\\(.......\\)$/\\1/p' /proc/self/status"
# The environment of what has started the ranks.
LAUNCHERS = (
    "p=$$; while [ $p -gt 1 ] && ! grep -q mpiexec /proc/$p/comm; do p=$(sed -n 's/^PPid:.//p' /proc/$p/status); done; "
    "cat /proc/$p/environ > ../.launcher.$RP_RANK"
)
WORD = "main"


module another:
    snakefile:
        "surroundings_module.smk"


use rule named from another as named with:
    output:
        "named.txt",


rule all:
    default_target: True
    input:
        "shell.env",
        "sh.env",
        "script.env",
        "run.env",
        "ranks.0.env",
        "warm.env",
        "contained.txt",
        "modules.txt",
        "named.txt",
        "here.txt",
        "bench.tsv",
        "shared.txt",
        "signals.env",
        "ranks.0.signals.env",
        "warm.signals.env",


rule signals:
    output:
        "signals.env",
    shell:
        IGNORED + " > {output}"


rule ranks_signals:
    """What a rank leaves behind keeps nobody waiting."""
    output:
        "ranks.0.signals.env",
    resources:
        tasks=2,
    shell:
        IGNORED + " > ranks.${{RP_RANK-0}}.signals.env; [ -z ${{RP_RANK-}} ] || {{ " + LAUNCHERS + "; "
        "sleep 876 & setsid -f sleep 876; }}"


rule warm_signals:
    output:
        "warm.signals.env",
    resources:
        warm="json",
    shell:
        'python -c "from signal import *; print(getsignal(SIGINT) is default_int_handler, getsignal(SIGQUIT) == SIG_DFL)" > {output}'


rule shell_environment:
    output:
        "shell.env",
    shell:
        DUMP


rule sh_environment:
    output:
        "sh.env",
    resources:
        shell_exec="/bin/sh",
    shell:
        DUMP


rule script_environment:
    output:
        "script.env",
    script:
        "surroundings_script.py"


rule run_environment:
    output:
        "run.env",
    run:
        shell("env -0 > {output}")


rule ranks_environment:
    output:
        "ranks.0.env",
    resources:
        tasks=2,
    shell:
        "env -0 > ranks.${{RP_RANK-0}}.env"


rule warm_environment:
    output:
        "warm.env",
    resources:
        warm="json",
    shell:
        "python -c \"import os; open('{output}', 'wb').write(b'\\0'.join(b'='.join(e) for e in os.environb.items()))\""


rule contained:
    output:
        "contained.txt",
    container:
        config["image"]
    shell:
        "env INSIDE=${{INSIDE-no}} sh -c 'echo $INSIDE $LEVEL' > {output}"


rule modules:
    output:
        "modules.txt",
    envmodules:
        "tool/1.0",
    shell:
        "sh -c 'echo $TOOL' > {output}"


rule here:
    output:
        "here.txt",
    shell:
        'sh -c \'basename "$(pwd)"; echo "$0"\' "$0" > {output}'


rule bench:
    output:
        touch("benched"),
    benchmark:
        repeat("bench.tsv", 2)
    shell:
        "sh -c 'echo once >> shared.txt; sleep 0.1'"


rule shared:
    """Both repeats, of the one job."""
    input:
        "benched",
    output:
        update("shared.txt"),
    shell:
        "true"
