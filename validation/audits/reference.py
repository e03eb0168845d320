"""References: clean steps, and what audits learn of them once for all that they are held against."""

from __future__ import annotations

from functools import cached_property

import pyarrow as pa

from schemas.archive_spec import ArchiveSpec
from schemas.steps import Steps
from validation.audits.dynamics import Dynamics


class Reference:
    """Hold experience that is known to be good. Made once, it serves for any number of batches."""

    def __init__(self, steps: Steps | pa.Table, spec: ArchiveSpec) -> None:
        """Take steps with the spec's wire columns."""
        self.spec = spec
        self.steps: pa.Table = steps.table if isinstance(steps, Steps) else steps

    @cached_property
    def dynamics(self) -> Dynamics:
        """What follows from observation and action; learning it takes seconds."""
        return Dynamics(self.steps, self.spec)
