"""Writes what is in an image, as a CycloneDX 1.6 document: Debian's packages, wheels, what Spack built, licences.

It runs in the image while that is built, and writes /opt/deeprc/sbom.json. It needs Python's standard library only,
from 3.8 on. The same image has the same document: no time and no random number is in it.
"""

import json
import re
import sys
import uuid
from importlib.metadata import distributions
from pathlib import Path
from urllib.parse import quote

FACTS, PROVENANCE, RESULT = "opt/deeprc/image.json", "opt/deeprc/provenance.json", "opt/deeprc/sbom.json"
SPACK = "opt/deeprc/spack.lock"
PYTHON = "usr/local/lib/python3*/dist-packages", "usr/lib/python3/dist-packages", "opt/*/lib/python3*/site-packages"
LONGEST = 100  # of a licence's name: some packages put the whole text there
WORDS = 6  # of a licence's name, `GPL-3+ with Autoconf-data exception`: what has more is the text itself
LICENCE = "License :: "  # how a classifier of a licence begins


def describe(root=Path("/")):
    """The document for the file system in `root`."""
    facts = json.loads((root / FACTS).read_text())
    found = [*debian(root), *wheels(root), *spack(root)]
    components = sorted({each["bom-ref"]: each for each in found}.values(), key=lambda each: each["bom-ref"])
    labels = [{"name": name, "value": value} for name, value in sorted(facts["labels"].items())]
    name, release = facts["name"], facts["labels"]["deeprc.version"]
    image = {"type": "container", "bom-ref": "image", "name": name, "version": release, "properties": labels}
    tool = {"type": "application", "name": "deeprc", "version": release}
    document = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"tools": {"components": [tool]}, "component": image},
        "components": components,
    }
    number = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(document, sort_keys=True))
    return {**document, "serialNumber": f"urn:uuid:{number}"}


def debian(root):
    """Debian's packages, with the licences that their copyright files name."""
    for entry in (root / "var/lib/dpkg/status").read_text(encoding="utf-8").split("\n\n"):
        fields = dict(re.findall(r"^([\w-]+): (.*)$", entry, flags=re.M))
        if fields.get("Status", "").endswith(" installed"):
            name, version = fields["Package"], fields["Version"]
            text = root / "usr/share/doc" / name / "copyright"
            lines = re.findall(r"^License:[ \t]*(\S.*)$", read(text), flags=re.M)
            named = [line for line in lines if len(line.split()) <= WORDS]
            purl = f"pkg:deb/debian/{quote(name)}@{quote(version)}?arch={fields['Architecture']}"
            more = [f"see {text.relative_to(root)}"] if text.exists() and (named != lines or not lines) else []
            yield component(purl, name, version, [*named, *more])


def wheels(root):
    """Python's packages, with the hashes of the wheels that they came in."""
    known = json.loads((root / PROVENANCE).read_text())["buildDefinition"]["resolvedDependencies"]
    hashes = {each["uri"]: each["digest"]["sha256"] for each in known if "sha256" in each["digest"]}
    folders = [str(folder) for pattern in PYTHON for folder in sorted(root.glob(pattern))]
    for each in distributions(path=folders):
        name, version = re.sub(r"[-_.]+", "-", each.metadata["Name"]).lower(), each.version
        purl = f"pkg:pypi/{name}@{quote(version)}"
        made = component(purl, name, version, licences(each.metadata))
        if purl in hashes:
            made["hashes"] = [{"alg": "SHA-256", "content": hashes[purl]}]
        yield made


def licences(metadata):
    """What a wheel says of its licence: an SPDX expression, else its classifiers, else a line of text."""
    if expression := metadata.get("License-Expression"):
        return [expression]
    named = [line for line in metadata.get_all("Classifier") or [] if line.startswith(LICENCE)]
    lines = [line for line in str(metadata.get("License") or "").strip().splitlines() if line.upper() != "UNKNOWN"]
    return [line.rpartition(" :: ")[2] for line in named if line != f"{LICENCE}OSI Approved"] or lines[:1]


def spack(root):
    """What Spack built, by its lock."""
    lock = root / SPACK
    for key, spec in json.loads(lock.read_text())["concrete_specs"].items() if lock.exists() else ():
        purl = f"pkg:generic/{quote(spec['name'])}@{quote(str(spec['version']))}?spack={key}"
        yield component(purl, spec["name"], str(spec["version"]), [])


def component(purl, name, version, named):
    """A row of the document."""
    made = {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}
    if named:
        short = sorted({text.strip()[:LONGEST] for text in named})
        made["licenses"] = [{"license": {"name": text}} for text in short]
    return made


def read(path):
    """The text of a file; none where there is no file."""
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


if __name__ == "__main__":
    root = Path(sys.argv[1] if len(sys.argv) > 1 else "/")
    (root / RESULT).write_text(json.dumps(describe(root), indent=1, sort_keys=True), encoding="utf-8")
