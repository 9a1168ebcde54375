"""For tests of the farm: two machines of one core each, on this one; skipped where Ray is not installed."""

import os

import pytest


@pytest.fixture(scope="session", autouse=True)
def at_once():
    """Ray's workers give way to all other programs, which is not what tests wait for; and nothing is reported."""
    os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"


@pytest.fixture(scope="module")
def cluster():
    """Ray on two machines of one core each."""
    pytest.importorskip("ray", reason="the extra `farm` is not installed")
    from ray.cluster_utils import Cluster

    started = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "object_store_memory": 2**27})
    try:
        started.second = started.add_node(num_cpus=1, object_store_memory=2**27)
        yield started
    finally:
        started.shutdown()
