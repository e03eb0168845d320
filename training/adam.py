"""Adam, with its moments in plain sight."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.optim.adam import adam


@dataclass(eq=False)
class Adam:
    """Hold the parameters and their moments.

        m <- b1 m + (1 - b1) g,   v <- b2 v + (1 - b2) g^2
        p <- p - rate * (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps)

    Kingma and Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015; b1 = 0.9, b2 = 0.999,
    eps = 1e-8. This is torch's own kernel without its `Optimizer` class, which imports the whole
    compiler (seconds) when the first one is made.
    """

    parameters: list[Tensor]
    first: list[Tensor] = field(init=False)
    second: list[Tensor] = field(init=False)
    steps: list[Tensor] = field(init=False)

    def __post_init__(self) -> None:
        self.first = [torch.zeros_like(parameter) for parameter in self.parameters]
        self.second = [torch.zeros_like(parameter) for parameter in self.parameters]
        self.steps = [torch.zeros((), device=parameter.device) for parameter in self.parameters]

    @torch.no_grad()
    def step(self, gradients: Sequence[Tensor], rate: float) -> None:
        """Move the parameters down their gradients, in place."""
        adam(
            self.parameters,
            list(gradients),
            self.first,
            self.second,
            [],
            self.steps,
            foreach=False,
            fused=True,  # one kernel on the CPU, CUDA and MPS, and no value is fetched from the device
            amsgrad=False,
            beta1=0.9,
            beta2=0.999,
            lr=rate,
            weight_decay=0.0,
            eps=1e-8,
            maximize=False,
        )
