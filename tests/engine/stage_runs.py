"""What tests of the stage of adaptation share: quick settings, a small network, and warnings that are kept."""

from small_networks import WavesNetwork

from engine.errors import CancelledError
from engine.protocol import Job
from engine.run_options import check_options
from engine.runtime.progress import Silent

QUICK = [
    "adaptation.epochs=3", "adaptation.least_steps=1", "adaptation.segment_step_s=2.0", "adaptation.denoiser_step=49",
    "adaptation.solve_steps=0", "adaptation.learning_rate=0.005",
]  # fmt: skip


class Notes(Silent):
    """Keeps warnings; stops the work after some calls."""

    def __init__(self, stop_after=None):
        self.warned, self.calls, self.stop_after = [], 0, stop_after

    def __call__(self, done, total):
        self.calls += 1
        if self.stop_after is not None and self.calls > self.stop_after:
            raise CancelledError("stopped")

    def warn(self, code, message):
        self.warned.append(message)


class WavesBackbone:
    """Binds the small network, and counts how often."""

    def __init__(self, person):
        self.person, self.bound = person, 0

    def __call__(self):
        return self

    def bind(self, track, camera, body, device):
        self.bound += 1
        return WavesNetwork(self.person.prediction, self.person.times)


def options_with(*overrides, resume=True, backbone="landmark"):
    return check_options(Job(footage=[], out="out", backbone=backbone, overrides=[*QUICK, *overrides], resume=resume))
