"""The rooms of the add-on and of the engine: which may import which. Read from the sources, lazy imports among them."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

ADDON = {
    "blender": set(),
    "character": {"blender"},
    "retarget": {"character", "blender"},
    "cleanup": {"retarget", "character", "blender"},
    "export": {"cleanup", "retarget", "character", "blender"},
    "run": {"character", "blender"},
    "operators": {"run", "export", "cleanup", "retarget", "character", "blender"},
    "ui": {"operators", "run", "export", "cleanup", "retarget", "character", "blender"},
    "scripts": {"ui", "operators", "run", "export", "cleanup", "retarget", "character", "blender"},
}
"""Room of `blender_addon/` to the rooms that it may import. `__init__.py` says the same of each in words."""

ENGINE = (
    {"files"},
    {"runtime"},
    {"weights"},
    {"footage"},
    {"body"},
    {"keypoints"},
    {"people"},
    {"camera"},
    {"world"},
    {"backbones"},
    {"output"},
    {"semantics"},
    {"adaptation"},
    {"doctor"},
    {"farm"},
    {"evaluation", "training"},
)
"""Rooms of `engine/`, each of which may import those before it, and those that share its place."""

VOCABULARY = {"engine.backbones.types", "engine.keypoints.types"}
"""Modules that only say what is handed on. Every room may import them."""

STORY = {"cli", "clips", "pipeline", "stages", "detection", "in_world", "adapting"}
"""Modules of the root that only `evaluation` and `farm`, which run the engine as users do, may import."""

WITHOUT_BPY = {
    "run": {
        "dictionary",
        "engine_check",
        "engine_home",
        "find_python",
        "health",
        "install",
        "install_progress",
        "job",
        "key_store",
        "run_state",
    },
    "character": {"evidence", "motion_io"},
    "retarget": {"bone_maps", "name_guess"},
}
"""Modules that work, and are tested, without Blender."""


def modules(package):
    return sorted(path for path in (ROOT / package).rglob("*.py") if path.name != "zip_init.py")


def name_of(path):
    return path.relative_to(ROOT).as_posix()


def imported(path):
    """Dotted names of all modules that a file imports from its own package, absolute or relative."""
    parts = path.relative_to(ROOT).parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ImportFrom):
            continue
        if node.level:
            above = parts[: len(parts) - node.level]
            base = ".".join([*above, *([node.module] if node.module else [])])
        else:
            base = node.module
        for alias in node.names:
            inner = f"{base}.{alias.name}"
            yield inner if ROOT.joinpath(*inner.split(".")).with_suffix(".py").is_file() else base


def rooms_used_by(path, package):
    """Rooms of the package, without the file's own, that a file imports."""
    own = path.relative_to(ROOT).parts[1]
    rooms = {name.split(".")[1] for name in imported(path) if name.startswith(f"{package}.") and name not in VOCABULARY}
    return {room for room in rooms if (ROOT / package / room).is_dir() and room != own}


def described(package, room):
    return ast.get_docstring(ast.parse((ROOT / package / room / "__init__.py").read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    ("package", "rooms"), [("blender_addon", set(ADDON)), ("engine", set().union(*ENGINE))], ids=["addon", "engine"]
)
def test_every_folder_is_a_room_that_says_what_it_is_for(package, rooms):
    folders = {path.parent.relative_to(ROOT / package).parts for path in modules(package)}
    assert {parts[0] for parts in folders if parts} == rooms
    for room in rooms:
        assert "May import: " in described(package, room), room


@pytest.mark.parametrize("path", [path for path in modules("blender_addon") if path.parent.name in ADDON], ids=name_of)
def test_rooms_of_the_addon_import_only_what_lies_below(path):
    assert rooms_used_by(path, "blender_addon") <= ADDON[path.parent.name]


@pytest.mark.parametrize("path", [path for path in modules("engine") if path.parent != ROOT / "engine"], ids=name_of)
def test_rooms_of_the_engine_import_only_what_lies_before(path):
    room = path.relative_to(ROOT).parts[1]
    place = next(number for number, rooms in enumerate(ENGINE) if room in rooms)
    used = rooms_used_by(path, "engine")
    if path.name == "studio.py":  # reads BVH files as the corpus is read
        used -= {"training"}
    assert used <= set().union(*ENGINE[: place + 1])
    story = {name.removeprefix("engine.") for name in imported(path)} & STORY
    assert not story or room in ("evaluation", "farm")


def test_the_arrows_have_no_circle():
    for room, below in ADDON.items():
        assert all(room not in ADDON[other] for other in below)


@pytest.mark.parametrize(("room", "name"), [(room, name) for room in WITHOUT_BPY for name in sorted(WITHOUT_BPY[room])])
def test_modules_that_work_without_blender_never_need_it(room, name):
    """Followed through everything that is imported when the module is."""
    waiting, seen = [ROOT / "blender_addon" / room / f"{name}.py"], set()
    while waiting:
        path = waiting.pop()
        seen.add(path)
        tree = ast.parse(path.read_text(encoding="utf-8"))
        tops = {alias.name.split(".")[0] for node in tree.body if isinstance(node, ast.Import) for alias in node.names}
        tops |= {node.module.split(".")[0] for node in tree.body if isinstance(node, ast.ImportFrom) and not node.level}
        assert not tops & {"bpy", "bpy_extras", "mathutils", "gpu", "blf"}, name_of(path)
        wanted = {name for name in imported(path) if name.startswith("blender_addon.")}
        files = {ROOT.joinpath(*name.split(".")).with_suffix(".py") for name in wanted}
        waiting += [file for file in files if file.is_file() and file not in seen]
