# Jobs that have secrets, from the environment and from the configuration, and show that they do by a hash of them.
envvars:
    "SERVICE_TOKEN",


HASH = "printf %s \"$SERVICE_TOKEN\" | sha256sum | cut -c 1-64"
SERVICE, LOGIN = config["service"]["api_key"], config["login_password"]


def hashes(path):
    from hashlib import sha256

    with open(path, "w") as file:
        print(*(sha256(secret.encode()).hexdigest() for secret in (SERVICE, LOGIN)), sep="\n", file=file)


rule shell:
    output:
        "shell.txt",
    shell:
        HASH + " > {output}"


rule warm:
    output:
        "warm.txt",
    resources:
        warm="json",
    shell:
        HASH + " > {output}; python -c 'import time; time.sleep(2)'"


rule ranks:
    output:
        "ranks.txt",
    resources:
        tasks=2,
    shell:
        "[ ${{RP_RANK-0}} = 1 ] || " + HASH + " > {output}"


rule script:
    output:
        "script.txt",
    script:
        "secrets_script.py"


rule beside:
    """The main process runs it, by a Snakemake of its own."""
    output:
        "beside.txt",
    localrule: True
    run:
        hashes(output[0])


rule grouped:
    """The Snakemake inside runs it by another one."""
    output:
        "grouped.txt",
    group:
        "both"
    run:
        hashes(output[0])


rule fails:
    message:
        "fail with {config[database][password]}"
    output:
        "never.txt",
    shell:
        "true {config[database][password]:q}; sleep 1; exit 3"
