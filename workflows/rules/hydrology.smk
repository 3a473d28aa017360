# Hydrology: prepared data -> train one regional LSTM -> predict -> evaluate.
HYDROLOGY, HYDROLOGY_PLACES = OPTIONS, PLACES


rule hydrology_train:
    input:
        rules.hydrology_prepare.output,
    output:
        directory(f"{PLACES.folder}/model"),
    log:
        f"{PLACES.log}_train.log",
    threads: HYDROLOGY.threads
    resources:
        tasks=PLACES.ranks,
        gpus_per_task=PLACES.gpus,
        warm=PLACES.warm("tensorflow,polars,pyarrow"),
    params:
        config=lambda wildcards: HYDROLOGY_PLACES.options(wildcards).train_json(),
        # What follows is no reason to train anew: Snakemake does not compare what depends on the input.
        how=PLACES.how(),
        # Not below the output, which Snakemake removes where a training was ended: it goes on from here.
        checkpoints=PLACES.filled(f"{PLACES.folder}/checkpoints"),
        curves=PLACES.filled(f"{PLACES.folder}/curves"),
        of=PLACES.of,
        to=PLACES.into(f"{PLACES.log}_train.log"),
    message:
        "train the rainfall-runoff LSTM{params.of}"
    shell:
        "exec python -P -m deeprc.applications.hydrology.train --prepared {input:q} --config {params.config:q}"
        " --how {params.how:q} --checkpoints {params.checkpoints:q} --curves {params.curves:q}"
        " --threads {threads} --out {output:q} {params.to}"


rule hydrology_predict:
    input:
        prepared=rules.hydrology_prepare.output,
        model=rules.hydrology_train.output,
    output:
        f"{PLACES.folder}/predictions.arrow",
    log:
        f"{PLACES.log}_predict.log",
    threads: HYDROLOGY.threads
    resources:
        tasks=PLACES.ranks,
        gpus_per_task=PLACES.gpus,
        warm=PLACES.warm("tensorflow,polars,pyarrow"),
    params:
        device=PLACES.device,
        of=PLACES.of,
        to=PLACES.into(f"{PLACES.log}_predict.log"),
    message:
        "simulate the discharge{params.of}"
    shell:
        "python -P -m deeprc.applications.hydrology.predict --prepared {input.prepared:q} --model {input.model:q}"
        " --threads {threads} --device {params.device} --out {output:q} {params.to}"


rule hydrology_evaluate:
    input:
        prepared=rules.hydrology_prepare.output,
        model=rules.hydrology_train.output,
        predictions=rules.hydrology_predict.output,
    output:
        f"{PLACES.folder}/metrics.json",
    log:
        f"{PLACES.log}_evaluate.log",
    params:
        of=PLACES.of,
    message:
        "evaluate the simulated discharge{params.of}"
    shell:
        "python -P -m deeprc.applications.hydrology.evaluate --prepared {input.prepared:q} --model {input.model:q}"
        " --predictions {input.predictions:q} --out {output:q} &> {log:q}"
