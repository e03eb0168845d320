"""An ensemble of multi-layer perceptrons, computed together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn


class MLP(nn.Module):
    """Map (B, inputs) to (members, B, outputs): layers with rectifiers between, one set per member.

    Weights and biases are drawn uniformly from +-1/sqrt(fan in), on the CPU and from `generator`
    alone: the global random state is neither read nor moved.
    """

    def __init__(
        self,
        inputs: int,
        hidden: Sequence[int],
        outputs: int,
        *,
        members: int = 1,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        sizes = list(pairwise((inputs, *hidden, outputs)))
        self.weights = nn.ParameterList(
            _draw((members, fan_in, fan_out), fan_in, generator) for fan_in, fan_out in sizes
        )
        self.biases = nn.ParameterList(
            _draw((members, 1, fan_out), fan_in, generator) for fan_in, fan_out in sizes
        )

    @property
    def size(self) -> int:
        """The number of parameters: about as many multiplications as a row of a batch costs."""
        return sum(parameter.numel() for parameter in self.parameters())

    def forward(self, x: Tensor, state: None = None) -> tuple[Tensor, None]:
        """Return the outputs and the state, which is None in and out: there is nothing to remember."""
        x = x.expand(len(self.weights[0]), *x.shape)  # the same batch for every member
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            x = torch.baddbmm(bias, x.relu() if layer else x, weight)
        return x, state


def _draw(shape: tuple[int, ...], fan_in: int, generator: torch.Generator) -> nn.Parameter:
    bound = 1.0 / math.sqrt(fan_in)
    return nn.Parameter(torch.empty(shape).uniform_(-bound, bound, generator=generator))
