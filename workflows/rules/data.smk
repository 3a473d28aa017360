# Public data sets, fetched once and checked by SHA-256 (a local rule: compute nodes often have no network).
from deeprc.datasets import DATASETS


localrules:
    fetch,


rule fetch:
    output:
        f"{RESULTS}/data/{{dataset}}.csv",
    log:
        f"{RESULTS}/logs/fetch_{{dataset}}.log",
    wildcard_constraints:
        dataset="|".join(DATASETS),
    message:
        "fetch the {wildcards.dataset} data"
    shell:
        "python -m deeprc.datasets {wildcards.dataset} --out {output:q} &> {log:q}"
