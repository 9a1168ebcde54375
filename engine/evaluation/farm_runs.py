"""How well a farm uses its machines, measured on this one: Ray with some "machines" of one core each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from engine.errors import EngineError
from engine.files.json_file import read_json

_TASKS = 300


def measure(
    footage: Annotated[list[str], typer.Argument(help="Clips, as `farm` takes them.")],
    machines: Annotated[str, typer.Option(help="Numbers of machines.")] = "1,2",
    options: Annotated[str, typer.Option(help="Options of `farm`, such as '--preset fast'.")] = "",
    out: Annotated[str, typer.Option(help="Folder for the results; a temporary one if left out.")] = "",
) -> None:
    """Print for each number of machines seconds, how busy the cores were, and the efficiency against the first."""
    base: tuple[int, float] | None = None
    with tempfile.TemporaryDirectory() as temporary:
        for count in map(int, machines.split(",")):
            wall_s, busy, dispatch_s = _run(count, footage, options.split(), Path(out or temporary) / str(count))
            base = base or (count, wall_s)
            efficiency = base[0] * base[1] / (count * wall_s)
            typer.echo(
                f"{count} machines: {wall_s:.1f} s, cores busy {busy:.3f}, efficiency {efficiency:.3f}, "
                f"{1000 * dispatch_s:.1f} ms to send a task and hear of it"
            )


def _run(count: int, footage: list[str], options: list[str], out: Path) -> tuple[float, float, float]:
    """Seconds of a farm, the share of them in which its cores were busy, and seconds for a task that does nothing."""
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"}
    import ray
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    try:
        for _ in range(count - 1):
            cluster.add_node(num_cpus=1)
        ray.init(address=cluster.address, log_to_driver=False)
        dispatch_s = _dispatch_s(ray)
        ray.shutdown()
        words = ["farm", *footage, "-o", str(out), "--address", cluster.address, "--events", "jsonl", *options]
        done = subprocess.run([sys.executable, "-m", "engine", *words], stdout=subprocess.DEVNULL, check=False)
    finally:
        cluster.shutdown()
    if done.returncode:
        raise EngineError("The farm did not come to its end.", "Its messages stand above.")
    farm = read_json(out / "farm.json")
    return farm["wall_s"], farm["cores_busy"], dispatch_s


def _dispatch_s(ray: Any) -> float:
    nothing = ray.remote(num_cpus=1, max_retries=0)(json.dumps)
    ray.get([nothing.remote(0) for _ in range(20)])
    begun = time.perf_counter()
    for _ in range(_TASKS):
        ray.get(nothing.remote(0))
    return (time.perf_counter() - begun) / _TASKS


if __name__ == "__main__":
    typer.run(measure)
