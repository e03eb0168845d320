"""From steps that were held one by one to the columns of a plan."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from ingest.timeline.held import Step
from ingest.timeline.released import Plan, episode_names
from ingest.timeline.spec import TimelineSpec


def plan_of(steps: Sequence[Step], spec: TimelineSpec) -> Plan:
    """Lay out steps as columns, in their order."""
    shape = len(steps), len(spec.rewards)
    joined = [[0.0 if value is None else value for value in step.joined] for step in steps]
    came = [[value is not None for value in step.joined] for step in steps]
    return Plan(
        row=np.array([step.row for step in steps], np.int64),
        next_row=np.array([step.next_row for step in steps], np.int64),
        episode=episode_names(
            pa.array([step.session for step in steps], pa.string()),
            np.array([step.start for step in steps], np.int64),
            np.array([step.ordinal for step in steps], np.int64),
        ),
        step=np.array([step.number for step in steps], np.int64),
        terminated=np.array([step.flags[0] for step in steps], np.bool_),
        truncated=np.array([step.flags[1] for step in steps], np.bool_),
        joined=np.array(joined, np.float64).reshape(shape),
        came=np.array(came, np.bool_).reshape(shape),
        gap=np.array([step.gap for step in steps], np.int64),
    )
