# Hydrology: prepared data -> train one regional LSTM -> predict -> evaluate.
HYDROLOGY = CONFIG.hydrology
HYDROLOGY_RESULTS = f"{RESULTS}/hydrology"


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
        config=lambda wildcards: HYDROLOGY.train_json(),
    message:
        "train the rainfall-runoff LSTM"
    shell:
        "python -P -m deeprc.applications.hydrology.train --prepared {input:q} --config {params.config:q}"
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
        "python -P -m deeprc.applications.hydrology.predict --prepared {input.prepared:q} --model {input.model:q}"
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
        "python -P -m deeprc.applications.hydrology.evaluate --prepared {input.prepared:q} --model {input.model:q}"
        " --predictions {input.predictions:q} --out {output:q} &> {log:q}"
