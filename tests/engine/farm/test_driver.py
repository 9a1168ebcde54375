"""The farm on a real Ray, with tasks that take no time: order, dead workers, broken machines, cancelling."""

import time
from collections import Counter

import pytest

pytest.importorskip("ray", reason="the extra `farm` is not installed")
import farm_work
from ray import cloudpickle

from engine.errors import CancelledError, EngineError, FootageError
from engine.farm.clip_state import ClipState
from engine.farm.driver import Driver
from engine.farm.graph import ClipGraph
from engine.farm.session import Needs, connected
from engine.farm.tasks import Order
from engine.runtime.cancel import Cancel
from engine.runtime.reporter import Reporter

cloudpickle.register_pickle_by_value(farm_work)
ALL = dict.fromkeys(("LOOK 0", "DETECT 0", "DETECT 1", "DETECT 2", "ESTIMATE 0", "ADAPT 0", "ADAPT 1", "FINISH 0"), 1)


class Events:
    """Keeps them, and calls `at` with each."""

    def __init__(self):
        self.kept, self.at = [], lambda name, values: None

    def send(self, name, **values):
        self.kept.append((name, values))
        self.at(name, values)

    def named(self, name):
        return [values for kind, values in self.kept if kind == name]


class Farm:
    """Clips whose tasks sleep, as the farm takes them."""

    def __init__(self, folder, names, seconds=0.02, **versions):
        self.folder, self.events = folder, Events()
        self.cancel = Cancel(grace_s=1000)
        self.reporter = Reporter(self.events, self.cancel)
        self.clips = []
        for number, name in enumerate(names):
            footage = folder / f"{name}.mp4"
            footage.touch()
            order = Order(name, footage, folder / "out" / name, farm_work.Seconds(seconds), versions)
            self.clips.append(ClipState(order, ClipGraph(number), None))

    def work(self, address):
        with connected(address) as session:
            driver = Driver(session, self.clips, False, self.reporter, farm_work.work)
            driver.work()

    def notes(self, name, kind):
        names = [path.name.split() for path in (self.folder / "out" / name).glob(f"{kind} *")]
        return Counter(f"{words[1]} {words[2]}" for words in names)


def test_every_task_runs_once_on_both_machines_and_a_poisoned_clip_is_given_up(cluster, tmp_path):
    farm = Farm(tmp_path, ["a", "poison", "b", "no footage", "c"])
    farm.clips[3].trouble = FootageError("There is no file x.", "Check the path.")
    farm.work(cluster.address)
    assert [clip.status for clip in farm.clips] == ["done", "failed", "done", "failed", "done"]
    for name in "abc":
        assert farm.notes(name, "begun") == farm.notes(name, "done") == ALL
    assert farm.notes("poison", "begun")["DETECT 1"] == 3
    assert len(set().union(*(clip.machines for clip in farm.clips))) == 2
    errors = {error["clip"]: error["message"] for error in farm.events.named("error")}
    assert set(errors) == {"poison", "no footage"}
    assert "a task of the stage 'detect' was lost 3 times" in errors["poison"]
    assert [warning["clip"] for warning in farm.events.named("warning")] == ["poison", "poison"]
    stages = [event["stage"] for event in farm.events.named("stage") if event["clip"] == "a"]
    assert stages == ["shots", "detect", "predict", "adapt", "world"]
    assert {event["clip"]: event["status"] for event in farm.events.named("over")} == {
        "a": "done", "b": "done", "c": "done", "poison": "failed", "no footage": "failed",
    }  # fmt: skip
    (last,) = farm.events.named("farm")[-1:]
    assert (last["done"], last["failed"], last["cores"], last["machines"]) == (3, 2, 2, 2)
    assert not (tmp_path / "out" / "no footage").exists()


def test_a_machine_that_cannot_work_is_left_out_and_named_once(cluster, tmp_path):
    farm = Farm(tmp_path, ["a", "b"], broken=cluster.second.node_id)
    farm.work(cluster.address)
    assert [clip.status for clip in farm.clips] == ["done", "done"]
    (warning,) = farm.events.named("warning")
    assert warning["message"] == "The machine broken has no disk. Buy one. The others go on without it."
    assert farm.notes("a", "done") == farm.notes("b", "done") == ALL
    assert farm.events.named("farm")[-1]["machines"] == 1


def test_a_cluster_that_is_busy_with_other_work_is_reported(cluster, tmp_path):
    farm = Farm(tmp_path, ["a"])
    with connected(cluster.address) as session:
        others = [session.start(farm_work.sleep, Needs(), 3.0) for _ in range(2)]
        while session.free_cores:
            time.sleep(0.05)
        Driver(session, farm.clips, False, farm.reporter, farm_work.work).work()
        assert [warning["code"] for warning in farm.events.named("warning")] == ["busy"]
        assert farm.clips[0].status == "done"
        assert len(others) == 2


def test_without_any_machine_the_farm_ends_with_the_reason(cluster, tmp_path):
    farm = Farm(tmp_path, ["a", "b"], broken="all")
    with pytest.raises(EngineError, match=r"No machine is left that can do the work. The machine broken has no disk\."):
        farm.work(cluster.address)
    assert [clip.status for clip in farm.clips] == ["stopped", "stopped"]


def test_a_machine_that_dies_costs_its_running_task(cluster, tmp_path):
    third = cluster.add_node(num_cpus=1, object_store_memory=2**27)
    farm = Farm(tmp_path, ["a", "b", "c"], seconds=0.4)
    adapted = []

    def kill(name, values):
        if name == "stage" and values["stage"] == "adapt":
            adapted.append(values["clip"])
            if len(adapted) == 1:
                cluster.remove_node(third, allow_graceful=False)

    farm.events.at = kill
    farm.work(cluster.address)
    assert [clip.status for clip in farm.clips] == ["done"] * 3
    again = Counter()
    for name in "abc":
        assert farm.notes(name, "done").keys() == ALL.keys()
        again += farm.notes(name, "begun") - Counter(ALL)
    assert again.total() <= 1, "what ran there, and no more"
    assert sum(clip.again for clip in farm.clips) <= 1


def test_cancelling_stops_what_runs_and_leaves_what_is_done(cluster, tmp_path):
    farm = Farm(tmp_path, ["a", "b", "c"], seconds=1.5)
    requested = []

    def cancel(name, values):
        if name == "stage" and values["stage"] == "detect" and not requested:
            requested.append(time.monotonic())
            farm.cancel.request()

    farm.events.at = cancel
    with pytest.raises(CancelledError):
        farm.work(cluster.address)
    assert time.monotonic() - requested[0] < 1
    assert {clip.status for clip in farm.clips} == {"stopped"}

    def done():
        return sum(farm.notes(name, "done").total() for name in "abc")

    before = done()
    assert before >= 1
    time.sleep(2)
    assert done() == before
