"""Ray, as far as the farm needs it: connecting to machines, starting tasks on them, and learning how they ended."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from engine.errors import EngineError, UsageError
from engine.files.plain_zip import shown
from engine.runtime import machine

AUTO = "auto"
"""Address of the Ray that runs on this machine, as head of a cluster or as one of its machines."""

PACKAGE = "ray==2.60.0"
"""What is to be installed; constraints.txt has the same version."""

_CONNECT_S = 5.0
_ADDRESS = re.compile(r"(?P<host>[A-Za-z0-9][A-Za-z0-9.-]{0,252}|\[[0-9A-Fa-f:.]{2,45}\]):(?P<port>[0-9]{1,5})")
_SMALL_STORE = {"object_store_memory": 2**29}
"""Bytes of the store of a Ray that is started for one run: what tasks hand on, without footage."""
_NODE = "ray.io/node-id"


@dataclass(frozen=True)
class Needs:
    """What a task takes of its machine: processor cores, a share of a graphics card, bytes of memory."""

    cores: float = 1.0
    cards: float = 0.0
    memory: int = 0


Handle = Any
"""Of a task that was started. Handles can be keys."""


class LostError(Exception):
    """The process or the machine of a task is gone; the text says why, as far as that is known."""


class BrokenMachineError(Exception):
    """A machine cannot call our functions; `node` is its number in Ray ('' if not known), `address` its name."""

    def __init__(self, node: str, address: str, reason: str) -> None:
        super().__init__(reason)
        self.node, self.address = node, address


class Session:
    """A connection to Ray."""

    def __init__(self, ray: Any, dashboard: str) -> None:
        self._ray, self.dashboard = ray, dashboard
        self.node: str = ray.get_runtime_context().get_node_id()
        self._functions: dict[Callable[..., Any], Any] = {}
        self._running: list[Handle] = []

    @property
    def nodes(self) -> dict[str, dict[str, float]]:
        """Machines that live, by their number, with their resources (`CPU`, `GPU`, `memory`)."""
        return {node["NodeID"]: node["Resources"] for node in self._ray.nodes() if node["Alive"]}

    @property
    def free_cores(self) -> float:
        """Of all machines, those that nobody works on."""
        return float(self._ray.available_resources().get("CPU", 0.0))

    def put(self, value: Any) -> Any:
        """Keep a value where all machines can read it; what is given back goes to `start` in its place."""
        return self._ray.put(value)

    def start(
        self,
        work: Callable[..., Any],
        needs: Needs,
        *given: Any,
        without: frozenset[str] = frozenset(),
        here: bool = False,
    ) -> Handle:
        """Have `work(*given)` run where there is room for it.

        Args:
            work: a function of a module that all machines have.
            needs: what it takes.
            given: its arguments, or what `put` gave for them.
            without: numbers of machines that do not do.
            here: whether it has to run on this very machine.
        """
        if work not in self._functions:
            # We try again ourselves: by name, and with an end also where the memory runs out, where Ray knows none.
            self._functions[work] = self._ray.remote(max_retries=0)(work)
        where = {_NODE: self.node} if here else {_NODE: f"!in({','.join(sorted(without))})"} if without else {}
        options = {"num_cpus": needs.cores, "num_gpus": needs.cards, "memory": needs.memory, "label_selector": where}
        handle = self._functions[work].options(**options).remote(*given)
        self._running.append(handle)
        return handle

    def ended(self, timeout_s: float) -> list[Handle]:
        """Tasks that have ended since the last call; waits so long for the first."""
        if not self._running:
            return []
        found, rest = self._ray.wait(self._running, num_returns=1, timeout=timeout_s)
        if found and rest:
            more, rest = self._ray.wait(rest, num_returns=len(rest), timeout=0)
            found += more
        self._running = rest
        return list(found)

    def result(self, handle: Handle) -> Any:
        """What a task that has ended gave back.

        Raises:
            LostError: its process or machine is gone.
            BrokenMachineError: the machine has no engine that could be called.
        """
        errors = self._ray.exceptions
        try:
            return self._ray.get(handle)
        except errors.RayTaskError as error:  # our functions raise nothing themselves
            node = next((one["NodeID"] for one in self._ray.nodes() if one["NodeManagerAddress"] == error.ip), "")
            raise BrokenMachineError(node, error.ip, str(error.cause)) from error
        except errors.OutOfMemoryError as error:
            raise LostError("its machine ran out of memory") from error
        except errors.RayError as error:
            raise LostError("its process or its machine is gone") from error

    def cancel(self, handle: Handle) -> None:
        """Stop a task, if it has not ended; nothing is heard of it any more."""
        self._running = [one for one in self._running if one != handle]
        with contextlib.suppress(self._ray.exceptions.RayError):
            self._ray.cancel(handle, force=True)


@contextlib.contextmanager
def connected(address: str, cores: int = 0, ships: bool = False) -> Iterator[Session]:
    """A connection to Ray, which ends with the body; what still runs then is stopped.

    Args:
        address: `auto`, `HOST:PORT` of a cluster's head, or '' for a Ray of this run alone, on this machine, that
            listens to nobody else.
        cores: of a Ray of this run alone; 0 for all.
        ships: whether footage goes through Ray's store.

    Raises:
        UsageError: there is no Ray, or the address is none.
        EngineError: nothing that we understand answers there.
    """
    host_port = _checked(address)
    _set_environment(local=not address)
    try:
        import ray
    except ImportError as error:
        raise UsageError(
            "Ray, which the farm runs on, is not installed.",
            f"Install it into the engine's environment: python -m pip install '{PACKAGE}'.",
        ) from error
    if host_port is not None:
        _check_answer(address, *host_port)
    before = signal.getsignal(signal.SIGTERM)
    own = {} if address else {"num_cpus": cores or machine.cores(), **({} if ships else _SMALL_STORE)}
    try:
        context = ray.init(
            address=address or "local", log_to_driver=False, configure_logging=False, namespace="adapt-motion", **own
        )
    except Exception as error:
        raise _explained(error, address, ray.exceptions) from error
    signal.signal(signal.SIGTERM, before)  # Ray puts a handler of its own in its place
    try:
        yield Session(ray, f"http://{context.dashboard_url}" if context.dashboard_url else "")
    finally:
        ray.shutdown()


def _checked(address: str) -> tuple[str, int] | None:
    """Host and port. Raises UsageError for what is no address."""
    if address in ("", AUTO):
        return None
    found = _ADDRESS.fullmatch(address)
    if found is None or not 0 < int(found["port"]) < 2**16:
        raise UsageError(f"--address is '{shown(address)}', neither auto nor HOST:PORT.", "Such as 10.0.0.5:6379.")
    return found["host"].strip("[]"), int(found["port"])


def _set_environment(local: bool) -> None:
    """What Ray reads from the environment, before it is imported."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ["RAY_NUM_REDIS_GET_RETRIES"] = "1"  # an address that does not answer costs 40 s, not 200
    if local:
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # listen on the loopback alone, here too


def _check_answer(address: str, host: str, port: int) -> None:
    try:
        with socket.create_connection((host, port), timeout=_CONNECT_S):
            return
    except OSError as error:
        raise EngineError(
            f"Nothing answers at --address {address}: {error.strerror or error}.",
            "Check that `ray start --head` runs there, and that no firewall is between.",
        ) from error


def _explained(error: Exception, address: str, errors: Any) -> EngineError:
    """Why no connection came about."""
    if isinstance(error, errors.AuthenticationError):
        return EngineError(
            f"The Ray at {address} wants a token that this machine does not have.",
            "Copy ~/.ray/auth_token of the head machine to the same place here.",
        )
    if "ersion mismatch" in str(error):
        return EngineError(
            f"This machine and the Ray at {address} have other versions: {shown(' '.join(str(error).split()), 300)}",
            "Install the same versions of Python, Ray and the engine on all machines.",
        )
    if address == AUTO:
        return EngineError(
            "No Ray runs on this machine.",
            "Start it with `ray start`, or leave --address out to use this machine alone.",
        )
    if address:
        return EngineError(
            f"What answers at --address {address} is no Ray that can be used: {shown(str(error), 200)}",
            "Give the address that `ray start --head` prints.",
        )
    return EngineError(f"Ray could not be started on this machine: {shown(str(error), 200)}", "See docs/farm.md.")
