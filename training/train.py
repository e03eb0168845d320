"""Train a policy from a snapshot of the lake, or from transitions at hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.errors import UsageError
from schemas.spaces import Space
from schemas.transitions import Transitions
from training.algorithms import find_algorithm, make_config
from training.data.prepare import check_spaces, prepare
from training.devices import choose_device
from training.loop import Progress, run
from training.policy import Policy
