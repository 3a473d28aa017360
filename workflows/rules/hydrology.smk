# Hydrology: check -> prepare (MPI ranks) -> train one regional LSTM -> predict -> evaluate.
HYDROLOGY = CONFIG.hydrology
HYDROLOGY_DATA = HYDROLOGY.paths or expand(rules.fetch.output, dataset=["fulda", "leaf-river"])
HYDROLOGY_RESULTS = f"{RESULTS}/hydrology"

TARGETS += [f"{HYDROLOGY_RESULTS}/{made}" for made in ("metrics.json", "model", "predictions.arrow")]


rule hydrology_check:
    input:
        HYDROLOGY_DATA,
    output:
        update(f"{HYDROLOGY_RESULTS}/check.json"),  # what an earlier run found stays where this one fails
    log:
        f"{RESULTS}/logs/hydrology_check.log",
    params:
        config=HYDROLOGY.data_json(),
    message:
        "check the river data"
    shell:
        "python -m deeprc.hydrology.check --config {params.config:q} --out {output:q} {input:q} &> {log:q}"


rule hydrology_prepare:
    input:
        data=HYDROLOGY_DATA,
        check=ancient(rules.hydrology_check.output),  # only its order counts: new data are an input themselves
    output:
        directory(f"{HYDROLOGY_RESULTS}/prepared"),
    log:
        f"{RESULTS}/logs/hydrology_prepare.log",  # the ranks' output, joined by the executor
    resources:
        tasks=HYDROLOGY.ranks,
    params:
        config=HYDROLOGY.data_json(),
    message:
        "prepare the river data"
    shell:
        "python -m deeprc.hydrology.prepare --config {params.config:q} --out {output:q} {input.data:q}"


rule hydrology_train:
    input:
        rules.hydrology_prepare.output,
    output:
        directory(f"{HYDROLOGY_RESULTS}/model"),
    log:
        f"{RESULTS}/logs/hydrology_train.log",
    threads: HYDROLOGY.threads
    resources:
        warm="tensorflow,polars,pyarrow",
    params:
        config=HYDROLOGY.train_json(),
    message:
        "train the rainfall-runoff LSTM"
    shell:
        "python -m deeprc.hydrology.train --prepared {input:q} --config {params.config:q}"
        " --threads {threads} --out {output:q} &> {log:q}"


rule hydrology_predict:
    input:
        prepared=rules.hydrology_prepare.output,
        model=rules.hydrology_train.output,
    output:
        f"{HYDROLOGY_RESULTS}/predictions.arrow",
    log:
        f"{RESULTS}/logs/hydrology_predict.log",
    threads: HYDROLOGY.threads
    resources:
        warm="tensorflow,polars,pyarrow",
    message:
        "simulate the discharge"
    shell:
        "python -m deeprc.hydrology.predict --prepared {input.prepared:q} --model {input.model:q}"
        " --threads {threads} --out {output:q} &> {log:q}"


rule hydrology_evaluate:
    input:
        prepared=rules.hydrology_prepare.output,
        model=rules.hydrology_train.output,
        predictions=rules.hydrology_predict.output,
    output:
        f"{HYDROLOGY_RESULTS}/metrics.json",
    log:
        f"{RESULTS}/logs/hydrology_evaluate.log",
    message:
        "evaluate the simulated discharge"
    shell:
        "python -m deeprc.hydrology.evaluate --prepared {input.prepared:q} --model {input.model:q}"
        " --predictions {input.predictions:q} --out {output:q} &> {log:q}"
