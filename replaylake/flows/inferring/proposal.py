"""The proposal: a mapping, a spec and a suite for a file that was looked at, with the evidence."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ingest.mapping import RecordMapping
from replaylake.flows.dry_run import DryRun, dry_run_by
from replaylake.flows.inferring.draft import Draft, Evidence, blank
from replaylake.flows.inferring.episodes import decide_bookkeeping, decide_ends, decide_episodes
from replaylake.flows.inferring.rules import suite_of
from replaylake.flows.inferring.sample import MOST_RECORDS, Sample, read_sample
from replaylake.flows.inferring.sessions import decide_sessions
from replaylake.flows.inferring.spaces import (
    act_by,
    decide_action,
    decide_information,
    decide_observations,
    decide_propensity,
    decide_rest,
    decide_reward,
)
from replaylake.flows.inferring.timing import decide_time
from replaylake.flows.inferring.writing import mapping_text, spec_text
from schemas.archive_spec import ArchiveSpec, check_name
from validation import Gate, Suite

_ORDER = (
    "event_id source agent_id policy_version episode_id step observation action action_probability "
    "action_log_prob action_mask reward next_observation terminated truncated event_time"
).split()


@dataclass(frozen=True, slots=True)
class Proposal:
    """Hold what is proposed. What is undecided stands in it as a blank, and nothing loads that has one."""

    name: str
    path: str
    records: int  # that were looked at
    mapping: Mapping[str, Any]
    spec: Mapping[str, Any]
    suite: Mapping[str, Any]
    evidence: tuple[Evidence, ...]
    undecided: tuple[str, ...]
    notes: tuple[str, ...]
    trial: DryRun | None  # of the records that were looked at; None while something is undecided

    def files(self) -> dict[str, str]:
        """Return the texts of the files, by their names."""
        suite = json.dumps(self.suite, indent=2, ensure_ascii=False)
        return {
            "mapping.yaml": mapping_text(self.path, self.mapping, self.evidence, self.notes),
            "spec.yaml": spec_text(self.path, self.spec, self.evidence),
            "suite.json": suite.encode(errors="replace").decode() + "\n",  # half a character is in no column
        }

    def to_dict(self) -> dict[str, Any]:
        """Return values for a JSON document."""
        return {
            "name": self.name,
            "file": self.path,
            "records": self.records,
            "mapping": self.mapping,
            "spec": self.spec,
            "suite": self.suite,
            "evidence": [{"column": one.column, "field": one.field, "why": one.why} for one in self.evidence],
            "undecided": list(self.undecided),
            "notes": list(self.notes),
            "trial": None if self.trial is None else self.trial.to_dict(),
        }


def infer(path: str | Path, *, name: str | None = None) -> Proposal:
    """Look at the first records of a CSV, JSON, NDJSON, Parquet or Avro file, and propose an archive for it.

    Raise SpecError for a name that no archive can have, and the errors of `open_records` for the file.
    """
    if name is not None:
        check_name(name)
    sample = read_sample(str(path))
    draft = Draft(sample)
    _decide(draft)
    return _proposed(draft, name or _name_of(str(path)))


def _decide(draft: Draft) -> None:
    """Decide in an order in which what is surer takes its fields first."""
    _note_source(draft)
    decide_bookkeeping(draft)
    decide_observations(draft)
    _decide_order(draft)
    _decide_action(draft)
    decide_reward(draft)
    decide_propensity(draft)
    if draft.timeline is None:
        decide_ends(draft)
    decide_rest(draft)
    decide_information(draft)
    alone = draft.columns.get("terminated") == {"const": True}
    if draft.timeline is None and "episode_id" not in draft.columns and not alone:
        draft.ask("episode_id", "the field that tells episodes apart")
        draft.ask("step", "the field that counts the steps of an episode")


def _decide_order(draft: Draft) -> None:
    """Decide what orders the records: counted steps, or the clock."""
    decide_episodes(draft)
    decide_time(draft)
    decide_sessions(draft)


def _decide_action(draft: Draft) -> None:
    """Decide the action; of a log of events, what was shown where nothing is called an action."""
    if draft.timeline is not None and not draft.candidates("action"):
        items = draft.candidates("item")
        if items and act_by(draft, items[0]):
            return
    decide_action(draft)


def _note_source(draft: Draft) -> None:
    sample = draft.sample
    draft.notes.extend(f"{note[0].upper()}{note[1:]}." for note in sample.notes)
    if sample.unreadable:
        draft.notes.append(f"{sample.unreadable:,} records could not be read: they go to quarantine.")


def _proposed(draft: Draft, name: str) -> Proposal:
    columns = {column: draft.columns[column] for column in _ORDER if column in draft.columns}
    columns |= {column: form for column, form in draft.columns.items() if column not in columns}
    mapping: dict[str, Any] = {"source": draft.sample.said} if draft.sample.said else {}
    mapping["columns"] = columns
    if draft.timeline is not None:
        mapping["timeline"] = draft.timeline
    spec = {
        role: draft.spaces.get(role) or blank(f"the {role} space, such as {{type: discrete, n: 2}}")
        for role in ("observation", "action")
    }
    suite = suite_of(name, draft)
    trial = None if draft.undecided else _try(name, draft.sample, mapping, spec, suite)
    return Proposal(
        name,
        draft.sample.path,
        draft.sample.records,
        mapping,
        spec,
        suite,
        tuple(draft.evidence),
        tuple(draft.undecided),
        tuple(draft.notes),
        trial,
    )


def _try(
    name: str, sample: Sample, mapping: Mapping[str, Any], spec: Mapping[str, Any], suite: Mapping[str, Any]
) -> DryRun:
    archive = ArchiveSpec.from_json({"name": name, **spec})
    gate = Gate(archive, Suite.from_dict(suite))
    proposed = RecordMapping.from_dict(mapping, origin="The proposed mapping")
    return dry_run_by(archive, gate, proposed, sample.batches, most=MOST_RECORDS)


def _name_of(path: str) -> str:
    stem = re.sub(r"[^a-z0-9]+", "_", Path(path).name.split(".")[0].lower()).strip("_")[:50]
    return (
        stem
        if re.match(r"[a-z]", stem) and stem not in ("main", "memory", "temp", "system")
        else f"log_{stem}"
    )
