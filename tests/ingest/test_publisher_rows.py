"""Whatever way a row takes through the publisher, it lands as the exact path reads it, or is refused."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest import Linger, MemoryStream, Publisher
from schemas.archive_spec import ArchiveSpec
from schemas.errors import StepsError
from schemas.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Scalar, Space, Text, Tuple
from schemas.steps import Steps
from schemas.wire import decode_arrow
from tests.schemas.strategies import rows, specs

QUICK = settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
NOW = 1_700_000_000.25
EAST = timezone(timedelta(hours=2))


def sent(stream: MemoryStream, spec: ArchiveSpec) -> Steps:
    """Return what is on the stream, which has one partition, in order."""
    reader = stream.consumer([spec.topic], "reader")
    reader.poll(1, 1, 0)
    for partition in reader.assignment:
        reader.seek(partition, 0)
    tables = [decode_arrow(message.value) for message in reader.poll(10**6, 1 << 30, 0)]
    reader.close()
    return Steps(pa.concat_tables(tables).combine_chunks(), spec)


def publisher(spec: ArchiveSpec) -> tuple[MemoryStream, Publisher]:
    stream = MemoryStream()
    stream.create_topic(spec.topic, 1)
    return stream, Publisher(spec, stream, run="", linger=Linger(10**6, 1e9, 1 << 30), clock=lambda: NOW)


def as_environments_give_it(space: Space, value: Any) -> Any:
    """Turn Arrow's form of a value into the one that an environment or a policy gives."""
    match space:
        case Box(dtype="uint8", shape=shape):
            return np.frombuffer(value, np.uint8).reshape(shape)
        case Box(dtype=dtype, shape=shape):
            return np.array(value, dtype).reshape(shape)
        case MultiDiscrete():
            return np.array(value, np.int64)
        case MultiBinary(shape=shape):
            return np.array(value, np.int8).reshape(shape)
        case Discrete():
            return np.int64(value)
        case Dict():
            return {name: as_environments_give_it(part, value[name]) for name, part in space.fields.items()}
        case Tuple():
            return tuple(as_environments_give_it(part, value[name]) for name, part in space.fields.items())
    return value


def natural(row: Mapping[str, Any], spec: ArchiveSpec) -> dict[str, Any]:
    spaces = spec.spaces
    return {
        name: value if name not in spaces or value is None else as_environments_give_it(spaces[name], value)
        for name, value in row.items()
    }


def expected(given: list[dict[str, Any]], spec: ArchiveSpec) -> Steps:
    now = datetime.fromtimestamp(NOW, UTC)
    return Steps.from_rows([row | {"event_time": row.get("event_time") or now} for row in given], spec)


@QUICK
@given(st.data())
def test_rows_are_read_as_the_exact_path_reads_them(data: st.DataObject) -> None:
    spec = data.draw(specs)
    drawn = data.draw(st.lists(st.tuples(rows(spec), st.booleans()), min_size=1, max_size=4))
    stream, publish = publisher(spec)
    with publish:
        for row, is_natural in drawn:
            publish.publish_row(natural(row, spec) if is_natural else row)
    assert sent(stream, spec) == expected([row for row, _ in drawn], spec)


def column(space: Space | None, values: list[Any]) -> Any:
    """Put values together as a vectorised environment does it."""
    if any(value is None for value in values):
        return values
    if isinstance(space, Dict | Tuple):
        fields = space.fields
        keys = list(range(len(fields))) if isinstance(space, Tuple) else list(fields)
        parts = zip(fields, keys, strict=True)
        return {name: column(fields[name], [value[key] for value in values]) for name, key in parts}
    if isinstance(space, Box | Discrete | MultiDiscrete | MultiBinary):
        return np.stack(values)
    return values


@QUICK
@given(st.data())
def test_columns_say_the_same_as_their_rows(data: st.DataObject) -> None:
    spec = data.draw(specs)
    drawn = data.draw(st.lists(rows(spec), min_size=1, max_size=4))
    given_rows = [natural(row, spec) for row in drawn]
    names = {name for row in given_rows for name in row}
    columns = {name: column(spec.spaces.get(name), [row.get(name) for row in given_rows]) for name in names}
    if None in columns.get("event_time", []):
        columns["event_time"] = [row.get("event_time") or NOW for row in given_rows]
    stream, publish = publisher(spec)
    with publish:
        publish.publish_columns(columns, len(drawn))
    assert sent(stream, spec) == expected(drawn, spec)


SPEC = ArchiveSpec(
    name="odd",
    observation=Box(shape=(2,)),
    action=Discrete(n=2),
    extras={"whole": Box(shape=(2,), dtype="int32"), "score": Scalar(dtype="float64"), "note": Text()},
)
ROW: dict[str, Any] = {
    "episode_id": "e",
    "step": 0,
    "observation": np.zeros(2, np.float32),
    "action": 0,
    "reward": 0.0,
    "terminated": False,
    "truncated": False,
}
FINE: list[tuple[str, Any, Any]] = [
    ("observation", np.array([1e300, -1.0]), [np.inf, -1.0]),
    ("observation", np.array([1, 2], np.int64), [1.0, 2.0]),
    ("observation", np.array([[1.0], [2.0]], np.float16), [1.0, 2.0]),
    ("observation", np.arange(8.0)[::4], [0.0, 4.0]),
    ("observation", np.array([1, 2], ">f4"), [1.0, 2.0]),
    ("whole", np.array([1, 2], np.int8), [1, 2]),
    ("whole", np.array([1.0, 2.0]), [1, 2]),
    ("step", np.uint64(7), 7),
    ("action", 1.0, 1),
    ("reward", 2**60, float(2**60)),
    ("reward", np.float32(0.5), 0.5),
    ("reward", np.int64(3), 3.0),
    ("terminated", np.True_, True),
    ("score", True, None),
    ("note", "süß", "süß"),
    ("action_mask", np.array([True, False]), [True, False]),
    ("action_mask", [True, None], [True, None]),
    ("event_time", 1_700_000_000, datetime.fromtimestamp(1_700_000_000, UTC)),
    ("event_time", 1_700_000_000_000, datetime.fromtimestamp(1_700_000_000, UTC)),
    (
        "event_time",
        datetime(2024, 1, 1, 2, tzinfo=timezone(timedelta(hours=2))),
        datetime(2024, 1, 1, tzinfo=UTC),
    ),
]


@pytest.mark.parametrize(("name", "value", "held"), FINE)
def test_values_of_other_types_land_without_a_loss(name: str, value: Any, held: Any) -> None:
    stream, publish = publisher(SPEC)
    with publish:
        if held is None:
            with pytest.raises(StepsError) as caught:
                publish.publish_row(ROW | {name: value})
            assert caught.value.column == name
        publish.publish_row(ROW | ({} if held is None else {name: value}))
        publish.publish_row(ROW | {"step": 1})
    assert sent(stream, SPEC).table[name][0].as_py() == held


BAD: list[tuple[str, Any]] = [
    ("observation", np.array([True, False])),
    ("observation", np.array([1j, 0])),
    ("observation", np.array(["a", "b"])),
    ("observation", np.zeros(3, np.float32)),
    ("whole", np.array([2**40, 0])),
    ("whole", np.array([0.5, 0])),
    ("whole", np.array([True, False])),
    ("step", 2**63),
    ("step", True),
    ("action", np.array(1)),
    ("reward", np.True_),
    ("terminated", 1),
    ("note", "\ud800"),
    ("episode_id", "\ud800"),
    ("event_time", datetime(2024, 1, 1)),
    ("event_time", np.inf),
    ("info", {"x": object()}),
    ("nobody", 1),
    ("action_mask", np.array([1, 0])),
]


@pytest.mark.parametrize(("name", "value"), BAD)
def test_what_the_exact_path_refuses_no_other_way_takes(name: str, value: Any) -> None:
    stream, publish = publisher(SPEC)
    with publish:
        publish.publish_row(ROW)
        with pytest.raises(StepsError) as by_row:
            publish.publish_row(ROW | {"step": 1, name: value})
        columns = {key: [held, held] for key, held in (ROW | {"step": 1}).items()}
        with pytest.raises(StepsError) as by_columns:
            publish.publish_columns(columns | {name: [ROW.get(name), value]}, 2)
        publish.publish_columns({key: [held] for key, held in (ROW | {"step": 3}).items()}, 1)
    assert by_row.value.column == by_columns.value.column == name
    assert sent(stream, SPEC).table["step"].to_pylist() == [0, 3]


def test_columns_of_different_lengths_are_refused() -> None:
    stream, publish = publisher(SPEC)
    columns = {name: [value] * 2 for name, value in ROW.items()}
    with publish:
        for wrong in (
            {"step": [0]},
            {"observation": np.zeros((1, 2), np.float32)},
            {"reward": np.zeros(3)},
            {"reward": np.array(1.0)},
            {"note": "ab"},
            {"score": 1.0},
        ):
            with pytest.raises(StepsError):
                publish.publish_columns(columns | wrong, 2)
        publish.publish_columns({}, 0)
    assert stream.topic(SPEC.topic).partitions == 1
