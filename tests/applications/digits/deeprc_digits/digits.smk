# From the prepared data on: train -> infer. Deep RC prepares, and sets CONFIG, APPLICATION, OPTIONS, RESULTS and FOLDER.
rule digits_train:
    input:
        rules.digits_prepare.output,
    output:
        directory(f"{FOLDER}/model"),
    log:
        f"{RESULTS}/logs/digits_train.log",
    resources:
        warm="torch,polars,pyarrow",  # imported once for both stages
    params:
        config=fixed(json.dumps(APPLICATION.trained(OPTIONS))),
    message:
        "train the network"
    shell:
        "python -P -m deeprc_digits.train --prepared {input:q} --config {params.config:q} --out {output:q} &> {log:q}"


rule digits_infer:
    input:
        prepared=rules.digits_prepare.output,
        model=rules.digits_train.output,
    output:
        predictions=f"{FOLDER}/predictions.arrow",
        metrics=f"{FOLDER}/metrics.json",
    log:
        f"{RESULTS}/logs/digits_infer.log",
    resources:
        warm="torch,polars,pyarrow",
    message:
        "tell the digits apart"
    shell:
        "python -P -m deeprc_digits.infer --prepared {input.prepared:q} --model {input.model:q}"
        " --predictions {output.predictions:q} --out {output.metrics:q} &> {log:q}"
