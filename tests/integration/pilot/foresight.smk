"""Imports that begin before their jobs: one hangs until the file `open` is there, one fails."""


rule all:
    input:
        "whole.txt",
        "used.txt",


rule first:
    output:
        "first.txt",
    shell:
        "until [[ -e importing ]]; do sleep 0.1; done; sleep 1; touch {output}"


# All cores, one of which has an import under way. It sees the browser's process gone before it opens the way.
rule whole:
    input:
        "first.txt",
    output:
        "whole.txt",
    threads: 2
    shell:
        "if grep -s ^State: /proc/$(cat importing)/status | grep -v zombie; then exit 3; fi; touch open {output}"


rule used:
    input:
        "whole.txt",
    output:
        "used.txt",
    resources:
        warm="antigravity",
    shell:
        "python -c 'import sys; print(\"antigravity\" in sys.modules)' > {output}"
