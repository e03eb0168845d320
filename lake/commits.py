"""One Delta table that is only appended to, together with the stream positions of what it holds."""

from __future__ import annotations

import math
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Schema, Transaction
from deltalake.transaction import AddAction, RemoveAction

from lake.conforming import alike, conformed
from lake.parquet import WrittenFile, partition_values, remove_files, write_files
from lake.stores import Store
from lake.table_log import ADDED, REPEAT, TableLog, location, translated
from schemas.errors import AlreadyExistsError, CommitConflictError, StorageError
from schemas.protocols import Move

_RETRIES = 50  # appends of others stand before ours: each costs one attempt
_COMMIT = "replaylake.commit"  # names a commit in what the log says of it
_FENCE = "replaylake/vacuum"  # its position is the time, in ms, up to which a vacuum has condemned files
_VACUUM = {"replaylake.origin": "vacuum"}
_SKEW = 3_600_000  # ms by which the clocks of a writer and of the store may differ


class CommitLog(TableLog):
    """Append to a Delta table through one pinned version of it.

    A commit is made as the version after the pinned one, or refused by Delta because another writer was
    there first. Then the handle is refreshed, and tries again if the positions still are as they were.
    """

    def __init__(self, store: Store, version: int | None = None) -> None:
        super().__init__(store, version)
        self._names_at_first = frozenset(self.schema.names)

    @classmethod
    def create(cls, store: Store, schema: pa.Schema, partition_by: Sequence[str]) -> CommitLog:
        """Make an empty table, or take the one that is there with these columns, if nothing landed in it yet.

        So of several who make it at once each gets it, and who died halfway is taken over from. Raise
        AlreadyExistsError for any other table.
        """
        with suppress(CommitConflictError):  # somebody else was faster by a hair
            translated(
                store,
                lambda: DeltaTable.create(
                    location(store),
                    schema,
                    mode="ignore",
                    partition_by=list(partition_by),
                    storage_options=dict(store.options),
                    commit_properties=CommitProperties(max_commit_retries=0),  # or it is made on top of ours
                ),
            )
        made = cls(store)
        if made.version > 0 or not alike(made.schema, schema) or made.partition_by != list(partition_by):
            raise AlreadyExistsError(
                "table", store.url, hint="Choose another name, or remove what an earlier try has left there."
            )
        return made

    def append(
        self,
        rows: pa.Table,
        moves: Mapping[str, Move],
        metadata: Mapping[str, str],
        *,
        onto: int | None = None,
    ) -> int:
        """Append rows, none at all too, and move positions, in one commit; return a version that has it.

        Columns that came to the table since this was opened may be lacking: they are null then. Raise
        CommitConflictError where a position is not `before` any more, where `onto` is given and the
        newest version is another one, or where this took so long that a vacuum has begun to remove what was
        written: nothing was written then. After another StorageError the commit
        may be there or not: refresh, and look at the positions.
        """
        whole = conformed(rows, self.schema, self._names_at_first, self._store.url)
        self._check(moves, onto)
        written = write_files(self._store, whole, self.partition_by)
        actions = [file.action for file in written]

        def check() -> None:
            conformed(rows, self.schema, self._names_at_first, self._store.url)
            self._check(moves, onto)

        return self._commit(actions, written, moves, metadata, check)

    def rewrite(
        self,
        removed: Sequence[str],
        written: Sequence[WrittenFile],
        moves: Mapping[str, Move],
        metadata: Mapping[str, str],
        *,
        loses_rows: bool = False,
    ) -> int:
        """Put written files in the place of files of the table, in one commit; return a version that has it.

        The files taken out stay where they are stored, for those who read older versions. Whoever rewrites
        moves a position that all rewrites share: of two at once one is refused. `loses_rows` says that
        not the same rows are there afterwards. Raise CommitConflictError where a position is not `before` any
        more, or a removed file not in the table: nothing was changed then, and what was written is removed.
        """
        at = int(time.time() * 1000)
        partition_by = self.partition_by
        actions: list[AddAction | RemoveAction] = [
            RemoveAction(name, loses_rows, at, None, partition_values(name, partition_by)) for name in removed
        ]
        actions += [file.action for file in written]

        def check() -> None:
            self._check(moves, None)
            gone = set(removed) - set(self.file_names())
            if gone:
                raise CommitConflictError(
                    f"The file {min(gone)} is not in the table any more.", hint="Look again at what is there."
                )

        return self._commit(actions, written, moves, metadata, check)

    def add_columns(self, fields: Sequence[pa.Field]) -> None:
        """Add columns, null in all rows that are there; those that are there already are left alone.

        Raise AlreadyExistsError for a column that is there with another type.
        """
        for _ in range(_RETRIES):
            held = self.schema
            for field in fields:
                if field.name in held.names and not alike(pa.schema([held.field(field.name)]), [field]):
                    raise AlreadyExistsError("column", field.name, hint="Give the new column another name.")
            missing = [
                field.with_nullable(True).with_metadata({ADDED: b"true"})
                for field in fields
                if field.name not in held.names
            ]
            if not missing:
                return
            with self._lock, suppress(CommitConflictError):
                added = Schema.from_arrow(pa.schema(missing)).fields
                self._translated(partial(self._table.alter.add_columns, added))
            self.refresh()
        raise CommitConflictError(f"Others committed first, {_RETRIES} times.", hint=REPEAT)

    def configure(self, properties: Mapping[str, str]) -> None:
        """Set properties of the table, where any of them is another one."""
        with self._lock:
            if properties.items() <= self._table.metadata().configuration.items():
                return
            self._translated(partial(self._table.alter.set_table_properties, dict(properties)))
            self.refresh()

    def condemn(self, until: datetime) -> None:
        """Let nobody commit files from now on that were stored at a time or before: they may be removed."""
        moment = math.ceil(until.timestamp() * 1000)
        for _ in range(_RETRIES):
            condemned = self.position(_FENCE)
            if condemned >= moment:
                return
            moves = {_FENCE: Move(condemned, moment)}
            with suppress(CommitConflictError):  # of two, the later time is to stay
                self._commit([], [], moves, _VACUUM, partial(self.check_positions, moves))
            self.refresh()
        raise CommitConflictError(f"Others committed first, {_RETRIES} times.", hint=REPEAT)

    def checkpoint(self) -> None:
        """Sum the log up, so that whoever opens the table reads that and no long row of commits."""
        with self._lock:
            self._translated(self._table.create_checkpoint)

    def _commit(
        self,
        actions: Sequence[AddAction | RemoveAction],
        written: Sequence[WrittenFile],
        moves: Mapping[str, Move],
        metadata: Mapping[str, str],
        check: Callable[[], None],
    ) -> int:
        """Commit as the next version for which `check` does not raise; return one that has it."""
        name = uuid.uuid4().hex
        properties = CommitProperties(
            app_transactions=[
                Transaction(app_id, move.after) for app_id, move in moves.items() if move.after != move.before
            ],
            custom_metadata={**metadata, _COMMIT: name},
            # Delta would put our commit behind those of others unseen: we look at the positions between.
            max_commit_retries=0,
        )
        try:
            with self._lock:
                for _ in range(_RETRIES):
                    check()  # another thread or attempt may have refreshed
                    self._check_condemned(written)
                    if self._write(actions, properties, name):
                        break
                else:
                    raise CommitConflictError(f"Others committed first, {_RETRIES} times.", hint=REPEAT)
                self.refresh()  # a commit leaves the handle on the version before it
                return self.version
        except CommitConflictError:
            remove_files(self._store, written)
            raise

    def _has(self, commit: str, since: int) -> bool:
        """Say whether a commit is there, after a version."""
        for version in range(since + 1, self.version + 1):
            infos = [action.get("commitInfo", {}) for action in self._actions(version) or ()]
            if any(info.get(_COMMIT) == commit for info in infos):
                return True
        return False

    def _write(
        self, actions: Sequence[AddAction | RemoveAction], properties: CommitProperties, name: str
    ) -> bool:
        """Commit as the version after ours; False where another writer has made that one."""
        before = self.version
        try:
            self._translated(
                lambda: self._table.create_write_transaction(
                    list(actions),
                    "append",
                    self._table.schema(),
                    self.partition_by,
                    commit_properties=properties,
                )
            )
        except StorageError as exc:  # a store may do what it was asked, and its answer get lost
            self.refresh()
            if self._has(name, before):
                return True
            if isinstance(exc, CommitConflictError):
                return False
            raise
        return True

    def check_positions(self, moves: Mapping[str, Move]) -> None:
        """Raise CommitConflictError where a position of the pinned version is not `before`."""
        for app_id, move in moves.items():
            stored = self.position(app_id)
            if stored != move.before or move.after < stored:
                raise CommitConflictError(
                    f"The position of {app_id} is {stored}, not {move.before}, from where it was to move "
                    f"to {move.after}.",
                    hint=REPEAT,
                )

    def _check_condemned(self, written: Sequence[WrittenFile]) -> None:
        """Raise CommitConflictError where a vacuum that the pinned version knows of removes such a file."""
        condemned = self.position(_FENCE)
        for file in written:
            if file.action.modification_time <= condemned + _SKEW:
                try:
                    stored = self._store.look(file.name).modified.timestamp() * 1000
                except FileNotFoundError:
                    stored = -1
                if stored <= condemned:
                    raise CommitConflictError(
                        f"{file.name} was written too long ago: a vacuum removes what nothing names.",
                        hint="Do it again. A vacuum's --grace has to be longer than a writer takes.",
                    )

    def _check(self, moves: Mapping[str, Move], onto: int | None) -> None:
        if onto is not None and self.version != onto:
            raise CommitConflictError(f"The version is {self.version}, not {onto}.", hint=REPEAT)
        self.check_positions(moves)
