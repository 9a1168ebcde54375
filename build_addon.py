"""Build the add-on: `python build_addon.py` writes dist/adapt_motion-<version>.zip.

One zip for every Blender: 3.4 to 4.1 take it in Preferences > Add-ons > Install, 4.2 and later as an extension. The
same files make the same zip, byte for byte.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent
PACKAGE = "adapt_motion"
LIMIT_MB = 80

CONTENTS = ("blender_addon", "engine", "presets", "LICENSES", "LICENSE", "constraints.txt")
MOVED = {"blender_addon/zip_init.py": "__init__.py", "blender_addon/blender_manifest.toml": "blender_manifest.toml"}
"""What lies elsewhere in the zip than in the repository: Blender looks for these two at the top."""

LEFT_OUT = re.compile(
    r"(^|/)(__pycache__|\.[^/]*|[^/]*\.egg-info)(/|$)"  # what tools leave
    r"|^presets/demo/"  # the demo's clip
    r"|^engine/training/asset_builds/"  # what the assets are built from
)


def files() -> dict[str, Path]:
    """Name in the zip, from the package's folder on, to the file; sorted by name."""
    found = {}
    for content in CONTENTS:
        path = ROOT / content
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            name = file.relative_to(ROOT).as_posix()
            if file.is_file() and not LEFT_OUT.search(name):
                found[f"{PACKAGE}/{MOVED.get(name, name)}"] = file
    return dict(sorted(found.items()))


def version() -> str:
    """The engine's version. Raises SystemExit if the add-on's two declarations do not say the same."""
    stated = re.search(
        r'^__version__ = "(.+)"', (ROOT / "engine/__init__.py").read_text(encoding="utf-8"), re.MULTILINE
    )
    number = stated[1] if stated else ""
    manifest = (ROOT / "blender_addon/blender_manifest.toml").read_text(encoding="utf-8")
    in_manifest = re.search(r'^version = "(.+)"', manifest, re.MULTILINE)
    tree = ast.parse((ROOT / "blender_addon/zip_init.py").read_text(encoding="utf-8"))
    info = next(ast.literal_eval(node.value) for node in tree.body if isinstance(node, ast.Assign))
    declared = {number, in_manifest[1] if in_manifest else "", ".".join(map(str, info["version"]))}
    if len(declared) != 1:
        raise SystemExit(f"versions differ between engine, manifest and bl_info: {', '.join(sorted(declared))}")
    return number


def build(folder: Path) -> Path:
    """Write the zip into `folder`; gives back its path. Raises SystemExit if it grows over the limit."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{PACKAGE}-{version()}.zip"
    temporary = path.with_suffix(".tmp")
    with zipfile.ZipFile(temporary, "w") as archive:
        for name, file in files().items():
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system, entry.external_attr = 3, 0o100644 << 16  # the same on every system
            archive.writestr(entry, file.read_bytes(), compresslevel=9)
    megabytes = temporary.stat().st_size / 1e6
    if megabytes > LIMIT_MB:
        temporary.unlink()
        raise SystemExit(f"the add-on would be {megabytes:.1f} MB, over {LIMIT_MB} MB")
    temporary.replace(path)
    return path


def main() -> int:
    """Build and say how large it is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="folder for the zip")
    path = build(parser.parse_args().out)
    sys.stdout.write(f"{path} ({path.stat().st_size / 1e6:.1f} MB, {len(files())} files)\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
