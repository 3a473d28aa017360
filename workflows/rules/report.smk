# The report: one self-contained page, and the figures behind it as JSON. `snakemake --report` shows these three.
TARGETS += [f"{RESULTS}/metrics.json", f"{RESULTS}/run.json"]


rule report:
    input:
        [str(CONFIG.told(application)) for application in CONFIG.applications()],
    output:
        report(
            f"{RESULTS}/report.html",
            category="Results",
            caption="../report/page.rst",
        ),
        report(
            f"{RESULTS}/metrics.json",
            category="Results",
            caption="../report/metrics.rst",
        ),
        report(
            f"{RESULTS}/run.json",
            category="Provenance",
            caption="../report/run.rst",
        ),
    log:
        f"{RESULTS}/logs/report.log",
    params:
        folders=[f"{pipeline}={RESULTS}/{pipeline}" for pipeline in CONFIG.pipelines],
        # Told, not a reason to run: whatever changes the results shows in the metrics (a parameter that depends on
        # the input is none that Snakemake compares).
        config=lambda wildcards, input: CONFIG.model_dump_json(),
        out=RESULTS,
    message:
        "write the report"
    shell:
        "python -P -m deeprc.applications.report {params.folders:q} --config {params.config:q} --out {params.out:q} &> {log:q}"
