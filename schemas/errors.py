"""Every error of replaylake, in one tree.

ReplayLakeError
├── UsageError                 the caller asked for something that cannot be
│   ├── SpecError              an archive's spec that is not possible
│   ├── SuiteError             a suite that does not compile
│   ├── SettingsError          a setting with a value it cannot have
│   ├── NotFoundError          a lake, archive, snapshot, topic or file that is not there
│   ├── AlreadyExistsError     a name that is taken
│   └── QueryError             SQL that is wrong or not allowed
├── DataError                  data that does not follow its contract
│   ├── StepsError             rows that do not follow the spec
│   └── WireError              bytes that are not a message of ours
│       └── VersionError       a message of a version that this reader does not know
├── StreamError                the stream refused or is away
│   ├── StreamAwayError        the stream does not answer, and may come back
│   └── PositionLostError      the stream no longer has what comes next
├── StorageError               the lake's storage refused
│   └── CommitConflictError    another writer was there first: refresh, seek, repeat
└── TrainingError              a learner that cannot go on

A message says what was wrong with which value; `hint` says what to do about it.
"""

from __future__ import annotations

from collections.abc import Iterable

_NAMED = 20  # of the names that there are


class ReplayLakeError(Exception):
    """Root of every error that replaylake raises on purpose."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".rstrip()


class UsageError(ReplayLakeError):
    """Report a request that cannot be met as it was made; the command exits with 2."""


class SpecError(UsageError):
    """Report an archive's spec that is not possible."""


class SuiteError(UsageError):
    """Report a suite that does not compile; no row was judged with it."""


class SettingsError(UsageError):
    """Report a setting with a value that it cannot have."""


class NotFoundError(UsageError):
    """Report something that is not there, with the names that are."""

    def __init__(self, kind: str, name: str, *, known: Iterable[str] = (), hint: str = "") -> None:
        self.kind = kind
        self.name = name
        self.known = tuple(sorted(known))
        others = f" and {len(self.known) - _NAMED:,} others" if len(self.known) > _NAMED else ""
        there = f" There are: {', '.join(self.known[:_NAMED])}{others}." if self.known else ""
        super().__init__(f"There is no {kind} {name!r}.{there}", hint=hint)


class AlreadyExistsError(UsageError):
    """Report a name that is taken; what has it was left as it was."""

    def __init__(self, kind: str, name: str, *, hint: str = "") -> None:
        self.kind = kind
        self.name = name
        super().__init__(f"The {kind} {name!r} exists already.", hint=hint)


class SpecChangedError(ReplayLakeError):
    """Tell a worker that an archive's spec has grown: it opens the archive again, and goes on."""


class QueryError(UsageError):
    """Report SQL that is wrong or not allowed; nothing was read or written."""


class DataError(ReplayLakeError):
    """Report data that does not follow its contract."""


class StepsError(DataError):
    """Report rows that do not follow their archive's spec.

    `reason` is the short stable code that quarantine groups by.
    """

    def __init__(self, message: str, *, column: str = "", reason: str = "", hint: str = "") -> None:
        self.column = column
        self.reason = reason or (f"wrong_type({column})" if column else "undecodable")
        super().__init__(message, hint=hint)


class WireError(DataError):
    """Report bytes that are not a message of ours.

    `reason` is the short stable code that quarantine groups by, such as `undecodable`.
    """

    def __init__(self, message: str, *, reason: str = "undecodable", hint: str = "") -> None:
        self.reason = reason
        super().__init__(message, hint=hint)


class VersionError(WireError):
    """Report a message of a version that this reader does not know."""

    def __init__(self, found: object, known: Iterable[int]) -> None:
        self.found = found
        self.known = tuple(known)
        shown = repr(found)
        super().__init__(
            f"The record has version {shown[:80]}; this reader knows {', '.join(map(str, self.known))}.",
            reason="unsupported_version",
            hint="Upgrade replaylake, or publish in a version that it knows.",
        )


class StreamError(ReplayLakeError):
    """Report a stream that refused or is away."""


class StreamAwayError(StreamError):
    """Report a stream that does not answer: it may come back, and nothing was lost."""


class PositionLostError(StreamError):
    """Report that the stream no longer has the next message to consume.

    Nothing was skipped: the worker stops here, and the range that was lost is named.
    """

    def __init__(self, topic: str, partition: int, wanted: int, earliest: int, end: int) -> None:
        self.topic = topic
        self.partition = partition
        self.wanted = wanted
        self.earliest = earliest
        self.end = end
        if wanted < earliest:
            lost = f"offsets {wanted} to {earliest - 1} are gone"
        else:
            lost = f"offsets {end} to {wanted - 1} were committed here, and the stream ends before them"
        super().__init__(
            f"Topic {topic!r} partition {partition}: {lost} (the stream has {earliest} to {end - 1}).",
            hint="Restore the stream, or ingest what it still has into a fresh archive.",
        )


class StorageError(ReplayLakeError):
    """Report that the lake's storage refused; what was there is as it was."""


class CommitConflictError(StorageError):
    """Report that another writer committed first; nothing of this commit is visible."""


class TrainingError(ReplayLakeError):
    """Report a learner that cannot go on with this data or configuration."""
