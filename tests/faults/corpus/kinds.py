"""The table of all kinds of faults."""

from __future__ import annotations

from tests.faults.corpus.actions import ACTION_FAULTS
from tests.faults.corpus.episodes import EPISODE_FAULTS
from tests.faults.corpus.foreign import FOREIGN_FAULTS
from tests.faults.corpus.identities import IDENTITY_FAULTS
from tests.faults.corpus.log import Fault
from tests.faults.corpus.propensities import PROPENSITY_FAULTS
from tests.faults.corpus.rewards import REWARD_FAULTS
from tests.faults.corpus.sensors import SENSOR_FAULTS
from tests.faults.corpus.transitions import TRANSITION_FAULTS

FAULTS: tuple[Fault, ...] = (
    *SENSOR_FAULTS,
    *TRANSITION_FAULTS,
    *REWARD_FAULTS,
    *EPISODE_FAULTS,
    *ACTION_FAULTS,
    *PROPENSITY_FAULTS,
    *IDENTITY_FAULTS,
    *FOREIGN_FAULTS,
)
