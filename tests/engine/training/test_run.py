import pytest
import torch
from training_clips import StopAt

from engine.errors import CancelledError, UsageError
from engine.runtime.progress import Silent
from engine.training.run import TrainingRun, cosine, warmed


def learnt(checkpoint, progress=None, seed=0):
    torch.manual_seed(0)
    network = torch.nn.Linear(3, 1)

    def loss(generator):
        return (network(torch.randn(8, 3, generator=generator)) - 1).square().mean()

    TrainingRun(network, 0.1, 2, 6, checkpoint, 2).finish(loss, seed, progress or Silent())
    return network.state_dict()


def same(one, other):
    return all(torch.equal(one[name], other[name]) for name in one)


def test_rates_go_up_and_then_down_to_a_hundredth():
    rates = [warmed(step, 100, 10) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == pytest.approx(1, abs=0.05)
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert (cosine(0), cosine(1)) == pytest.approx((1, 0.01))


@pytest.mark.parametrize("stop", [1, 2, 5])
def test_a_stopped_run_goes_on_as_if_it_had_not_been(tmp_path, stop):
    whole = learnt(tmp_path / "whole")
    with pytest.raises(CancelledError):
        learnt(tmp_path / "parts", StopAt(stop))
    assert same(learnt(tmp_path / "parts"), whole)
    assert not same(learnt(tmp_path / "other", seed=1), whole)
    assert same(learnt(tmp_path / "whole"), whole)  # nothing is left to do


@pytest.mark.parametrize("content", [b"", b"nonsense"])
def test_what_is_no_checkpoint_is_refused(tmp_path, content):
    (tmp_path / "bad").write_bytes(content)
    with pytest.raises(UsageError, match="no checkpoint of this training"):
        learnt(tmp_path / "bad")
