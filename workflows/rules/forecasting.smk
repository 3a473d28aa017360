# Forecasting: prepared data -> train each model -> predict -> evaluate.
FORECASTING, FORECASTING_PLACES = OPTIONS, PLACES
WARM = "neuralforecast.models,polars,pyarrow"


rule forecasting_train:
    input:
        rules.forecasting_prepare.output,
    output:
        directory(f"{PLACES.folder}/models/{{model}}"),
    log:
        f"{PLACES.log}_train_{{model}}.log",
    threads: FORECASTING.threads
    resources:
        tasks=PLACES.ranks,
        gpus_per_task=PLACES.gpus,
        comm=PLACES.comm,
        warm=PLACES.warm(WARM),
    params:
        config=lambda wildcards: FORECASTING_PLACES.options(wildcards).train_json(wildcards.model),
        # What follows is no reason to train anew: Snakemake does not compare what depends on the input.
        how=PLACES.how(),
        # Not below the output, which Snakemake removes where a training was ended: it goes on from here.
        checkpoints=PLACES.filled(f"{PLACES.folder}/checkpoints/{{model}}"),
        curves=PLACES.filled(f"{PLACES.folder}/curves/{{model}}"),
        called=PLACES.called,
        study=PLACES.study,
        to=PLACES.into(f"{PLACES.log}_train_{{model}}.log"),
    message:
        "train {params.called}"
    shell:
        "exec python -P -m deeprc.applications.forecasting.train --prepared {input:q} --model {wildcards.model:q}"
        " --config {params.config:q} --how {params.how:q} --checkpoints {params.checkpoints:q}"
        " --curves {params.curves:q} --threads {threads}"
        " --out {output:q} {params.study} {params.to}"


rule forecasting_predict:
    input:
        prepared=rules.forecasting_prepare.output,
        model=rules.forecasting_train.output,
    output:
        f"{PLACES.folder}/predictions/{{model}}.arrow",
    log:
        f"{PLACES.log}_predict_{{model}}.log",
    threads: FORECASTING.threads
    resources:
        tasks=PLACES.ranks,
        gpus_per_task=PLACES.gpus,
        warm=PLACES.warm(WARM),
    params:
        called=PLACES.called,
        device=PLACES.device,
        to=PLACES.into(f"{PLACES.log}_predict_{{model}}.log"),
    message:
        "forecast with {params.called}"
    shell:
        "python -P -m deeprc.applications.forecasting.predict --prepared {input.prepared:q} --model {input.model:q}"
        " --threads {threads} --device {params.device} --out {output:q} {params.to}"


rule forecasting_evaluate:
    input:
        prepared=rules.forecasting_prepare.output,
        predictions=lambda wildcards: [
            f"{FORECASTING_PLACES.folder}/predictions/{model}.arrow".format(**dict(wildcards.items()))
            for model in FORECASTING_PLACES.options(wildcards).models
        ],
    output:
        f"{PLACES.folder}/metrics.json",
    log:
        f"{PLACES.log}_evaluate.log",
    params:
        of=PLACES.of,
    message:
        "evaluate the forecasts{params.of}"
    shell:
        "python -P -m deeprc.applications.forecasting.evaluate --prepared {input.prepared:q} --out {output:q}"
        " {input.predictions:q} &> {log:q}"
