# Forecasting: prepared data -> train each model -> predict -> evaluate.
FORECASTING = CONFIG.forecasting
FORECASTING_RESULTS = f"{RESULTS}/forecasting"
TRAINING = FORECASTING.training
WARM = "neuralforecast.models,polars,pyarrow"


rule forecasting_train:
    input:
        rules.forecasting_prepare.output,
    output:
        directory(f"{FORECASTING_RESULTS}/models/{{model}}"),
    log:
        f"{RESULTS}/logs/forecasting_train_{{model}}.log",
    threads: FORECASTING.threads
    resources:
        tasks=TRAINING.ranks,
        warm=warm(TRAINING.ranks, WARM),
    params:
        config=lambda wildcards: FORECASTING.train_json(wildcards.model),
        # What follows is no reason to train anew: Snakemake does not compare what depends on the input.
        how=lambda wildcards, input: TRAINING.how(),
        # Not below the output, which Snakemake removes where a training was ended: it goes on from here.
        checkpoints=lambda wildcards, input: f"{FORECASTING_RESULTS}/checkpoints/{wildcards.model}",
        to=lambda wildcards, input: into(TRAINING.ranks, f"{RESULTS}/logs/forecasting_train_{wildcards.model}.log"),
    message:
        "train {wildcards.model}"
    shell:
        "python -P -m deeprc.applications.forecasting.train --prepared {input:q} --model {wildcards.model:q}"
        " --config {params.config:q} --how {params.how:q} --checkpoints {params.checkpoints:q} --threads {threads}"
        " --out {output:q} {params.to}"


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
        tasks=TRAINING.ranks,
        warm=warm(TRAINING.ranks, WARM),
    params:
        to=lambda wildcards, input: into(TRAINING.ranks, f"{RESULTS}/logs/forecasting_predict_{wildcards.model}.log"),
    message:
        "forecast with {wildcards.model}"
    shell:
        "python -P -m deeprc.applications.forecasting.predict --prepared {input.prepared:q} --model {input.model:q}"
        " --threads {threads} --out {output:q} {params.to}"


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
        "python -P -m deeprc.applications.forecasting.evaluate --prepared {input.prepared:q} --out {output:q}"
        " {input.predictions:q} &> {log:q}"
