# The first stage of every application, on MPI ranks; OPTIONS, DATA and PLACES are of the one that the Snakefile is at.
rule:
    name:
        f"{APPLICATION.name}_prepare"
    input:
        ancient(DATA.inputs),  # what is in them counts, not their times: deeprc.workflow looks
    output:
        directory(f"{PLACES.prepared}/prepared"),
    log:
        f"{PLACES.prepare_log}_prepare.log",  # the ranks' output, joined by the executor
    resources:
        tasks=getattr(OPTIONS, "ranks", 1),
    params:
        engine=PLACES.engine,
        config=PLACES.preparing,
        data=untold(APPLICATION.given(DATA.paths)),
        stage=f"{APPLICATION.package}.prepare",
    message:
        f"prepare the {APPLICATION.subject(OPTIONS)}"
    shell:
        "{params.engine}python -P -m {params.stage} {params.data:q} --config {params.config:q} --out {output:q}"
