from hashlib import sha256
from pathlib import Path

found = snakemake.config["service"]["api_key"], snakemake.config["login_password"]  # noqa: F821
Path(snakemake.output[0]).write_text("".join(f"{sha256(each.encode()).hexdigest()}\n" for each in found))  # noqa: F821
