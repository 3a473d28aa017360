WORD = "module"


rule named:
    output:
        "module.txt",
    shell:
        "echo {WORD} > {output}"
