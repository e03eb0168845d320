"""A spec grows by columns; rows that were there lack them, and nobody who writes is disturbed."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from lake import Lake, read_steps
from lake.spec_log import write_spec
from schemas.archive_spec import ArchiveSpec
from schemas.errors import AlreadyExistsError, CommitConflictError, SpecError
from schemas.protocols import Move
from schemas.spaces import Box, Discrete, Scalar, Text
from tests.lake.archives import SPEC, append, landed_rows, numbers, refused_rows, row
from tests.lake.places import PLACES, lake_in


@pytest.fixture(params=PLACES)
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> Lake:
    return lake_in(request.param, request, tmp_path)


def with_extras(**extras: Any) -> ArchiveSpec:
    return SPEC.model_copy(update={"extras": extras})


SHOP = with_extras(shop=Text())


def test_rows_that_were_there_lack_a_new_column(lake: Lake) -> None:
    archive = lake.create("demo", spec=SPEC)
    append(archive, row(0))
    before = archive.snapshot()
    archive.evolve(SHOP)
    assert archive.spec == lake.archive("demo").spec == SHOP
    assert lake.sql("select step, shop from demo.steps").rows() == [(0, None)]
    assert lake.sql("select shop from demo.quarantine").rows() == []

    append(archive, row(1, shop="x"))
    assert lake.sql("select step, shop from demo.steps order by step").rows() == [(0, None), (1, "x")]
    assert numbers(lake, "select step from demo.steps where shop = 'x'") == [1]
    assert numbers(lake, "select count(*) from demo.transitions") == [1]
    assert read_steps(archive)["shop"].to_pylist() == [None, "x"]
    assert [archive.table("steps").read(name)["shop"].to_pylist() for name in before.files] == [[None]]
    assert archive.snapshot("shop is not null").rows == 1


def test_what_no_row_hangs_on_may_change(lake: Lake) -> None:
    archive = lake.create("demo", spec=SPEC)
    changed = SPEC.model_copy(update={"allowed_clock_skew": timedelta(hours=1), "reward_range": (0.0, 9.0)})
    archive.evolve(changed)
    archive.evolve(changed)
    assert lake.archive("demo").spec == changed
    assert archive.table("steps").version == 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"observation": Box(shape=(2,))}, "The observation of 'demo' cannot change"),
        ({"action": Discrete(n=3)}, "The action of 'demo' cannot change"),
        ({"partition_by": ("source",)}, "The partition_by of 'demo' cannot change"),
        ({"extras": {}}, "The extra column 'shop' of 'demo' cannot change or go"),
        (
            {"extras": {"shop": Scalar(dtype="int64")}},
            "The extra column 'shop' of 'demo' cannot change or go",
        ),
    ],
)
def test_what_rows_hang_on_stays(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    archive = Lake(tmp_path).create("demo", spec=SHOP)
    with pytest.raises(SpecError, match=said):
        archive.evolve(SHOP.model_copy(update=change))
    assert archive.spec == Lake(tmp_path).archive("demo").spec == SHOP
    assert archive.table("steps").version == 0


def test_of_two_who_evolve_at_once_one_is_refused_and_changes_nothing(lake: Lake) -> None:
    lake.create("demo", spec=SPEC)
    together = threading.Barrier(2)

    def race(spec: ArchiveSpec) -> bool:
        archive = lake.archive("demo")
        together.wait()
        try:
            archive.evolve(spec)
        except CommitConflictError:
            return False
        return True

    specs = [SHOP, with_extras(shop=Scalar(dtype="int64"))]
    with ThreadPoolExecutor(2) as threads:
        won = list(threads.map(race, specs))
    assert sorted(won) == [False, True]
    archive = lake.archive("demo")
    assert archive.spec == specs[won.index(True)]
    kind = archive.spec.extras["shop"].arrow_type
    assert archive.table("steps").schema.field("shop").type == kind
    assert archive.table("quarantine").schema.field("shop").type == kind


def test_who_saw_an_older_spec_looks_again_first(lake: Lake) -> None:
    late, early = lake.create("demo", spec=SPEC), lake.archive("demo")
    early.evolve(SHOP)
    with pytest.raises(CommitConflictError, match="changed by somebody else meanwhile"):
        late.evolve(with_extras(other=Text()))
    assert lake.archive("demo").spec == SHOP


def test_a_writer_of_the_older_spec_goes_on(lake: Lake) -> None:
    archive = lake.create("demo", spec=SPEC)
    log, refused = archive.table("steps"), archive.table("quarantine")
    log.append(landed_rows(SPEC, 1), {"app": Move(-1, 0)}, {})
    lake.archive("demo").evolve(SHOP)
    log.append(landed_rows(SPEC, 1), {"app": Move(0, 1)}, {})
    refused.append(refused_rows(SPEC, {"reasons": ["x"], "date": "2026-01-01"}), {}, {})
    assert lake.sql("select count(*), count(shop) from demo.steps").rows() == [(2, 0)]
    assert lake.sql("select count(*), count(shop) from demo.quarantine").rows() == [(1, 0)]


def test_who_died_between_spec_and_tables_is_finished_by_the_next_who_writes(lake: Lake) -> None:
    archive = lake.create("demo", spec=SPEC)
    assert write_spec(archive.store, SHOP, 2)
    reopened = lake.archive("demo")
    assert reopened.spec == SHOP
    assert lake.sql("select count(*) from demo.steps").rows() == [(0,)]
    append(reopened, row(0, shop="x"))
    assert lake.sql("select shop from demo.steps").rows() == [("x",)]


def test_a_column_of_another_type_is_not_added(tmp_path: Path) -> None:
    archive = Lake(tmp_path).create("demo", spec=SPEC)
    archive.table("steps").add_columns([pa.field("shop", pa.string())])
    with pytest.raises(AlreadyExistsError, match="column 'shop' exists already"):
        archive.evolve(with_extras(shop=Scalar(dtype="int64")))


def test_many_versions_are_told_apart(lake: Lake) -> None:
    archive = lake.create("demo", spec=SPEC)
    for number in range(12):
        archive.evolve(with_extras(**{f"x{held}": Text() for held in range(number + 1)}))
    append(archive, row(0, x11="last"))
    assert len(lake.archive("demo").spec.extras) == 12
    assert lake.sql("select x0, x11 from demo.steps").rows() == [(None, "last")]
