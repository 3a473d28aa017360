# The table of a sweep; APPLICATION, CONFIG and RESULTS are as in the Snakefile.
rule:
    name:
        f"{APPLICATION.name}_sweep"
    input:
        [str(path) for case in CONFIG.cases(APPLICATION) for path in case.own],
    output:
        str(CONFIG.told(APPLICATION)),
        report(
            str(CONFIG.told(APPLICATION).with_suffix(".csv")),
            category="Sweeps",
            caption="../report/sweep.rst",
        ),
    log:
        f"{RESULTS}/logs/{APPLICATION.name}_sweep.log",
    params:
        name=APPLICATION.name,
        given=fixed(as_json(CONFIG.given(APPLICATION))),
        sweep=fixed(CONFIG.swept(APPLICATION).model_dump_json()),
        folder=f"{RESULTS}/{APPLICATION.name}",
    message:
        f"rank the trials of {APPLICATION.name}"
    shell:
        "python -P -m deeprc.applications.base.sweep.collect {params.name} --given {params.given:q}"
        " --sweep {params.sweep:q} --folder {params.folder:q} --out {output[0]:q} &> {log:q}"
