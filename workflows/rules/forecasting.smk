# Forecasting: check -> prepare (MPI ranks) -> train each model -> predict -> evaluate.
FORECASTING = CONFIG.forecasting
FORECASTING_DATA = FORECASTING.path or expand(rules.fetch.output, dataset=FORECASTING.dataset)
SUBJECT = {"beijing": "air quality data", "ett": "transformer data", "csv": "series"}[FORECASTING.dataset]
FORECASTING_RESULTS = f"{RESULTS}/forecasting"

TARGETS += [
    f"{FORECASTING_RESULTS}/metrics.json",
    expand(f"{FORECASTING_RESULTS}/models/{{model}}", model=FORECASTING.models),
    expand(f"{FORECASTING_RESULTS}/predictions/{{model}}.arrow", model=FORECASTING.models),
]


rule forecasting_check:
    input:
        FORECASTING_DATA,
    output:
        update(f"{FORECASTING_RESULTS}/check.json"),  # what an earlier run found stays where this one fails
    log:
        f"{RESULTS}/logs/forecasting_check.log",
    params:
        config=FORECASTING.data_json(),
    message:
        f"check the {SUBJECT}"
    shell:
        "python -m deeprc.forecasting.check --data {input:q} --config {params.config:q} --out {output:q} &> {log:q}"


rule forecasting_prepare:
    input:
        data=FORECASTING_DATA,
        check=ancient(rules.forecasting_check.output),  # only its order counts: new data are an input themselves
    output:
        directory(f"{FORECASTING_RESULTS}/prepared"),
    log:
        f"{RESULTS}/logs/forecasting_prepare.log",  # the ranks' output, joined by the executor
    resources:
        tasks=FORECASTING.ranks,
    params:
        config=FORECASTING.data_json(),
    message:
        f"prepare the {SUBJECT}"
    shell:
        "python -m deeprc.forecasting.prepare --data {input.data:q} --config {params.config:q} --out {output:q}"


rule forecasting_train:
    input:
        rules.forecasting_prepare.output,
    output:
        directory(f"{FORECASTING_RESULTS}/models/{{model}}"),
    log:
        f"{RESULTS}/logs/forecasting_train_{{model}}.log",
    threads: FORECASTING.threads
    resources:
        warm="neuralforecast.models,polars,pyarrow",  # imported once per core, not once per model
    params:
        config=lambda wildcards: FORECASTING.train_json(wildcards.model),
    message:
        "train {wildcards.model}"
    shell:
        "python -m deeprc.forecasting.train --prepared {input:q} --model {wildcards.model:q}"
        " --config {params.config:q} --threads {threads} --out {output:q} &> {log:q}"


rule forecasting_predict:
    input:
        prepared=rules.forecasting_prepare.output,
        model=rules.forecasting_train.output,
    output:
        f"{FORECASTING_RESULTS}/predictions/{{model}}.arrow",
    log:
        f"{RESULTS}/logs/forecasting_predict_{{model}}.log",
    threads: FORECASTING.threads
    resources:
        warm="neuralforecast.models,polars,pyarrow",  # imported once per core, not once per model
    message:
        "forecast with {wildcards.model}"
    shell:
        "python -m deeprc.forecasting.predict --prepared {input.prepared:q} --model {input.model:q}"
        " --threads {threads} --out {output:q} &> {log:q}"


rule forecasting_evaluate:
    input:
        prepared=rules.forecasting_prepare.output,
        predictions=expand(rules.forecasting_predict.output, model=FORECASTING.models),
    output:
        f"{FORECASTING_RESULTS}/metrics.json",
    log:
        f"{RESULTS}/logs/forecasting_evaluate.log",
    message:
        "evaluate the forecasts"
    shell:
        "python -m deeprc.forecasting.evaluate --prepared {input.prepared:q} --out {output:q}"
        " {input.predictions:q} &> {log:q}"
