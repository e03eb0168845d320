"""Networks: forward(x, state) gives (out, state), so that they keep no state of their own."""

from training.networks.mlp import MLP

__all__ = ["MLP"]
