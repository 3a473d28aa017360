# Hydrology: prepared data -> train one regional LSTM -> predict -> evaluate.
HYDROLOGY = CONFIG.hydrology
HYDROLOGY_RESULTS = f"{RESULTS}/hydrology"
HYDROLOGY_RANKS = HYDROLOGY.training.ranks


rule hydrology_train:
    input:
        rules.hydrology_prepare.output,
    output:
        directory(f"{HYDROLOGY_RESULTS}/model"),
    log:
        f"{RESULTS}/logs/hydrology_train.log",
    threads: HYDROLOGY.threads
    resources:
        tasks=HYDROLOGY_RANKS,
        warm=warm(HYDROLOGY_RANKS, "tensorflow,polars,pyarrow"),
    params:
        config=lambda wildcards: HYDROLOGY.train_json(),
        # What follows is no reason to train anew: Snakemake does not compare what depends on the input.
        how=lambda wildcards, input: HYDROLOGY.training.how(),
        # Not below the output, which Snakemake removes where a training was ended: it goes on from here.
        checkpoints=lambda wildcards, input: f"{HYDROLOGY_RESULTS}/checkpoints",
        to=lambda wildcards, input: into(HYDROLOGY_RANKS, f"{RESULTS}/logs/hydrology_train.log"),
    message:
        "train the rainfall-runoff LSTM"
    shell:
        "python -P -m deeprc.applications.hydrology.train --prepared {input:q} --config {params.config:q}"
        " --how {params.how:q} --checkpoints {params.checkpoints:q} --threads {threads} --out {output:q} {params.to}"


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
        tasks=HYDROLOGY_RANKS,
        warm=warm(HYDROLOGY_RANKS, "tensorflow,polars,pyarrow"),
    params:
        to=lambda wildcards, input: into(HYDROLOGY_RANKS, f"{RESULTS}/logs/hydrology_predict.log"),
    message:
        "simulate the discharge"
    shell:
        "python -P -m deeprc.applications.hydrology.predict --prepared {input.prepared:q} --model {input.model:q}"
        " --threads {threads} --out {output:q} {params.to}"


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
