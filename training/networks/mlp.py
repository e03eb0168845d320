"""A multi-layer perceptron."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn


class MLP(nn.Module):
    """Map (B, inputs) to (B, outputs) through hidden layers with rectifiers between.

    Weights and biases are drawn uniformly from +-1/sqrt(fan in), on the CPU and from `generator`
    alone: the global random state is neither read nor moved.
    """

    def __init__(self, inputs: int, hidden: Sequence[int], outputs: int, *, generator: torch.Generator):
        super().__init__()
        sizes = (inputs, *hidden, outputs)
        self.layers = nn.ModuleList(
            _linear(fan_in, fan_out, generator)
            for fan_in, fan_out in zip(sizes[:-1], sizes[1:], strict=True)
        )

    def forward(self, x: Tensor, state: None = None) -> tuple[Tensor, None]:
        """Return the outputs and the state, which is None in and out: there is nothing to remember."""
        *hidden, last = self.layers
        for layer in hidden:
            x = torch.relu(layer(x))
        return last(x), state


def _linear(inputs: int, outputs: int, generator: torch.Generator) -> nn.Linear:
    layer = nn.utils.skip_init(nn.Linear, inputs, outputs)  # the constructor would draw from the global state
    bound = 1.0 / math.sqrt(inputs)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.uniform_(-bound, bound, generator=generator)
    return layer
