"""The zip: built twice the same, installed the way this Blender installs add-ons, switched on, used, switched off."""

from __future__ import annotations

import ast
import hashlib
import os
import shutil
import subprocess
import sys
import zipfile

import bpy
import numpy as np
import pytest
from conftest import REPOSITORY

INSTALL = """
import bpy, sys
zip_path, *words = sys.argv[sys.argv.index("--") + 1:]
extensions = hasattr(bpy.ops, "extensions") and hasattr(bpy.context.preferences, "extensions")
if extensions:
    bpy.ops.extensions.package_install_files(repo="user_default", filepath=zip_path, enable_on_install=True)
    module = "bl_ext.user_default.adapt_motion"
else:
    bpy.ops.preferences.addon_install(filepath=zip_path)
    bpy.ops.preferences.addon_enable(module="adapt_motion")
    module = "adapt_motion"
assert module in bpy.context.preferences.addons, list(bpy.context.preferences.addons.keys())
assert hasattr(bpy.types.Scene, "adapt_motion")
"""

USE = """
motion, out = words
assert bpy.ops.adapt_motion.import_motion(filepath=motion) == {"FINISHED"}
assert bpy.ops.adapt_motion.export_fbx(filepath=out) == {"FINISHED"}
import importlib, pathlib
scripts = module + ".blender_addon.scripts"
importlib.import_module(scripts + ".export_motion").write_people([pathlib.Path(motion)], ["fbx", "blend"])
assert module in bpy.context.preferences.addons, "batch mode has switched the add-on off"
assert hasattr(bpy.types.Scene, "adapt_motion")
if hasattr(bpy.utils, "register_cli_command"):
    assert importlib.import_module(scripts + ".batch")._command is not None, "no command adapt_motion"
bpy.ops.preferences.addon_disable(module=module)
assert not hasattr(bpy.types.Scene, "adapt_motion")
print("ALL WELL", module)
import os
sys.stdout.flush()
os._exit(0)
"""

ADAPT = """
import importlib, os
python, footage, out = words
bpy.context.preferences.addons[module].preferences.engine_python = python
batch = importlib.import_module(module + ".blender_addon.scripts.batch")
del os.environ[batch.PYTHON_VARIABLE]
code = batch.main([footage, "--out", out, "--fbx", "--preset", "fast", "--end-s", "0.2"])
assert code == 0, code
print("ALL WELL", module)
sys.stdout.flush()
os._exit(0)
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The zip, built by the command that users run; None of Blender's Python variables go along."""
    folder = tmp_path_factory.mktemp("dist")
    python = os.environ.get("ADAPT_MOTION_PYTHON") or "python3"
    reply = subprocess.run(
        [python, str(REPOSITORY / "build_addon.py"), "--out", str(folder)], capture_output=True, text=True, check=False
    )
    assert reply.returncode == 0, reply.stderr
    print(reply.stdout)
    return next(folder.glob("*.zip"))


def test_zip_holds_one_folder_with_all_that_is_needed_and_no_more(built):
    with zipfile.ZipFile(built) as archive:
        names = archive.namelist()
        tree = ast.parse(archive.read("adapt_motion/__init__.py"))
    assert {name.split("/")[0] for name in names} == {"adapt_motion"}
    wanted = ["__init__.py", "blender_manifest.toml", "blender_addon/scripts/batch.py", "engine/__main__.py", "LICENSE"]
    wanted += ["engine/requirements.txt", "engine/assets/open_body.npz", "presets/armature.json", "constraints.txt"]
    assert {f"adapt_motion/{name}" for name in wanted} <= set(names)
    assert not [name for name in names if "__pycache__" in name or "/tests/" in name or name.endswith(".mp4")]
    info = next(ast.literal_eval(node.value) for node in tree.body if isinstance(node, ast.Assign))
    assert info["blender"] == (3, 4, 0)
    assert built.stat().st_size < 80e6


def test_same_files_make_the_same_zip(tmp_path):
    """Whenever they were written, and by whom."""
    zips = []
    for name in ("first", "second"):
        copy = tmp_path / name
        if zips:
            shutil.copytree(tmp_path / "first", copy, copy_function=shutil.copyfile)
        else:
            shutil.copytree(REPOSITORY, copy, ignore=shutil.ignore_patterns(".*", "out", "dist", "tests", "*.task"))
        python = os.environ.get("ADAPT_MOTION_PYTHON") or "python3"
        subprocess.run([python, str(copy / "build_addon.py"), "--out", str(copy / "dist")], check=True)
        zips.append(next((copy / "dist").glob("*.zip")).read_bytes())
    assert hashlib.sha256(zips[0]).digest() == hashlib.sha256(zips[1]).digest()


def in_a_fresh_blender(tmp_path, text, *words):
    """What a script says in a Blender of its own with its own preferences."""
    script = tmp_path / "script.py"
    script.write_text(text)
    if bpy.app.binary_path:
        command = [bpy.app.binary_path, "-b", "--factory-startup", "--python-exit-code", "1", "-P", str(script)]
    else:
        command = [sys.executable, str(script)]
    environment = {**os.environ, "BLENDER_USER_RESOURCES": str(tmp_path / "user resources")}
    done = subprocess.run(
        [*command, "--", *map(str, words)], capture_output=True, text=True, env=environment, timeout=900, check=False
    )
    assert "ALL WELL" in done.stdout, done.stdout + done.stderr


@pytest.mark.short
def test_installs_works_and_leaves_in_a_fresh_blender(built, tmp_path):
    import synthetic

    motion, out = synthetic.write_person(tmp_path / "clip"), tmp_path / "out.fbx"
    in_a_fresh_blender(tmp_path, INSTALL + USE, built, motion, out)
    assert out.is_file()
    assert {"person_1.fbx", "clip.blend"} <= {path.name for path in motion.parent.iterdir()}


@pytest.mark.engine
def test_the_installed_zip_adapts_ten_frames(built, tmp_path, engine_python):
    """The engine is the one in the zip; only its packages are another environment's."""
    demo = REPOSITORY / "presets" / "demo" / "demo.mp4"
    in_a_fresh_blender(tmp_path, INSTALL + ADAPT, built, engine_python, demo, tmp_path / "out")
    with np.load(tmp_path / "out" / "demo" / "person_1.npz") as motion:
        assert 10 <= len(motion["poses"]) <= 14
    assert (tmp_path / "out" / "demo" / "person_1.fbx").stat().st_size > 10_000
