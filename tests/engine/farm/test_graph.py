"""What can be done next of a clip."""

import itertools

import pytest

from engine.farm.graph import ClipGraph, Step, Task


def work_through(graph, pieces, people):
    """Steps and parts in the order in which they become ready, every last one done first."""
    found, waiting = [], graph.ready()
    while waiting:
        task = waiting.pop()
        found.append(task)
        parts = {Step.LOOK: range(pieces), Step.ESTIMATE: range(people)}.get(task.step, (0,))
        waiting += graph.done(task, () if task.step is Step.FINISH else parts)
    return found


@pytest.mark.parametrize(("pieces", "people"), list(itertools.product((0, 1, 5), (0, 1, 3))))
def test_every_task_is_done_once_and_steps_come_in_order(pieces, people):
    graph = ClipGraph(7)
    tasks = work_through(graph, pieces, people)
    assert len(tasks) == len(set(tasks)) == 3 + pieces + people
    assert {task.clip for task in tasks} == {7}
    order = list(Step)
    places = [order.index(task.step) for task in tasks]
    assert places == sorted(places)
    assert graph.step is None
    assert graph.ready() == []


def test_pieces_are_ready_together_and_the_next_step_waits_for_the_last():
    graph = ClipGraph(0)
    pieces = graph.done(Task(0, Step.LOOK), (1, 4, 2))
    assert [task.part for task in pieces] == [1, 2, 4], "piece 0 and 3 are in the cache"
    assert graph.done(pieces[2]) == []
    assert graph.done(pieces[0]) == []
    assert [task.part for task in graph.ready()] == [2], "what is still to be done, after a worker died"
    assert graph.done(pieces[1]) == [Task(0, Step.ESTIMATE)]


def test_a_step_may_send_back_to_an_earlier_one():
    graph = ClipGraph(0)
    for piece in graph.done(Task(0, Step.LOOK), (0, 1)):
        graph.done(piece)
    assert graph.step is Step.ESTIMATE
    assert graph.back(Step.DETECT, (1,)) == [Task(0, Step.DETECT, 1)]
    assert graph.done(Task(0, Step.DETECT, 1)) == [Task(0, Step.ESTIMATE)]


def test_the_share_grows_from_0_to_1():
    graph, shares = ClipGraph(0), [0.0]
    waiting = graph.ready()
    while waiting:
        waiting += graph.done(waiting.pop(0), range(4) if graph.step is Step.LOOK else () if graph.place == 4 else (0,))
        shares.append(graph.share)
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1)
