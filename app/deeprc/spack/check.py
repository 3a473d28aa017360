"""What can be known of the Spack tree without Spack: every rule yields a line per fault, with its file."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

from jsonschema import Draft7Validator

from deeprc.core.validation import read_yaml
from deeprc.images.catalog import Catalog, Image
from deeprc.spack.tree import OVERRIDES, RDMA, TARGETS, Variant, layers, package_of, values_of, variants, version_of

# Spack's package of an MPI -> its ABI family.
FAMILIES = {
    "mpich": "mpich",
    "mvapich": "mpich",
    "mvapich2": "mpich",
    "cray-mpich": "mpich",
    "intel-mpi": "mpich",
    "intel-oneapi-mpi": "mpich",
    "parastationmpi": "mpich",
    "openmpi": "openmpi",
    "hpcx-mpi": "openmpi",
}
# Collective operations need to know the GPUs: package -> the variant that says which.
ARCHITECTURES = {"nccl": "cuda_arch", "rccl": "amdgpu_target"}
LAYERS = ("common", "accel", "mpi", "target", "sites")


def check(folder: Path, catalog: Catalog) -> list[str]:
    """Every fault of the tree, as lines for people; empty where there is none."""
    faults = list(_schema(folder))
    if faults:  # what does not have the form cannot be asked anything else
        return faults
    found = variants(folder)
    faults += _catalog(found, catalog)
    faults += _once(folder)
    for variant in found:
        faults += (f"{variant.path}: {fault}" for rule in RULES for fault in rule(variant, catalog))
    return faults


def _schema(folder: Path) -> Iterator[str]:
    schema = json.loads((folder / "schema.json").read_text())
    kinds = {"environment": folder.glob("variants/*/spack.yaml")}
    kinds["layer"] = (path for part in LAYERS for path in folder.glob(f"{part}/**/*.yaml"))
    for kind, paths in kinds.items():
        validator = Draft7Validator({"$ref": f"#/definitions/{kind}", "definitions": schema["definitions"]})
        for path in sorted(paths):
            for error in validator.iter_errors(read_yaml(path)):
                place = ".".join(map(str, error.absolute_path)) or "the file"
                yield f"{path}: {place}: {error.message}"


def _catalog(found: list[Variant], catalog: Catalog) -> Iterator[str]:
    """A variant for each image and architecture of the catalog, and no other. Cylon's is not made with Spack."""
    images = [image for image in catalog.images if image.route != "cylon"]
    wanted = {(name, arch) for image in images for name in image.variants() for arch in image.architectures}
    there = {(variant.image, variant.architecture): variant for variant in found}
    for name, architecture in sorted(wanted - there.keys()):
        yield f"no variant for {name} on {architecture}, which the image catalog has"
    for key in sorted(there.keys() - wanted):
        yield f"{there[key].path}: the image catalog has no {key[0]} for {key[1]}"


def _once(folder: Path) -> Iterator[str]:
    """No package is asked for in two layers: their versions would part ways."""
    places = defaultdict(list)
    for layer in layers(folder):
        for spec in layer.specs:
            places[package_of(spec)].append(layer.name)
    for package, names in sorted(places.items()):
        if len(names) > 1:
            yield f"{package} is asked for in {' and '.join(names)}"


def _includes(variant: Variant, catalog: Catalog) -> Iterator[str]:
    for path in variant.includes:
        if not path.exists():
            yield f"include: no such file or folder: {path}"
    names = [layer.name for layer in variant.layers]
    for part in ("sites", "mpi", "target"):
        if sum(name.startswith(f"{part}/") for name in names) != 1:
            yield f"include: expected one layer of {part}/, found {[n for n in names if n.startswith(part)]}"
    for entry in read_yaml(variant.path)["spack"]["include"]:
        if isinstance(entry, dict) and entry["path_override_env_var"] != OVERRIDES[entry["name"]]:
            yield f"include: {entry['name']} is overridden by {OVERRIDES[entry['name']]}, not another variable"


def _target(variant: Variant, catalog: Catalog) -> Iterator[str]:
    layer = variant.layer("target")
    if layer and (family := TARGETS.get(layer.name.partition("/")[2])) != variant.architecture:
        yield f"{layer.name} is for {family}, the variant for {variant.architecture}"


def _mpi(variant: Variant, catalog: Catalog) -> Iterator[str]:
    image = _image(variant, catalog)
    own = image and image.variants()[variant.image]
    required = [package_of(text) for text in variant.requirements("mpi")]
    if len(required) != 1:
        yield f"expected one layer to require one MPI, found {required}"
        return
    family = FAMILIES.get(required[0])
    if own and family != own.family:
        yield f"MPI of the family {family} ({required[0]}), the catalog's image is of {own.family}"
    if not image or image.route != "spack":  # other images bring an MPI of another release
        return
    versions = {v for v in map(version_of, variant.requirements(required[0])) if v}
    if required[0] != own.implementation or versions != {own.version}:
        yield f"MPI {required[0]} {versions or ''}, the catalog says {own.title}"


def _collectives(variant: Variant, catalog: Catalog) -> Iterator[str]:
    """nccl is unsatisfiable without cuda_arch; the plugin is of no use without a fabric that asks for it."""
    packages = {package_of(spec) for spec in variant.specs}
    for package, key in ARCHITECTURES.items():
        if package not in packages:
            continue
        for name in (package, "py-torch"):
            if not any(values_of(text, key) for text in variant.requirements(name)):
                yield f"{name} needs {key} required, and no layer does"
    if "aws-ofi-nccl" in packages:
        fabrics = {value for text in variant.requirements("libfabric") for value in values_of(text, "fabrics")}
        if not fabrics & RDMA:
            yield f"aws-ofi-nccl needs libfabric with one of {sorted(RDMA)}, found {sorted(fabrics)}"
        sort = "+cuda" if "nccl" in packages else "+rocm" if "rccl" in packages else None
        if sort is None:
            yield "aws-ofi-nccl without nccl or rccl"
        elif not any(sort in text for text in variant.requirements("aws-ofi-nccl")):
            yield f"aws-ofi-nccl must be required with {sort}"


def _versions(variant: Variant, catalog: Catalog) -> Iterator[str]:
    """CUDA, ROCm and the collectives are those that the catalog names for the image."""
    image = _image(variant, catalog)
    if not image or image.route != "spack":
        return
    told = dict(text.split(" ") for text in image.collectives if " " in text)
    told = {{"oneccl": "intel-oneapi-ccl"}.get(name, name): version for name, version in told.items()}
    if image.accelerator and (package := {"cuda": "cuda", "rocm": "hip"}.get(image.accelerator.toolkit)):
        told[package] = image.accelerator.version
    for package, version in sorted(told.items()):
        required = [v for v in map(version_of, variant.requirements(package)) if v]
        if not any(f"{v}.".startswith(f"{version}.") for v in required):
            yield f"{package} {required or 'at any version'}, the catalog says {version}"


def _archs(variant: Variant, catalog: Catalog) -> Iterator[str]:
    """The GPUs that the catalog's image has code for are those of the variant's layer."""
    image = _image(variant, catalog)
    if not image or not image.accelerator:
        return
    told = {arch.removeprefix("sm_") for arch in image.accelerator.archs[variant.architecture]}
    for package, key in ARCHITECTURES.items():
        required = {value for text in variant.requirements(package) for value in values_of(text, key)}
        if required and required != told:
            yield f"{package} {key}={','.join(sorted(required))}, the catalog says {','.join(sorted(told))}"


def _linking(variant: Variant, catalog: Catalog) -> Iterator[str]:
    kinds = [(layer.data.get("config") or {}).get("shared_linking", {}).get("type") for layer in variant.layers]
    if next(filter(None, kinds), None) != "runpath":
        yield "config.shared_linking.type must be runpath: RPATH hides a host's MPI that is bound over the image's"


def _preferences(variant: Variant, catalog: Catalog) -> Iterator[str]:
    """Spack reads `all` only where the package itself has no such list, and the target would be lost."""
    for layer in variant.layers:
        for package, data in (layer.data.get("packages") or {}).items():
            if package != "all" and "prefer" in data:
                yield f"{layer.name}: {package}: prefer hides what `all` prefers (the target): require it instead"


def _image(variant: Variant, catalog: Catalog) -> Image | None:
    return next((image for image in catalog.images if variant.image in image.variants()), None)


RULES: list[Callable[[Variant, Catalog], Iterator[str]]] = [
    _includes, _target, _mpi, _collectives, _versions, _archs, _linking, _preferences,
]  # fmt: skip
