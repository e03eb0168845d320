"""Specs of every kind of space, and rows that follow them, for the property tests."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from schemas.archive_spec import ArchiveSpec
from schemas.protocols import Headers, Message
from schemas.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Scalar, Space, Text, Tuple
from schemas.steps import Steps

_INTEGERS = {"int8": 7, "int16": 15, "int32": 31, "int64": 63, "uint16": 16, "uint32": 32}
_BITS = {"float16": 16, "float32": 32, "float64": 64}
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
moments = st.datetimes(timezones=st.just(UTC)) | st.sampled_from(
    [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)]
)
shapes = st.sampled_from([(), (1,), (3,), (2, 2)])
boxes = st.builds(Box, shape=shapes, dtype=st.sampled_from([*_INTEGERS, *_BITS, "uint8", "bool"]))
simple = (
    boxes
    | st.builds(Discrete, n=st.integers(1, 9), start=st.integers(-5, 5))
    | st.builds(MultiDiscrete, nvec=st.lists(st.integers(1, 4), min_size=1, max_size=3).map(tuple))
    | st.builds(MultiBinary, shape=st.sampled_from([(1,), (4,), (2, 2)]))
    | st.just(Text())
    | st.builds(Scalar, dtype=st.sampled_from(["bool", "int64", "float64", "string", "timestamp"]))
)
_names = st.sampled_from(["a", "B", "_c", "d9"])
spaces: st.SearchStrategy[Space] = st.recursive(
    simple,
    lambda inner: (
        st.builds(Dict, spaces=st.dictionaries(_names, inner, min_size=1, max_size=3))
        | st.builds(Tuple, spaces=st.lists(inner, min_size=1, max_size=3).map(tuple))
    ),
    max_leaves=4,
)
specs = st.builds(
    ArchiveSpec,
    name=st.just("demo"),
    observation=spaces,
    action=spaces,
    extras=st.dictionaries(st.sampled_from(["extra", "goal", "select"]), spaces, max_size=2),
)


def _elements(space: Any) -> st.SearchStrategy[Any]:
    if isinstance(space, MultiDiscrete):
        return st.tuples(*(st.integers(0, count - 1) for count in space.nvec)).map(list)
    size = math.prod(space.shape)
    if isinstance(space, MultiBinary):
        return st.lists(st.integers(0, 1), min_size=size, max_size=size)
    if space.dtype == "uint8":
        return st.binary(min_size=size, max_size=size)
    if space.dtype == "bool":
        return st.lists(st.booleans(), min_size=size, max_size=size)
    if space.dtype in _BITS:
        return st.lists(st.floats(width=_BITS[space.dtype]), min_size=size, max_size=size)  # type: ignore[arg-type]
    signed = not space.dtype.startswith("u")
    least, greatest = -(2 ** _INTEGERS[space.dtype]) if signed else 0, 2 ** _INTEGERS[space.dtype] - 1
    return st.lists(st.integers(least, greatest), min_size=size, max_size=size)


def values(space: Space) -> st.SearchStrategy[Any]:
    """Draw a value of the space, as Arrow gives it to Python."""
    match space:
        case Discrete(n=n, start=start):
            return st.integers(start, start + n - 1)
        case Text():
            return texts
        case Scalar(dtype=dtype):
            kinds: dict[str, st.SearchStrategy[Any]] = {
                "bool": st.booleans(),
                "int64": st.integers(-(2**63), 2**63 - 1),
                "float64": st.floats(),
                "string": texts,
                "timestamp": moments,
            }
            return kinds[dtype]
        case Dict() | Tuple():
            return st.fixed_dictionaries({name: values(inner) for name, inner in space.fields.items()})
        case _:
            return _elements(space)


def rows(spec: ArchiveSpec) -> st.SearchStrategy[dict[str, Any]]:
    """Draw a row that follows the spec; what may be missing sometimes is."""
    none = st.none()
    return st.fixed_dictionaries(
        {
            "source": texts,
            "agent_id": texts,
            "episode_id": texts,
            "step": st.integers(-(2**63), 2**63 - 1),
            "observation": values(spec.observation),
            "action": values(spec.action),
            "terminated": st.booleans(),
            "truncated": st.booleans(),
        },
        optional={
            "event_id": none | texts,
            "action_log_prob": none | st.floats(),
            "action_mask": none | st.lists(st.booleans(), max_size=3),
            "reward": none | st.floats(),
            "next_observation": none | values(spec.observation),
            "discount": none | st.floats(width=32),
            "policy_version": none | texts,
            "event_time": none | moments,
            "info": none | texts,
            "priority": none | st.floats(width=32),
            **{name: none | values(space) for name, space in spec.extras.items()},
        },
    )


@st.composite
def batches(draw: st.DrawFn, max_size: int = 4) -> Steps:
    """Draw a spec, and steps that follow it, none at all too."""
    spec = draw(specs)
    return Steps.from_rows(draw(st.lists(rows(spec), max_size=max_size)), spec)


def message(value: bytes, offset: int = 0, headers: Headers = ()) -> Message:
    """Wrap bytes as a stream delivers them."""
    return Message("replaylake.demo", 0, offset, 0, None, value, headers)


def messages(values: list[bytes], headers: Headers = ()) -> list[Message]:
    """Wrap several."""
    return [message(value, offset, headers) for offset, value in enumerate(values)]
