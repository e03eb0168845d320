"""Reports of audits for the tests of the page, as an archive's history holds them."""

from __future__ import annotations

import math
import random
from datetime import UTC, datetime, timedelta
from typing import Any

from lake.suite_log import SuiteSpan
from replaylake.flows.validation_report import ValidationReport
from validation import Suite
from validation.audits.finding import Finding
from validation.audits.report import AuditReport, worst_first

START = datetime(2026, 3, 1, 8, tzinfo=UTC)
SUITE = Suite.from_dict(
    {
        "name": "balance",
        "expectations": [
            {"type": "expect_column_values_to_be_between", "kwargs": {"column": "reward", "max_value": 1}},
            {
                "type": "expect_column_values_to_not_be_null",
                "kwargs": {"column": "action_log_prob"},
                "severity": "warning",
            },
        ],
    }
)
CODES = (
    "finite(observation)",
    "between(reward)",
    "in_space(action)",
    "key_conflict",
    "clock_skew",
    "undecodable",
    "too_many_partitions",
    "not_null(action)",
)


def audit(version: int, since: int = -1, **changes: Any) -> AuditReport:
    """Return an audit as it might be; the same version gives the same one."""
    chance = random.Random(version)
    rows = chance.randrange(900, 1200)
    rejects = {code: chance.randrange(1, 40) for code in CODES}
    wave = [math.exp(-((x - 10) ** 2) / 18) for x in range(20)]
    moved = [math.exp(-((x - 10 - version / 6) ** 2) / 18) for x in range(20)]
    given: dict[str, Any] = {
        "archive": "cartpole",
        "version": version,
        "since": since,
        "made_at": START + timedelta(hours=version),
        "suite_name": SUITE.name,
        "suite_hash": SUITE.hash,
        "rows": rows,
        "quarantined": sum(rejects.values()),
        "episodes": 40,
        "complete_episodes": 38,
        "rejects": rejects,
        "flags": {"between(step)": chance.randrange(50)},
        "quality": chance.uniform(0.9, 1.0),
        "findings": worst_first(
            [
                Finding(
                    "drift",
                    "psi",
                    "observation[1]",
                    "warning",
                    "The values have moved: PSI is 0.31.",
                    value=0.31,
                ),
                Finding(
                    "episodes",
                    "gap",
                    None,
                    "critical",
                    "Turns are missing in 3 episodes.",
                    3,
                    40,
                    "episodes",
                    examples=({"episode_id": "e7", "step": 4},),
                ),
                Finding("variance", "zero", "observation[3]", "info", "The value never changes."),
            ]
        ),
        "results": None,
        "distributions": {
            f"observation[{place}]": {
                "edges": [x / 4 - 2.5 for x in range(21)],
                "current": [round(100 * share) for share in (moved if place else wave)],
                "reference": [round(100 * share) for share in wave],
            }
            for place in range(4)
        },
        "worst_episodes": (
            {
                "source": "actor",
                "agent_id": "a",
                "episode_id": "e7",
                "return": 9.0,
                "length": 9,
                "flags": ["gap"],
                "rows": [{"step": 0, "observation": [0.1, 0.2], "action": 1, "reward": 1.0}],
            },
        ),
        "reference": None,
        "looked_at": rows,
    }
    return AuditReport(**given | changes)


def report(latest: AuditReport, *before: AuditReport, spans: int = 2) -> ValidationReport:
    """Return what the page is made of."""
    suites = tuple(
        SuiteSpan(f"{number:016x}", 3 * number, 3 * number + 2, START, START + timedelta(hours=1), 3)
        for number in range(spans)
    )
    return ValidationReport(latest, (*before, latest), suites, "balance", f"{spans - 1:016x}")
