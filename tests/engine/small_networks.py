"""Small but whole networks that meet the protocols of adaptation, for tests that need no trained ones."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from engine.backbones.types import PoseBatch
from engine.body.rotations import axis_angle_to_matrix, matrix_to_six
from engine.semantics.types import RATE, WINDOW, Match


class WavesNetwork:
    """A pose network for one track: a given motion, turned and moved by a few learned waves over time."""

    frame_by_frame = False

    def __init__(self, prediction, times, waves=6, device="cpu", dropout=0.0):
        self.rotations = torch.as_tensor(prediction.rotations, dtype=torch.float32, device=device)
        self.betas = torch.as_tensor(prediction.betas, dtype=torch.float32, device=device)
        self.transl = torch.as_tensor(prediction.transl, dtype=torch.float32, device=device)
        at = torch.as_tensor(np.asarray(times) - times[0], dtype=torch.float32, device=device)
        rates = torch.arange(1, waves + 1, device=device) * 1.3
        self.features = torch.cat((torch.ones_like(at)[:, None], torch.sin(at[:, None] * rates)), 1)
        self.module = nn.Linear(waves + 1, 24 * 3 + 3 + 10, bias=False).to(device)
        self.dropout = dropout
        nn.init.zeros_(self.module.weight)

    def parameters(self):
        return list(self.module.parameters())

    def __call__(self, rows):
        out = self.module(functional.dropout(self.features[rows], self.dropout))
        turn = axis_angle_to_matrix(out[..., :72].unflatten(-1, (24, 3)))
        betas = self.betas.expand(*rows.shape, 10) + out[..., 75:]
        return PoseBatch(self.rotations[rows] @ turn, betas, self.transl[rows] + out[..., 72:75], None)

    def state(self):
        return {name: value.detach().clone() for name, value in self.module.state_dict().items()}

    def restore(self, state):
        self.module.load_state_dict(state)


class SmallSpace:
    """A motion-text space: a label lies where the mean pose and the speed of its exemplar do."""

    def __init__(self, dictionary):
        self.dictionary = dictionary
        self.mix = torch.randn(24 * 12, 16, generator=torch.Generator().manual_seed(1))

    def encode_motion(self, six):
        local = six - torch.tensor([1.0, 0, 0, 0, 1.0, 0])
        features = torch.cat((local.mean(1), local.diff(dim=1).abs().mean(1) * 5), -1)
        return functional.normalize(features.flatten(1) @ self.mix.to(six), dim=-1)

    def decode(self, latent):
        nearest = (latent @ self.encode_labels(self.dictionary.labels).T).argmax(1).tolist()
        return torch.stack([torch.from_numpy(self.dictionary.exemplar(self.dictionary.labels[i])) for i in nearest])

    def encode_labels(self, labels):
        return self.encode_motion(torch.stack([torch.from_numpy(self.dictionary.exemplar(one)) for one in labels]))


class SmallDictionary:
    """Two actions: `stand` with hanging arms, `swing` with swinging ones."""

    labels = ("stand", "swing")

    def category(self, label):
        return label

    def paraphrases(self, label):
        return {"stand": ("standing",), "swing": ()}[label]

    def exemplar(self, label):
        turn = torch.zeros(WINDOW, 24, 3)
        turn[:, 0, 0] = np.pi / 2
        turn[:, 16, 2], turn[:, 17, 2] = -1.2, 1.2
        if label == "swing":
            turn[:, 16, 1] = torch.sin(torch.arange(WINDOW) / RATE * 8)
            turn[:, 4, 0] = 0.8
        elif label != "stand":
            raise KeyError(label)
        return matrix_to_six(axis_angle_to_matrix(turn)).numpy()

    def match(self, text):
        known = {"stand": "stand", "standing": "stand", "swing": "swing"}
        return Match(known.get(text), 1.0 if text in known else 0.1, self.labels)
