"""Adam (Kingma and Ba, ICLR 2015), the same numbers as `torch.optim.Adam`.

PyTorch's own loads its compiler the first time that an optimiser is made: more than a second, half of what the
adaptation of a short clip takes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

_NAMES = ("exp_avg", "exp_avg_sq", "step")


class Adam:
    """Changes parameters by their gradients.

    Args:
        parameters: tensors with gradients; those without one at a step are left as they are.
        betas: how much of the mean gradient, and of the mean squared one, stays at a step.
        scales: what the rate is multiplied by for each parameter; 1 where it is left out.

    Attributes:
        rate: learning rate of the next step.
    """

    def __init__(
        self, parameters: Iterable[Tensor], betas: tuple[float, float], scales: Sequence[float] | None = None
    ) -> None:
        self.rate = 0.0
        self._parameters, self._betas = list(parameters), betas
        self._scales = list(scales) if scales is not None else [1.0] * len(self._parameters)
        self._means: dict[int, tuple[Tensor, Tensor]] = {}
        self._steps: dict[int, int] = {}

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for parameter in self._parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """One step against the gradients."""
        given = {place: one.grad for place, one in enumerate(self._parameters) if one.grad is not None}
        places, gradients = list(given), list(given.values())
        if not places:
            return
        for place in places:
            if place not in self._means:
                like = self._parameters[place]
                self._means[place], self._steps[place] = (torch.zeros_like(like), torch.zeros_like(like)), 0
            self._steps[place] += 1
        parameters = [self._parameters[place] for place in places]
        first, second = ([self._means[place][order] for place in places] for order in (0, 1))
        (beta_1, beta_2), steps = self._betas, [self._steps[place] for place in places]
        torch._foreach_lerp_(first, gradients, 1 - beta_1)
        torch._foreach_mul_(second, beta_2)
        torch._foreach_addcmul_(second, gradients, gradients, 1 - beta_2)
        spread = torch._foreach_sqrt(second)
        torch._foreach_div_(spread, [(1 - beta_2**step) ** 0.5 for step in steps])
        torch._foreach_add_(spread, 1e-8)
        sizes = [
            -self.rate * self._scales[place] / (1 - beta_1**step) for place, step in zip(places, steps, strict=True)
        ]
        torch._foreach_addcdiv_(parameters, first, spread, sizes)

    def moments(self) -> dict[str, Tensor]:
        """A copy of what is kept from step to step, by place of the parameter and name."""
        return {
            f"{place}.{name}": value.clone()
            for place, means in self._means.items()
            for name, value in zip(_NAMES, (*means, torch.tensor(float(self._steps[place]))), strict=True)
        }

    def put_moments(self, saved: dict[str, Tensor]) -> None:
        """Go on from what `moments` gave."""
        places = sorted({int(name.partition(".")[0]) for name in saved})
        self._steps = {place: int(saved[f"{place}.step"]) for place in places}
        self._means = {}
        for place in places:
            like = self._parameters[place]
            first, second = (saved[f"{place}.{name}"].to(like.device).clone() for name in _NAMES[:2])
            self._means[place] = first, second
