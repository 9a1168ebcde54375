"""Do the tests notice? Changes one place of the code at a time, and runs an area's tests on it.

    python tests/mutants.py engine/world tests/engine/world [--sample 50] [--seed 0] [pytest's arguments]
    python tests/mutants.py blender_addon/retarget tests/blender/retarget --bpy PYTHON-WITH-BPY

A mutant is one small change: `<` for `<=`, `-` for `+`, a number one larger, a condition the other way round, a call or
an assignment left out. A sample of them is drawn with a seed. Each is written into a copy of the tree and meets the
tests until the first that fails, those of its own file first. Killed is good; a survivor is a gap in the tests, or a
change that changes nothing. Without --bpy, the tests run in a fork of this process, which spares them the imports.
"""

from __future__ import annotations

import argparse
import ast
import copy
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PRELOADED = ("torch", "scipy.optimize", "scipy.spatial.transform", "pytest")
OTHER: dict[type, type] = {
    **{ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq},
    **{ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.And: ast.Or, ast.Or: ast.And},
    **{ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult},
    **{ast.Mod: ast.Mult, ast.Pow: ast.Mult, ast.MatMult: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd},
}


def changed(node: ast.AST) -> ast.AST | None:
    """The node with one small change; None for a kind that is left alone."""
    new = copy.deepcopy(node)
    if isinstance(new, ast.Compare) and type(new.ops[0]) in OTHER:
        new.ops[0] = OTHER[type(new.ops[0])]()
    elif isinstance(new, ast.BinOp | ast.BoolOp | ast.AugAssign) and type(new.op) in OTHER:
        new.op = OTHER[type(new.op)]()
    elif isinstance(new, ast.UnaryOp):
        return new.operand
    elif isinstance(new, ast.Constant) and isinstance(new.value, bool):
        new.value = not new.value
    elif isinstance(new, ast.Constant) and isinstance(new.value, int | float):
        new.value = new.value + 1
    elif isinstance(new, ast.If | ast.IfExp | ast.While):
        new.test = ast.UnaryOp(ast.Not(), new.test)
    elif isinstance(new, ast.Expr) and isinstance(new.value, ast.Call):
        return ast.Pass()
    else:
        return None
    return new


def places(tree: ast.AST) -> Iterator[tuple[ast.AST, str, int | None, ast.AST]]:
    """(parent, field, index or None, node) of everything in a module that runs and is not a type."""
    for field, value in ast.iter_fields(tree):
        if field in ("annotation", "returns", "decorator_list", "type_params"):
            continue
        for index, node in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if isinstance(node, ast.AST) and not isinstance(node, ast.JoinedStr | ast.Raise):
                yield tree, field, index, node
                yield from places(node)


def mutants_of(text: str) -> Iterator[tuple[int, str, str]]:
    """(line, what became what, the module's text) of every mutant of a module."""
    tree = ast.parse(text)
    for parent, field, index, node in list(places(tree)):
        new = changed(node)
        if new is None:
            continue
        _put(parent, field, index, new)
        yield node.lineno, f"{_short(node)}  ->  {_short(new)}", ast.unparse(ast.fix_missing_locations(tree))
        _put(parent, field, index, node)


def _put(parent: ast.AST, field: str, index: int | None, node: ast.AST) -> None:
    if index is None:
        setattr(parent, field, node)
    else:
        getattr(parent, field)[index] = node


def _short(node: ast.AST) -> str:
    return ast.unparse(ast.fix_missing_locations(copy.deepcopy(node))).splitlines()[0][:100]


def run_tests(options: argparse.Namespace, files: list[str], log: Path) -> str:
    """How the tests end: "survived", "killed", or "killed by time"."""
    words = ["-x", "-q", "-p", "no:cacheprovider", *options.words, *files]
    pid = os.fork()
    if pid == 0:
        os.setsid()
        resource.setrlimit(resource.RLIMIT_CPU, (options.limit_s, options.limit_s + 5))
        with log.open("w") as stream:
            os.dup2(stream.fileno(), 1)
            os.dup2(stream.fileno(), 2)
            if options.bpy:
                os.execv(options.bpy, [options.bpy, "tests/blender/run.py", *words])
            import pytest

            os._exit(int(pytest.main(words)))
    started = time.monotonic()
    while (done := os.waitpid(pid, os.WNOHANG))[0] == 0:
        if time.monotonic() - started > 10 * options.limit_s:
            os.killpg(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            return "killed by time"
        time.sleep(0.05)
    if os.WIFSIGNALED(done[1]):
        return f"killed by signal {os.WTERMSIG(done[1])}"
    return "survived" if done[1] == 0 else "killed"


def main() -> int:
    """Run the mutants; the exit status is 0 if four of five are killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("area", help="folder or file")
    parser.add_argument("tests", nargs="+")
    parser.add_argument("--sample", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="leave out so many of the sample")
    parser.add_argument("--limit-s", type=int, default=300, help="of a processor's time")
    parser.add_argument("--bpy", default="")
    options, options.words = parser.parse_known_args()
    area = ROOT / options.area
    paths = sorted(area.glob("*.py")) if area.is_dir() else [area]
    drawn = [(path, *mutant) for path in paths for mutant in mutants_of(path.read_text(encoding="utf-8"))]
    chosen = random.Random(options.seed).sample(drawn, min(options.sample, len(drawn)))
    print(f"{len(drawn)} mutants, {len(chosen)} drawn", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        tree.mkdir()
        if (reference := ROOT.parent / "shared").is_dir():  # what some tests compare with lies beside the checkout
            (Path(folder) / "shared").symlink_to(reference)
        names = subprocess.run(
            ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True, check=True
        ).stdout.split(b"\0")
        for name in filter(None, map(os.fsdecode, names)):
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, tree / name)
        return _meet(options, chosen[options.first :], tree, Path(folder) / "log")


def _meet(options: argparse.Namespace, chosen: list[tuple[Path, int, str, str]], tree: Path, log: Path) -> int:
    os.chdir(tree)
    sys.path.insert(0, str(tree))
    os.environ["PYTHONPATH"] = str(tree)
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    if not options.bpy:
        for module in PRELOADED:
            __import__(module)
    files = sorted(str(path) for word in options.tests for path in ([*Path(word).rglob("test_*.py")] or [Path(word)]))
    if run_tests(options, files, log) != "survived":
        print(log.read_text(encoding="utf-8"))
        sys.exit("the tests fail without a change")
    ends = []
    for number, (path, line, change, text) in enumerate(chosen):
        target = tree / path.relative_to(ROOT)
        before = target.read_bytes()
        target.write_text(text, encoding="utf-8")
        own = sorted(files, key=lambda name: Path(name).stem != f"test_{path.stem}")
        started = time.monotonic()
        ends.append(run_tests(options, own, log))
        target.write_bytes(before)
        took = time.monotonic() - started
        print(f"{number} {ends[-1]} ({took:.0f} s) {path.relative_to(ROOT)}:{line} {change}", flush=True)
    killed = sum(end != "survived" for end in ends)
    print(f"{options.area}: {killed} of {len(ends)} killed, {100 * killed / max(len(ends), 1):.0f} %")
    return 0 if killed >= 0.8 * len(ends) else 1


if __name__ == "__main__":
    sys.exit(main())
