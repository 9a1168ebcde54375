"""BOA and DynaBOA: the network is adapted frame by frame, as a stream comes in, and never sees what is to come.

**BOA** (Guan et al., "Bilevel Online Adaptation for Out-of-Domain Human Mesh Reconstruction", CVPR 2021, section 3 and
algorithm 1). A frame's update has two levels. The lower one takes a step on the 2D of the frame alone and on priors of
shape and pose, which gives probe weights. At these the upper level takes the gradient of the same and of two temporal
constraints: motion of 2D over some frames, and a mean teacher's answer. That gradient then changes the weights
themselves, and the frame is predicted with them.

**DynaBOA** (Guan et al., "Out-of-Domain Human Mesh Reconstruction via Dynamic Bilevel Online Adaptation", TPAMI 2022).
Both levels also see the exemplar of the source set whose features are nearest to the frame's, with its 3D truth; and
the upper level is repeated while the frame's features still change.

Decided, where the papers are silent or what they use cannot be had:

- Numbers are those of the authors' programs: 2D 10, shape 2e-6, pose 1e-4, teacher 0.1, its share 0.1, motion over five
  frames 0.1 (DynaBOA 0.8), exemplars 0.1, at most seven more updates; and their rates, which were the best of three
  for `landmark` too, on clips of training performers.
- The gradient is of first order, as in DynaBOA's program: at the probe weights, taken for one at the weights.
- BOA's program also mixes source frames in at random. Here only DynaBOA needs a source.
- The pose prior of both is a mixture of Gaussians that cannot be passed on; that of the fit takes its place.
- Features are those that the answer is read from, for retrieval and for the end of the updates; the source's are those
  by the pre-trained weights. An update changes those of a network over time far less than a ResNet's (1 - cosine is
  1.5e-6 in the median), so 5e-6 takes the place of 3.1e-4 there, beyond which one frame in five lies.
- A network over time sees the frame and up to two seconds before it; an exemplar is half a second.
- Frames in which nobody was found change nothing. Each clip begins anew from the pre-trained weights, as the other
  methods do. A motion has one shape: the mean over the frames.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from engine.adaptation.baselines.exemplars import Exemplars
from engine.adaptation.baselines.person import Adapted, Person
from engine.adaptation.baselines.terms import Posed, beside, keypoint_term
from engine.adaptation.track_inference import LONG_GAP_S, Estimate, bridged_rows
from engine.backbones.adam import Adam
from engine.backbones.terms import PosePrior
from engine.backbones.types import PoseBatch
from engine.body.rotations import matrix_to_six, six_to_matrix

_WINDOW_S, _WINDOW_ROWS = 2.0, 60
_INTERVAL_S = 5 / 30


@dataclass(frozen=True)
class OnlineSettings:
    """Numbers of an online method.

    Attributes:
        lower_rate: of the plain step to the probe weights.
        rate, betas: of Adam, at the upper level.
        motion: weight of the motion of 2D.
        more_updates: how often the upper level is repeated at most.
        still: 1 - cosine of the frame's features before and after an update, up to which they count as still.
    """

    lower_rate: float
    rate: float
    betas: tuple[float, float]
    motion: float
    more_updates: int = 0
    still: float = 0.0


BOA = OnlineSettings(lower_rate=8e-6, rate=3e-6, betas=(0.5, 0.999), motion=0.1)
DYNABOA = OnlineSettings(8e-6, 3e-6, (0.5, 0.9), motion=0.8, more_updates=7, still=3.1e-4)
STILL_OVER_TIME = 5e-6
"""`still` for a network over time."""
_FRAME_2D, _SHAPE, _POSE, _TEACHER, _TEACHER_STAYS, _EXEMPLARS = 10.0, 2e-6, 1e-4, 0.1, 0.1, 0.1


class Online:
    """One person's stream.

    Args:
        person: see there.
        how: BOA's numbers, or DynaBOA's.
        exemplars: of the source set; None for BOA.
    """

    def __init__(self, person: Person, how: OnlineSettings, exemplars: Exemplars | None = None) -> None:
        self.person, self.how, self.exemplars = person, how, exemplars
        self.network, self.seen = person.network, person.seen
        self.weights = self.network.parameters()
        self.teacher = [weight.detach().clone() for weight in self.weights]
        self.optimiser = Adam(self.weights, how.betas)
        self.optimiser.rate = how.rate
        self.valid = self.seen.valid * self.seen.importance
        self.prior = PosePrior(person.device)
        self.interval = max(1, round(_INTERVAL_S / person.frame_s))
        self.known = exemplars.features() if exemplars is not None else None
        self.updates = 0

    def run(self) -> Adapted:
        """The motion, each frame as it was predicted when it came."""
        begun, rows, total = time.monotonic(), [], len(self.person.times)
        for row in range(total):
            before = self._adapt(row) if bool(self.seen.found[row]) else None
            batch = self._predicted(row)
            if before is not None and self.how.more_updates:
                batch = self._until_still(row, before, batch)
            parts = (matrix_to_six(batch.rotations[0, -1]).flatten(), batch.betas[0, -1], batch.transl[0, -1])
            rows.append(torch.cat(parts).float().cpu())
            self.person.tick(row + 1, total)
        longest = 0.0 if self.network.frame_by_frame else LONG_GAP_S
        whole = bridged_rows(torch.stack(rows), self.seen.found, self.person.times, longest)
        motion = Estimate(six_to_matrix(whole[:, :144].reshape(-1, 24, 6)), whole[:, 144:154], whole[:, 154:])
        seconds = round(time.monotonic() - begun, 3)
        return motion, [{"epoch": 1, "steps": self.updates, "seconds": seconds}]

    def _adapt(self, row: int) -> Tensor | None:
        """Both levels of a frame. Returns its features before."""
        batch = self.network(self._rows(row, row))
        features = None if batch.features is None else batch.features[0, -1].detach().float()
        exemplar = self._nearest(features)
        posed = self._posed(batch, [-1])
        self._gradients(self._frame_terms(posed, [row]) + self._guidance(exemplar))
        probe = [self._stepped(weight) for weight in self.weights]
        with self._with_weights(probe):
            self._gradients(self._upper(row, exemplar))
        self._update()
        return features

    def _until_still(self, row: int, before: Tensor, batch: PoseBatch) -> PoseBatch:
        """DynaBOA's further updates. Returns the prediction after the last."""
        for _ in range(self.how.more_updates):
            assert batch.features is not None
            after = batch.features[0, -1].float()
            if 1 - float(functional.cosine_similarity(before, after, dim=0)) <= self.how.still:
                break
            self._gradients(self._upper(row, self._nearest(after)))
            self._update()
            before, batch = after, self._predicted(row)
        return batch

    def _upper(self, row: int, exemplar: Tensor | None) -> Tensor:
        """The upper level's objective at the weights as they are."""
        earlier = row - self.interval
        has_earlier = earlier >= 0 and bool(self.seen.found[earlier])
        rows = self._rows(row, earlier if has_earlier else row)
        taken = [int((rows[0] == earlier).nonzero()[0, 0]), -1] if has_earlier else [-1]
        posed = self._posed(self.network(rows), taken)
        now = Posed(*(getattr(posed, name)[-1:] for name in ("rotations", "betas", "joints", "points")))
        box = self.seen.box_px[row : row + 1]
        loss = self._frame_terms(now, [row]) + self._guidance(exemplar)
        with torch.no_grad(), self._with_weights(self.teacher):
            taught = self._posed(self.network(self._rows(row, row)), [-1])
        loss = loss + _TEACHER * beside(now, taught, box)
        if has_earlier:
            way = self.seen.points[row] - self.seen.points[earlier]
            both = self.valid[row] * self.valid[earlier].gt(0)
            moved = posed.points[-1] - posed.points[0]
            loss = loss + self.how.motion * keypoint_term(moved[None], way[None], both[None], box)
        return loss

    def _frame_terms(self, posed: Posed, rows: list[int]) -> Tensor:
        """2D of frames, shape and pose."""
        seen = self.seen
        miss = keypoint_term(posed.points, seen.points[rows], self.valid[rows], seen.box_px[rows])
        shape = posed.betas.square().sum(-1).mean()
        return _FRAME_2D * miss + _SHAPE * shape + _POSE * self.prior(posed.rotations)

    def _guidance(self, exemplar: Tensor | None) -> Tensor | float:
        if exemplar is None or self.exemplars is None:
            return 0.0
        return _EXEMPLARS * self.exemplars.guidance(exemplar, self.person.body, self.seen.places)

    def _nearest(self, features: Tensor | None) -> Tensor | None:
        """(1,) the exemplar that is most like a frame."""
        if self.known is None or features is None:
            return None
        return (self.known @ features).argmax()[None]

    def _rows(self, row: int, earlier: int) -> Tensor:
        """(1, S) what the network may see: the frame itself, and an earlier one; over time, all up to two seconds."""
        if self.network.frame_by_frame:
            chosen: Sequence[int] = [row] if earlier == row else [earlier, row]
        else:
            since = int(torch.searchsorted(self.person.times, self.person.times[row] - _WINDOW_S))
            chosen = range(max(since, row - _WINDOW_ROWS + 1), row + 1)
        return torch.tensor(list(chosen), device=self.person.device)[None]

    def _predicted(self, row: int) -> PoseBatch:
        with torch.no_grad():
            return self.network(self._rows(row, row))

    def _posed(self, batch: PoseBatch, taken: list[int]) -> Posed:
        rotations, betas, transl = (part[0, taken] for part in (batch.rotations, batch.betas, batch.transl))
        return Posed.of(rotations, betas, transl, self.person.body, self.seen.places, self.seen.camera)

    def _gradients(self, loss: Tensor) -> None:
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]

    def _stepped(self, weight: Tensor) -> Tensor:
        if weight.grad is None:
            return weight.detach()
        return weight.detach() - self.how.lower_rate * weight.grad

    def _update(self) -> None:
        """Change the weights, and the teacher's after them."""
        self.optimiser.step()
        self.updates += 1
        with torch.no_grad():
            torch._foreach_lerp_(self.teacher, [weight.detach() for weight in self.weights], 1 - _TEACHER_STAYS)

    @contextlib.contextmanager
    def _with_weights(self, values: Sequence[Tensor]) -> Iterator[None]:
        """Other weights for a while. Gradients that are taken meanwhile are those at the other weights."""
        own = [weight.data for weight in self.weights]
        for weight, value in zip(self.weights, values, strict=True):
            weight.data = value
        try:
            yield
        finally:
            for weight, value in zip(self.weights, own, strict=True):
                weight.data = value
