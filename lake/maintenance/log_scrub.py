"""Empty the log of a table of what it told of files before: their bounds and folders name who was erased."""

from __future__ import annotations

import json
import re

from lake.commits import CommitLog
from lake.horizon import set_oldest_version
from lake.maintenance.turns import next_turn
from lake.table_log import SCRUBBED

_LOG = "_delta_log"
_COMMIT = re.compile(r"(\d{20})\.json")
_CHECKPOINT = re.compile(r"(\d{20})\.checkpoint\..*parquet")
_SHORT = {"delta.deletedFileRetentionDuration": "interval 0 seconds"}


def close_log(table: CommitLog, archive: str) -> None:
    """Commit a version that tells of nothing: the newest one's commit has to stay as it is."""
    if len(table.partition_by) > 1:  # a checkpoint lists files that were taken out lately, by their folders
        table.configure(_SHORT)
    table.rewrite([], [], next_turn(table, archive), {"replaylake.origin": "erasure"})


def scrub_log(table: CommitLog) -> None:
    """Write a checkpoint of the handle's version, and take out of older commits what they did.

    Their files stay, empty but for who committed when: a writer that has slept since then must not find a
    version free. Nobody can travel to those versions any more, or say what was added since. Do it again
    after a kill.
    """
    version = table.version
    set_oldest_version(table.store, version)
    CommitLog(table.store, version).checkpoint()
    for name in table.store.names(_LOG):
        commit, checkpoint = _COMMIT.fullmatch(name), _CHECKPOINT.fullmatch(name)
        if commit and int(commit[1]) < version:
            _empty(table, f"{_LOG}/{name}")
        elif checkpoint and int(checkpoint[1]) < version:
            table.store.remove(f"{_LOG}/{name}")


def _empty(table: CommitLog, name: str) -> None:
    kept: dict[str, object] = {}
    for line in table.store.read(name).splitlines():
        kept = json.loads(line).get("commitInfo") or kept
    if SCRUBBED in kept:
        return
    content = json.dumps({"commitInfo": {**kept, SCRUBBED: "true"}}) + "\n"
    table.store.write(name, content.encode())
