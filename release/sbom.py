"""The software bill of materials that a wheel carries in its `.dist-info/sboms/` (PEP 770): CycloneDX 1.6.

It lists the Python packages that `requirements.lock` pins, the npm packages that are in the web app and the clip art,
and the sources that `native/` patches. It is made from these files alone, so equal sources give equal bytes: it has no
time, and its serial number is derived from its content.
`python release/sbom.py` writes it to standard output; `python release/sbom.py check FILE` validates one.
"""

# The library is installed where packages are built, not where types are checked.
# pyright: reportMissingImports=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false

from __future__ import annotations

import base64
import json
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType, Property, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import (
    Component,
    ComponentScope,
    ComponentType,
    Diff,
    Patch,
    PatchClassification,
    Pedigree,
)
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

NAME = "eclair.cdx.json"
BUNDLED = Path("src", "eclair", "server", "static", ".packages.json")
"""The npm packages in the built web app, by their paths in `ui/package-lock.json`."""
LICENSES = Path("release", "licenses.json")
"""Licenses of the Python packages; `licenses.py` writes them."""

PATCHED_PACKAGE = "xllamacpp"
"""The package whose sources `native/` patches."""

_PIN = re.compile(r"(?P<name>[\w.-]+)==(?P<version>[^\s;]+)(?: ; (?P<marker>.+?))?(?: \\)?$")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
_VIA = re.compile(r"# (?:via )?\s*(\S+)(?: \(.*\))?$")


@dataclass(frozen=True, slots=True)
class PinnedPackage:
    """A package of a lock file: any of `hashes` (SHA-256) is one of its files; `via` are those that need it."""

    name: str
    version: str
    marker: str | None
    hashes: tuple[str, ...]
    via: tuple[str, ...]


def read_lock(text: str) -> Iterator[PinnedPackage]:
    """Yield the packages that a lock file of `uv pip compile` pins."""
    for block in re.split(r"\n(?=\w)", text.strip()):
        head, *rest = block.split("\n")
        pin = _PIN.match(head)
        if pin is None:
            raise ValueError(f"{head!r} pins no version")
        via = [found[1] for line in rest if (found := _VIA.match(line.strip())) and found[1] != "via"]
        yield PinnedPackage(pin["name"], pin["version"], pin["marker"], tuple(_HASH.findall(block)), tuple(via))


def write_sbom(root: Path) -> str:
    """Return the document as JSON. The web app must have been built."""
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    own = Component(
        name=project["name"],
        version=project["version"],
        type=ComponentType.APPLICATION,
        description=project["description"],
        licenses=_licenses(project["license"]),
        purl=PackageURL("pypi", name=project["name"], version=project["version"]),
        bom_ref=project["name"],
    )
    bom = Bom()
    bom.metadata.component = own
    bom.metadata.timestamp = None
    bom.register_dependency(own)
    needed = [_add_python(bom, root), *_add_npm(bom, root), _add_native(bom, root)]
    bom.register_dependency(own, [component for group in needed for component in group])
    bom.serial_number = uuid5(NAMESPACE_URL, "eclair")
    bom.serial_number = uuid5(NAMESPACE_URL, _dump(bom))
    return _dump(bom)


def _dump(bom: Bom) -> str:
    return JsonV1Dot6(bom).output_as_string(indent=1) + "\n"


def _add_python(bom: Bom, root: Path) -> list[Component]:
    """Add the pinned Python packages; return those that the project names itself."""
    known: dict[str, str] = json.loads((root / LICENSES).read_text("utf-8"))
    packages = list(read_lock((root / "requirements.lock").read_text("utf-8")))
    components: dict[str, list[Component]] = {}
    for package in packages:
        component = Component(
            name=package.name,
            version=package.version,
            purl=PackageURL("pypi", name=package.name, version=package.version),
            bom_ref=f"pypi:{package.name}@{package.version}",
            hashes=[HashType(alg=HashAlgorithm.SHA_256, content=each) for each in package.hashes],
            licenses=_licenses(known.get(package.name)),
            properties=[Property(name="eclair:marker", value=package.marker)] if package.marker else [],
        )
        bom.components.add(component)
        components.setdefault(package.name, []).append(component)
    direct: list[Component] = []
    for package in packages:
        mine = [each for each in components[package.name] if each.version == package.version]
        direct += mine if "eclair" in package.via else []
        for parent in package.via:
            for needing in components.get(parent, ()):
                bom.register_dependency(needing, mine)
    return direct


def _add_npm(bom: Bom, root: Path) -> Iterator[list[Component]]:
    """Add the npm packages in the web app and in the clip art; yield them."""
    clip_art = {"node_modules/@iconify-json/noto", "node_modules/cldr-annotations-full"}
    for folder, bundled in (("ui", set(json.loads((root / BUNDLED).read_text("utf-8")))), ("drawings", clip_art)):
        locked = json.loads((root / folder / "package-lock.json").read_text("utf-8"))["packages"]
        components = {path: _npm_component(path, locked[path]) for path in sorted(bundled)}
        for path, component in components.items():
            bom.components.add(component)
            names = locked[path].get("dependencies", {})
            needed = [components[found] for name in names if (found := _resolve(locked, path, name)) in components]
            bom.register_dependency(component, needed)
        yield list(components.values())


def _npm_component(path: str, package: dict[str, Any]) -> Component:
    name = path.rpartition("node_modules/")[2]
    group, _, short = name.rpartition("/")
    algorithm, _, digest = package["integrity"].partition("-")
    if algorithm != "sha512":
        raise ValueError(f"{name} is locked by {algorithm}, not by SHA-512")
    return Component(
        name=short,
        group=group or None,
        version=package["version"],
        purl=PackageURL("npm", namespace=group or None, name=short, version=package["version"]),
        bom_ref=f"npm:{path}@{package['version']}",
        hashes=[HashType(alg=HashAlgorithm.SHA_512, content=base64.b64decode(digest).hex())],
        licenses=_licenses(package.get("license")),
    )


def _resolve(locked: dict[str, Any], path: str, name: str) -> str | None:
    """Return where Node finds `name` from the package at `path`; None if it isn't locked."""
    while True:
        found = f"{path}/node_modules/{name}" if path else f"node_modules/{name}"
        if found in locked or not path:
            return found if found in locked else None
        path = path.rpartition("node_modules/")[0].rstrip("/")


def _add_native(bom: Bom, root: Path) -> list[Component]:
    """Add the kernels in `native/`: patches of the sources that the pinned engine is built from."""
    (engine,) = [each for each in bom.components if each.name == PATCHED_PACKAGE]
    folder = root / "native"
    patches = [
        Patch(
            type=PatchClassification.UNOFFICIAL,
            diff=Diff(url=XsUri(f"eclair/native/{path.relative_to(folder).as_posix()}")),
        )
        for path in sorted(folder.rglob("*.patch"))
    ]
    ancestor = Component(name=engine.name, version=engine.version, purl=engine.purl, bom_ref="native:ancestor")
    kernels = Component(
        name="native",
        group=str(bom.metadata.component.name),
        description="Kernels for llama.cpp, compiled only by `eclair tune --build`.",
        bom_ref="native",
        scope=ComponentScope.OPTIONAL,
        licenses=_licenses("Apache-2.0"),
        pedigree=Pedigree(ancestors=[ancestor], patches=patches),
    )
    bom.components.add(kernels)
    bom.register_dependency(kernels, [engine])
    return [kernels]


def _licenses(said: str | None) -> Iterable[Any]:
    return [LicenseFactory().make_from_string(said)] if said else []


def main() -> None:
    match sys.argv[1:]:
        case ["check", path]:
            error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(Path(path).read_text("utf-8"))
            sys.exit(f"{path} is not CycloneDX: {error}" if error else 0)
        case []:
            sys.stdout.write(write_sbom(Path(__file__).resolve().parents[1]))
        case _:
            sys.exit("usage: sbom.py [check FILE]")


if __name__ == "__main__":
    main()
