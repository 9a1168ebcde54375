"""Run by the Python of an engine's environment, never by Blender: says in a line of JSON whether the engine runs there.

python engine_check.py requirements.txt [--import]
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import re
import sys


def numbers(version: str) -> list[int]:
    """The leading numbers of a version, to compare by."""
    return [int(part) for part in re.findall(r"\d+", version.split("+")[0])[:3]]


def check_packages(requirements: str) -> tuple[dict[str, str], list[str]]:
    """Versions of the required packages, and a plain sentence for each that is missing or too old."""
    versions, problems = {}, []
    for line in requirements.splitlines():
        wanted = re.match(r"([A-Za-z0-9_.-]+)\s*(?:>=\s*([\d.]+))?", line.split("#")[0].strip())
        if not wanted:
            continue
        name, minimum = wanted[1], wanted[2] or "0"
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            problems.append(f"The package {name} is missing.")
            continue
        if numbers(versions[name]) < numbers(minimum):
            problems.append(f"The package {name} is version {versions[name]}; {minimum} or newer is needed.")
    return versions, problems


def check_imports(names: list[str]) -> list[str]:
    """Really import the packages; a plain sentence for each that does not load."""
    problems = []
    for name in names:
        try:
            importlib.import_module(name.removesuffix("-headless"))
        except Exception as error:  # noqa: PERF203 a broken package may raise anything
            problems.append(f"The package {name} does not load: {type(error).__name__}: {error}.")
    return problems


def main(arguments: list[str]) -> dict:
    """The finding: `python`, `versions`, `protocol`, `problems`, and `gpu`, a CUDA device's name (with `--import`)."""
    problems: list[str] = []
    if sys.version_info < (3, 11):
        problems.append(f"Its Python is {sys.version.split()[0]}; 3.11 or newer is needed.")
    with open(arguments[0], encoding="utf-8") as file:
        versions, missing = check_packages(file.read())
    problems += missing
    finding = {"event": "checked", "python": sys.version.split()[0], "versions": versions, "gpu": ""}
    finding["protocol"] = importlib.import_module("engine.protocol").PROTOCOL_VERSION
    if "--import" in arguments and not problems:
        problems += check_imports(list(versions))
        torch = sys.modules.get("torch")
        if torch is not None and torch.cuda.is_available():
            finding["gpu"] = torch.cuda.get_device_name(0)
    return {**finding, "problems": problems}


if __name__ == "__main__":
    del sys.path[0]  # the folder of this file, whose modules are Blender's side
    print(json.dumps(main(sys.argv[1:])), flush=True)
