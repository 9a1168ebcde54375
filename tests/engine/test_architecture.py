"""The borders: who may import what, and how large and how well described the code is. Read from the sources."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ENGINE = sorted((ROOT / "engine").rglob("*.py"))
ADDON = sorted((ROOT / "blender_addon").rglob("*.py"))
BLENDERS_OWN = {
    "bpy",
    "bpy_extras",
    "mathutils",
    "bmesh",
    "gpu",
    "gpu_extras",
    "blf",
    "addon_utils",
    "bl_ui",
    "idprop",
    "numpy",
}
SHARED = {
    "protocol",
    *(
        f"files.{name}"
        for name in ("plain_file", "plain_zip", "array_file", "array_tables", "json_file", "user_folder", "programs")
    ),
}
"""Modules of the engine that Blender imports: the standard library, NumPy and each other."""

LONGEST_FILE, LONGEST_FUNCTION, LEAST_DESCRIBED = 400, 50, 0.8


def name_of(path):
    return str(path.relative_to(ROOT))


@cache
def tree_of(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path):
    """Top-level names of everything that is imported absolutely anywhere in a file."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module.split(".")[0]


def test_there_is_something_to_look_at():
    assert len(ENGINE) > 20
    assert len(ADDON) > 5


@pytest.mark.parametrize("path", ENGINE, ids=name_of)
def test_the_engine_never_imports_blender_or_the_addon(path):
    assert not (BLENDERS_OWN - {"numpy"} | {"blender_addon", "adapt_motion"}) & set(imports(path))


@pytest.mark.parametrize("path", ADDON, ids=name_of)
def test_the_addon_imports_blender_numpy_and_the_standard_library_alone(path):
    assert set(imports(path)) <= BLENDERS_OWN | set(sys.stdlib_module_names)


def file_of(name):
    return ROOT / "engine" / f"{name.replace('.', '/')}.py"


def engine_modules_used_by(path):
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.ImportFrom) and node.level > 1:
            module = node.module or ""
            names = [alias.name for alias in node.names]
            depth = len(path.relative_to(ROOT).parts)
            if node.level == depth and module.split(".")[0] == "engine":
                inside = module.partition(".")[2]
                if (ROOT / "engine" / f"{inside.replace('.', '/')}.py").is_file():
                    yield inside
                else:  # a package: what is imported are its modules
                    yield from (f"{inside}.{name}".lstrip(".") for name in names)
            elif node.level == depth and not module and "engine" in names:
                yield "engine"


@pytest.mark.parametrize("path", ADDON, ids=name_of)
def test_the_addon_uses_no_part_of_the_engine_but_the_protocol_and_the_readers(path):
    assert set(engine_modules_used_by(path)) <= SHARED


@pytest.mark.parametrize("path", [*ADDON, *map(file_of, sorted(SHARED))], ids=name_of)
def test_what_runs_in_blender_is_python_310(path):
    ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 10))


@pytest.mark.parametrize("name", sorted(SHARED))
def test_what_blender_imports_of_the_engine_needs_nothing_else_of_it(name):
    path = file_of(name)
    own = [node for node in ast.walk(tree_of(path)) if isinstance(node, ast.ImportFrom) and node.level]
    assert {f"files.{node.module.rpartition('.')[2]}" for node in own} <= SHARED
    assert set(imports(path)) <= {"numpy"} | set(sys.stdlib_module_names)


IMPORTING = """
import importlib, logging, os, random, sys, threading
from pathlib import Path
here = Path("{here}")
import av, cv2, mediapipe, numpy, pydantic, rich.progress, safetensors.torch, scipy.optimize, torch, typer
# what these do by themselves is not ours to judge
before = (sorted(here.iterdir()), dict(os.environ), threading.active_count(), os.getcwd(), list(sys.path),
          list(logging.getLogger().handlers), random.getstate(), torch.initial_seed(), torch.get_num_threads())
opened = []
def listen(event, details):
    if event == "socket.connect" or event == "subprocess.Popen":
        opened.append((event, details))
    if event == "open" and isinstance(details[1], str) and set(details[1]) & set("wxa+"):
        opened.append((event, details[0]))
sys.addaudithook(listen)
sys.stdout.write("")
for name in sys.argv[1:]:
    importlib.import_module(name)
after = (sorted(here.iterdir()), dict(os.environ), threading.active_count(), os.getcwd(), list(sys.path),
         list(logging.getLogger().handlers), random.getstate(), torch.initial_seed(), torch.get_num_threads())
assert before == after, [pair for pair in zip(before, after) if pair[0] != pair[1]]
assert not opened, opened
"""


@pytest.mark.slow
def test_importing_the_engine_does_nothing(tmp_path):
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in ENGINE
        if path.name != "__main__.py" and "asset_builds" not in path.parts  # build scripts need packages of their own
    ]
    code = IMPORTING.format(here=tmp_path.as_posix())
    words = [sys.executable, "-B", "-c", code, *modules]  # -B: in a fresh checkout Python writes what it compiles
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout == ""


def test_help_is_quick_because_heavy_packages_wait():
    code = (
        "import sys; from engine import cli\n"
        "heavy = {'torch', 'mediapipe', 'cv2', 'av', 'scipy', 'numpy', 'pydantic'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", [*ENGINE, *ADDON], ids=name_of)
def test_files_and_functions_stay_short(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) < LONGEST_FILE
    long = {
        node.name: size
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.FunctionDef) and (size := body_lines(node)) >= LONGEST_FUNCTION
    }
    assert not long


def body_lines(function):
    """Lines of a function from its first statement on; signature and docstring do not count."""
    body = function.body
    if ast.get_docstring(function) is not None:
        body = body[1:]
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0


def test_public_code_is_described():
    described, bare = 0, []
    for path in [*ENGINE, *ADDON]:
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                name = getattr(node, "name", path.stem)
                if name.startswith("_") and name != "__init__":
                    continue
                if (isinstance(node, ast.Module) and not node.body) or name == "__init__":
                    continue
                if ast.get_docstring(node):
                    described += 1
                else:
                    bare.append(f"{name_of(path)}:{name}")
    assert described / (described + len(bare)) >= LEAST_DESCRIBED, bare
