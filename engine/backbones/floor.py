"""The floor under a motion in the camera's frame, and which feet stand on it, for the fit.

Legend: S rows. Foot points (4): left heel, left toe, right heel, right toe.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from engine.body.model import BodyModel
from engine.world.gravity import estimate_up
from engine.world.grounding import contact_probability, floor_height

FOOT_POINTS = ("left_heel", "left_foot_index", "right_heel", "right_foot_index")


@dataclass(frozen=True)
class Floor:
    """A plane that a motion stands on.

    Attributes:
        places: (4,) the foot points in the body's landmarks.
        contacts: (S, 4) probability that each foot point stands.
        up: (3,) unit vector in the camera frame.
        level: (4,) height along `up` of each foot point when the foot stands flat.
    """

    places: Tensor
    contacts: Tensor
    up: Tensor
    level: Tensor

    @classmethod
    def under(cls, rotations: Tensor, transl: Tensor, betas: Tensor, body: BodyModel, times: Tensor) -> Floor | None:
        """The floor of a motion: rotations (S, 24, 3, 3), transl (S, 3). None for a body without points on its feet,
        and where numbers are not finite."""
        if not set(FOOT_POINTS) <= set(body.landmark_names):
            return None
        places = torch.tensor([body.landmark_names.index(name) for name in FOOT_POINTS])
        with torch.no_grad():
            joints, marks = body.joints_and_landmarks(rotations, betas, transl)
            rest = body.landmarks(torch.eye(3).expand(1, 24, 3, 3), betas)[0, places]
        if not all(bool(part.isfinite().all()) for part in (joints, marks, rest)):
            return None
        drop = (rest[:, 1] - rest[:, 1].min()).double().numpy()
        feet, seconds = marks[:, places].double().numpy(), times.double().numpy()
        up = estimate_up(joints.double().numpy(), feet, seconds)
        heights = feet @ up - drop
        level = floor_height(heights, seconds)
        contacts = contact_probability(feet, heights - level, seconds)
        return cls(places, *(torch.as_tensor(part).float() for part in (contacts, up, drop + level)))

    def rows(self, index: slice | Tensor) -> Floor:
        """The same for some of the rows."""
        return Floor(self.places, self.contacts[index], self.up, self.level)

    def heights(self, feet: Tensor) -> Tensor:
        """(S, 4) metres of foot points (S, 4, 3) over the floor."""
        return feet @ self.up - self.level
