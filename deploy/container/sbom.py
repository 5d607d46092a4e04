"""The software bill of materials of an image: the packages of Debian and Python that are in it, and the wheel's parts.

    sbom.py NAME VERSION DEBIAN [PYTHON WHEEL] > NAME-VERSION.cdx.json

DEBIAN has the lines of `dpkg-query --show --showformat=FORMAT`, PYTHON those of `pip list --format=json`. It writes
CycloneDX 1.6, equal bytes for equal images, and needs nothing but Python.
"""

from __future__ import annotations

import json
import re
import sys
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import NAMESPACE_URL, uuid5

FORMAT = r"${binary:Package}\t${Version}\t${Architecture}\t${source:Package}\t${source:Version}\n"
DISTRIBUTION = "debian-13"

Component = dict[str, Any]


def write_sbom(name: str, version: str, debian: str, python: str | None = None, wheel: Path | None = None) -> str:
    """Return the document as JSON; without a wheel, of Debian's packages alone."""
    image: Component = {"bom-ref": f"image:{name}", "type": "container", "name": name, "version": version}
    components, edges = list(_debian(debian)), list[Component]()
    needed = [each["bom-ref"] for each in components]
    if python is not None and wheel is not None:
        parts, edges = _python(json.loads(python), _read_wheel(wheel))
        components += parts
        needed += [each["bom-ref"] for each in parts if each.get("purl", "").startswith("pkg:pypi/")]
    document: Component = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": image},
        "components": sorted(components, key=lambda each: each["bom-ref"]),
        "dependencies": [{"ref": image["bom-ref"], "dependsOn": sorted(needed)}, *edges],
    }
    document["serialNumber"] = uuid5(NAMESPACE_URL, json.dumps(document)).urn
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _debian(lines: str) -> Iterator[Component]:
    for line in lines.splitlines():
        package, version, architecture, source, source_version = line.split("\t")
        name = package.partition(":")[0]
        purl = f"pkg:deb/debian/{quote(name)}@{quote(version)}?arch={architecture}&distro={DISTRIBUTION}"
        yield {
            "bom-ref": f"deb:{package}@{version}",
            "type": "library",
            "name": name,
            "version": version,
            "purl": purl,
            "properties": [{"name": "debian:source", "value": f"{source} {source_version}"}],
        }


def _read_wheel(wheel: Path) -> Component:
    """Return the document that a wheel carries (PEP 770)."""
    with zipfile.ZipFile(wheel) as archive:
        (path,) = [each for each in archive.namelist() if ".dist-info/sboms/" in each]
        return json.loads(archive.read(path))


def _python(installed: Iterable[dict[str, str]], carried: Component) -> tuple[list[Component], list[Component]]:
    """Return the wheel's parts, without Python packages that the image lacks and with its others, and their edges."""
    here = {_purl(each["name"], each["version"]): each for each in installed}
    own = carried["metadata"]["component"]
    parts = [
        each
        for each in (own, *carried["components"])
        if not each.get("purl", "").startswith("pkg:pypi/") or each["purl"] in here
    ]
    known = {each.get("purl") for each in parts}
    parts += [
        {"bom-ref": purl, "type": "library", "name": each["name"], "version": each["version"], "purl": purl}
        for purl, each in here.items()
        if purl not in known
    ]
    refs = {each["bom-ref"] for each in parts}
    edges = [
        {"ref": edge["ref"], "dependsOn": kept}
        for edge in carried["dependencies"]
        if edge["ref"] in refs and (kept := [ref for ref in edge.get("dependsOn", ()) if ref in refs])
    ]
    return parts, edges


def _purl(name: str, version: str) -> str:
    return f"pkg:pypi/{re.sub('[-_.]+', '-', name).lower()}@{version}"


def main() -> None:
    match sys.argv[1:]:
        case ["format"]:
            sys.stdout.write(FORMAT)
        case [name, version, debian]:
            sys.stdout.write(write_sbom(name, version, Path(debian).read_text("utf-8")))
        case [name, version, debian, python, wheel]:
            read, listed = Path(debian).read_text("utf-8"), Path(python).read_text("utf-8")
            sys.stdout.write(write_sbom(name, version, read, listed, Path(wheel)))
        case _:
            sys.exit("usage: sbom.py format | NAME VERSION DEBIAN [PYTHON WHEEL]")


if __name__ == "__main__":
    main()
