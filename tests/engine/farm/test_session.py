"""Connecting to Ray: addresses that are none, or where nobody answers; a Ray of one's own listens to nobody else."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from engine.errors import EngineError, UsageError
from engine.farm.session import connected


def connect(address):
    with connected(address):
        pass


WRONG = ["here", "host:", "host:0", "host:70000", ":6379", "http://host:1", "a b:1", "-h:1", "ho\nst:1"]


@pytest.mark.parametrize("address", WRONG)
def test_what_is_no_address(address):
    with pytest.raises(UsageError, match="neither auto nor HOST:PORT"):
        connect(address)


def test_without_ray_its_installation_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match="Ray, which the farm runs on, is not installed") as caught:
        connect("")
    assert "ray==" in caught.value.hint


def test_the_version_to_install_is_the_tested_one():
    from engine.farm.session import PACKAGE

    assert PACKAGE in (Path(__file__).parents[3] / "constraints.txt").read_text().split()


def test_nobody_answers():
    pytest.importorskip("ray", reason="the extra `farm` is not installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(EngineError, match=f"Nothing answers at --address {address}"):
        connect(address)


def test_no_ray_runs_here(monkeypatch, tmp_path):
    pytest.importorskip("ray", reason="the extra `farm` is not installed")
    monkeypatch.setattr("ray.init", lambda **_: (_ for _ in ()).throw(ConnectionError("Could not find any")))
    with pytest.raises(EngineError, match="No Ray runs on this machine"):
        connect("auto")


OWN = """
import os, sys
from engine.farm.session import connected

def addresses():
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in open(table).read().splitlines()[1:]:
            local, state, inode = line.split()[1], line.split()[3], line.split()[9]
            if state == "0A":
                found.add((local.rpartition(":")[0], inode))
    return found

before = addresses()
with connected("") as session:
    print(sorted({address for address, _ in addresses() - before}), len(session.nodes), flush=True)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's tables of sockets")
def test_a_ray_of_one_s_own_listens_on_the_loopback_alone():
    pytest.importorskip("ray", reason="the extra `farm` is not installed")
    done = subprocess.run([sys.executable, "-c", OWN], capture_output=True, encoding="utf-8", timeout=120)
    assert done.returncode == 0, done.stderr
    loopback = {"0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000"}
    found = set(done.stdout.split("[")[1].split("]")[0].replace("'", "").split(", "))
    assert found
    assert found <= loopback
    assert done.stdout.split()[-1] == "1"
