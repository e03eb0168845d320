"""Four writers append and two compactions run at once: no row is lost, and none is there twice.

Run it as `python -m tests.lake.maintenance.contest`: two minutes in a folder, and two on a real S3 server.
A short one is a test.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deploy.s3.program import is_missing
from deploy.s3.server import Server, free_port
from lake import Archive, Lake
from lake.maintenance.part_rewrite import CompactionOptions
from schemas.errors import CommitConflictError, StorageError
from schemas.protocols import Move
from tests.lake.archives import SPEC, landed_rows
from tests.object_store import new_place

WRITERS = 4
COMPACTIONS = 2
ROWS = 50  # by one append
_SMALL = CompactionOptions(target_bytes=1 << 20, memory_bytes=1 << 22)


def contest(
    location: str,
    options: Mapping[str, str] | None,
    seconds: float,
    writers: int = WRITERS,
    compactions: int = COMPACTIONS,
) -> dict[str, Any]:
    """Let them run for so long, and say what came of it; raise AssertionError where a row is lost."""
    archive = Lake(location, options).create(SPEC.name, spec=SPEC)
    roles = [("write", number) for number in range(writers)]
    roles += [("compact", number) for number in range(compactions)]
    running = [_start(role, number, location, options, seconds) for role, number in roles]
    said = [json.loads(process.communicate()[0] or "{}") for process in running]
    assert all(process.returncode == 0 for process in running), "somebody failed"
    before = len(archive.table("steps").file_names())
    archive.compact()
    appends = {number: one["appends"] for number, one in enumerate(said[:writers])}
    _check(archive, appends)
    return {
        "seconds": seconds,
        "appends": sum(appends.values()),
        "rows": sum(appends.values()) * ROWS,
        "repeated appends": sum(one["repeated"] for one in said[:writers]),
        "longest append": round(max(one["longest"] for one in said[:writers]), 2),
        "compactions": sum(one["compactions"] for one in said[writers:]),
        "commits of compactions": sum(one["commits"] for one in said[writers:]),
        "refused and repeated": sum(one["refused"] for one in said[writers:]),
        "given up": sum(one["given_up"] for one in said[writers:]),
        "files before the last compaction": before,
        "lost": 0,
        "twice": 0,
    }


def _check(archive: Archive, appends: Mapping[int, int]) -> None:
    """Compare every row that is there with what every writer says it has appended."""
    log = archive.table("steps")
    found: Counter[tuple[str, str, int]] = Counter()
    for name in log.file_names():
        rows = log.read(name, ["source", "episode_id", "step"])
        found.update(zip(*(column.to_pylist() for column in rows.columns), strict=True))
    wanted = {
        (f"w{writer}", f"e{number}", step)
        for writer, count in appends.items()
        for number in range(count)
        for step in range(ROWS)
    }
    assert found.keys() == wanted, f"{len(wanted - found.keys())} lost, {len(found.keys() - wanted)} made up"
    assert set(found.values()) <= {1}, "rows are there twice"
    assert not archive.table("quarantine").file_names()


def _start(
    role: str, number: int, location: str, options: Mapping[str, str] | None, seconds: float
) -> subprocess.Popen[str]:
    given = json.dumps({"location": location, "options": options, "seconds": seconds})
    command = [
        sys.executable,
        "-m",
        "tests.lake.maintenance.contest",
        "--role",
        role,
        "--number",
        str(number),
    ]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    process.stdin.write(given)  # not as an argument: options have secrets
    process.stdin.close()
    process.stdin = None
    return process


def _write(archive: Archive, number: int, seconds: float) -> dict[str, Any]:
    """Append until the time is over, each append until it is there."""
    log = archive.table("steps")
    app_id = f"demo/contest/{number}"
    until = time.monotonic() + seconds
    appends = repeated = 0
    longest = 0.0
    while time.monotonic() < until:
        began = time.monotonic()
        rows = landed_rows(SPEC, ROWS, source=f"w{number}", episode_id=f"e{appends}")
        while log.position(app_id) < appends:
            try:
                log.append(rows, {app_id: Move(appends - 1, appends)}, {})
            except (CommitConflictError, StorageError):
                repeated += 1
                log.refresh()
        longest = max(longest, time.monotonic() - began)
        appends += 1
    return {"appends": appends, "repeated": repeated, "longest": longest}


def _compact(archive: Archive, seconds: float) -> dict[str, Any]:
    until = time.monotonic() + seconds
    counted: Counter[str] = Counter(compactions=0, commits=0, refused=0, given_up=0)
    while time.monotonic() < until:
        try:
            done = archive.compact(_SMALL).tables["steps"]
        except StorageError:
            counted["given_up"] += 1
            continue
        counted.update(compactions=1, commits=done.commits, refused=done.refused)
        assert (done.duplicates, done.conflicts) == (0, 0)
    return dict(counted)


def _take_part(role: str, number: int) -> None:
    given = json.load(sys.stdin)
    archive = Lake(given["location"], given["options"]).archive(SPEC.name)
    seconds = given["seconds"]
    said = _write(archive, number, seconds) if role == "write" else _compact(archive, seconds)
    sys.stdout.write(json.dumps(said))


def _say(place: str, figures: Mapping[str, Any]) -> None:
    sys.stdout.write(f"{place} {json.dumps(figures)}\n")
    sys.stdout.flush()


def main() -> None:
    """Run both contests, and print their figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--place", choices=["local", "s3"])
    parser.add_argument("--role", help=argparse.SUPPRESS)
    parser.add_argument("--number", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.role:
        _take_part(given.role, given.number)
        return
    with tempfile.TemporaryDirectory() as folder:
        if given.place != "s3":
            _say("local", contest(f"{folder}/lake", None, given.seconds))
        if given.place != "local":
            assert not is_missing(), "no S3 server can be built here"
            server = Server(Path(folder) / "s3", free_port())
            server.start()
            try:
                place = new_place(server)
                _say("s3", contest(place.url, place.options, given.seconds))
            finally:
                server.stop()


if __name__ == "__main__":
    main()
