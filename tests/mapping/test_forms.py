"""Each form of a column: what it makes, and what it refuses in which words."""

from __future__ import annotations

import zlib
from typing import Any

import polars as pl
import pytest

from schemas.archive_spec import ArchiveSpec
from schemas.errors import UsageError
from schemas.spaces import Box
from schemas.steps import Steps
from tests.mapping.samples import NEEDED, SPEC, apply, column, details, mapping, records, text_frame

REFUSED = "mapping(mood)"


def test_constants_fields_and_paths() -> None:
    rows = [{"a": {"b": [1, 2.5]}, "x y": 3}, {"a": {}}, {}]
    assert column(rows, "mood", {"const": 0.5}) == [0.5] * 3
    assert column(rows, "mood", "$.a.b[1]") == [2.5, None, None]
    assert column(rows, "mood", "$.a.b[-2]") == [1.0, None, None]
    assert column(rows, "mood", "$['x y']") == [3.0, None, None]
    assert column(rows, "mood", "x y") == [3.0, None, None]
    assert column(rows, "mood", {"field": "$.a.b[0]", "default": -1}) == [1.0, -1.0, -1.0]
    assert column(rows, "mood", {"field": "x y", "default": None}) == [3.0, None, None]


def test_a_query_gives_the_one_value_it_finds_and_the_list_of_several() -> None:
    rows = [{"i": [{"p": 1}, {"p": 2}]}, {"i": [{"p": 3}]}, {"i": []}]
    assert column(rows, "mood", "$.i[*].p") == [REFUSED, 3.0, None]
    assert column(rows, "observation", {"list": "$.i[*].p"}) == [
        [1.0, 2.0],
        "mapping(observation)",
        "mapping(observation)",
    ]


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (1, 1),
        (1.0, 1),
        ("1", 1),
        ("007", 7),
        (1.9, "mapping(step)"),
        ("1.0", "mapping(step)"),
        ("1.9", "mapping(step)"),
        (True, "mapping(step)"),
        ("true", "mapping(step)"),
        (2**63, "mapping(step)"),
        (str(2**63), "mapping(step)"),
        (float("nan"), "mapping(step)"),
        ("NaN", "mapping(step)"),
        ([1], "mapping(step)"),
        ({}, "mapping(step)"),
    ],
)
def test_a_whole_number_is_never_cut_to_be_one(value: Any, wanted: Any) -> None:
    made = apply([{"t": value}], step="t", episode_id={"const": "e"})
    found = made.table["step"].to_pylist() + [one.reason for one in made.refused]
    assert found == [wanted]


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (1, 1.0),
        ("1e3", 1000.0),
        ("inf", float("inf")),
        (10**40, 1e40),
        ("1e999", REFUSED),
        (10**400, REFUSED),
        (True, REFUSED),
        ("", None),
        ("one", REFUSED),
        (" 1", REFUSED),
    ],
)
def test_a_number_is_read_strictly(value: Any, wanted: Any) -> None:
    assert column([{"v": value}], "mood", "v") == [wanted]


def test_a_number_that_its_type_cannot_hold_is_refused() -> None:
    rows = [{"v": value} for value in (127, 128, -129, "5", 1e39, "1e39", 3)]
    refused = "mapping(small)"
    assert column(rows, "small", ["v"]) == [[127], refused, refused, [5], refused, refused, [3]]
    floats = column(rows, "observation", ["v", {"const": 0}])
    assert [value if isinstance(value, str) else value[0] for value in floats] == [
        127.0, 128.0, -129.0, 5.0, "mapping(observation)", "mapping(observation)", 3.0
    ]  # fmt: skip


def test_true_and_false_are_not_numbers_but_for_a_multi_binary() -> None:
    rows = [{"v": value} for value in (True, "TRUE", "false", 1, "1", "yes")]
    refused = "mapping(terminated)"
    assert column(rows, "terminated", "v") == [True, True, False, refused, refused, refused]
    marks = {"vector": ["v", {"const": 0}, {"const": 1}]}
    assert column(rows[:1] + rows[3:4], "marks", marks) == [[1, 0, 1], [1, 0, 1]]


def test_one_bad_row_takes_no_other_with_it_and_says_what_was_wanted() -> None:
    frame = text_frame([{"r": "1"}, {"r": "x"}, {"r": "3"}], ["r"])
    made = apply(frame, reward="r")
    assert made.table["reward"].to_pylist() == [1.0, 3.0]
    assert made.record.tolist() == [0, 2]
    assert [(one.raw, one.reason) for one in made.refused] == [(b"record 1", "mapping(reward)")]
    assert details(made) == ["reward: the field 'r' is 'x', and a number is expected"]
    assert len(Steps(made.table, SPEC)) == 2


def test_every_fault_of_a_record_is_told_and_the_first_is_its_reason() -> None:
    made = apply([{"r": "x", "a": "up"}], reward="r", action={"field": "a", "values": {"left": 0}})
    assert made.refused[0].reason == "mapping(action)"
    assert "reward: the field 'r'" in made.refused[0].detail
    assert "'up', and one of ['left'] is expected" in made.refused[0].detail


def test_a_table_of_values() -> None:
    rows = [{"v": value} for value in ("left", "up", None, 7, 7.0, True, "True", "")]
    table = {"field": "v", "values": {"left": 1, 7: 2, True: 0}}
    refused = "mapping(action)"
    assert column(rows, "action", table) == [1, refused, refused, 2, 2, 0, 0, refused]
    assert column(rows, "action", table | {"other": 1, "default": 2}) == [1, 1, 2, 2, 2, 0, 0, 2]


def test_one_hot_and_hashing() -> None:
    rows = [{"v": "DE"}, {"v": "FR"}, {"v": "XX"}, {}]
    refused = "mapping(observation)"
    assert column(rows, "observation", {"one_hot": "v", "values": ["DE", "FR"]}) == [
        [1.0, 0.0],
        [0.0, 1.0],
        refused,
        refused,
    ]
    with_other = {"one_hot": "v", "values": ["DE", "rest"], "other": "rest"}
    assert column(rows, "observation", with_other) == [[1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [0.0, 1.0]]
    slots = [zlib.crc32(name.encode()) % 3 for name in ("DE", "FR", "XX")]
    assert column(rows, "action", {"hash": "v", "slots": 3}) == [*slots, "mapping(action)"]
    hashed = column(rows, "observation", {"hash": "v", "slots": 2, "default": ""})
    assert [row.index(1.0) for row in hashed] == [
        zlib.crc32(name.encode()) % 2 for name in ("DE", "FR", "XX", "")
    ]


def test_the_slots_of_texts_never_change() -> None:
    rows = [{"v": text} for text in ("Berlin", "Rom", "東京")]
    spec = SPEC.model_copy(update={"action": SPEC.action.model_copy(update={"n": 1000})})
    assert column(rows, "action", {"hash": "v", "slots": 1000}, spec) == [107, 409, 39]


def test_lists_of_json_of_texts_and_of_columns() -> None:
    rows = [
        {"v": [1, 2]},
        {"v": [[1], [2.5]]},
        {"v": [1]},
        {"v": [1, None]},
        {"v": "[1, 2]"},
        {"v": "1;2"},
        {},
    ]
    refused = "mapping(observation)"
    assert column(rows, "observation", {"list": "v"}) == [
        [1.0, 2.0],
        [1.0, 2.5],
        refused,
        refused,
        [1.0, 2.0],
        refused,
        refused,
    ]
    assert column(rows, "observation", "v")[:2] == [[1.0, 2.0], [1.0, 2.5]]
    texts = text_frame([{"v": "1; 2"}, {"v": "1"}, {"v": "1;x"}, {"v": ""}], ["v"])
    assert column(texts, "observation", {"list": "v", "separator": ";"}) == [
        [1.0, 2.0],
        refused,
        refused,
        refused,
    ]
    typed = pl.DataFrame({"v": [[1, 2], [3], None, [4, None]]})
    assert column(typed, "observation", {"list": "v", "default": 9})[0] == [1.0, 2.0]
    assert column(typed, "observation", {"list": "v", "default": 9})[3] == [4.0, 9.0]
    assert column(typed, "observation", {"vector": [{"list": "v", "size": 2}]})[1:3] == [refused, refused]


def test_lists_in_lists_of_a_typed_column() -> None:
    frame = pl.DataFrame({"v": [[[1.0], [2.5]], [[3.0], []]]})
    assert column(frame, "observation", {"list": "v"}) == [[1.0, 2.5], "mapping(observation)"]
    grid = pl.DataFrame({"v": pl.Series([[1, 2], [3, 4]], dtype=pl.Array(pl.Int8, 2))})
    assert column(grid, "observation", "v") == [[1.0, 2.0], [3.0, 4.0]]
    assert details(apply(frame, reward="v"))[0].startswith("reward: the field 'v' is [[1.0], [2.5]], and")


def test_an_element_of_a_list_may_be_looked_up() -> None:
    rows = [{"v": [True, False]}, {"v": ["left", True]}]
    form = {"list": "v", "values": {True: 1, False: 0, "left": 0.5}}
    assert column(rows, "observation", form) == [[1.0, 0.0], [0.5, 1.0]]


def test_the_keys_of_an_object() -> None:
    rows = [{"m": {"a": 1, "b": 2}}, {"m": {"a": 1}}, {"m": {"a": "x"}}, {"m": 3}, {}, {"m": '{"a": 5}'}]
    refused = "mapping(observation)"
    form = {"map": "m", "keys": ["a", "b"]}
    assert column(rows, "observation", form) == [[1.0, 2.0], *[refused] * 5]
    filled = column(rows, "observation", form | {"default": 0})
    assert filled == [[1.0, 2.0], [1.0, 0.0], refused, refused, refused, [5.0, 0.0]]
    typed = pl.DataFrame({"m": [{"a": 1, "b": 2}, {"a": 3, "b": None}]})
    assert column(typed, "observation", form | {"default": 7}) == [[1.0, 2.0], [3.0, 7.0]]


def test_a_vector_of_parts_that_are_missing_altogether_is_missing() -> None:
    rows = [{"x": 1, "y": 2}, {"x": 1}, {}]
    assert column(rows, "next_observation", ["x", "y"]) == [[1.0, 2.0], "mapping(next_observation)", None]
    assert column(rows, "observation", ["x", "y"]) == [
        [1.0, 2.0],
        "mapping(observation)",
        "mapping(observation)",
    ]
    assert column(rows, "next_observation", ["x", {"field": "y", "default": 0}]) == [
        [1.0, 2.0],
        [1.0, 0.0],
        "mapping(next_observation)",
    ]


def test_spaces_of_fields() -> None:
    spec = ArchiveSpec.from_json(
        {
            "name": "arm",
            "observation": {
                "type": "dict",
                "spaces": {"p": {"type": "box", "shape": [2]}, "q": {"type": "discrete", "n": 3}},
            },
            "action": {"type": "tuple", "spaces": [{"type": "discrete", "n": 2}, {"type": "text"}]},
            "extras": {"pixels": {"type": "box", "shape": [3], "dtype": "uint8"}},
        }
    )  # fmt: skip
    forms: dict[str, Any] = {
        "observation": {"fields": {"p": ["x", "y"], "q": "k"}},
        "action": {"fields": ["k", "word"]},
        "pixels": "pix",
    }
    rows = [
        {"x": 1, "y": 2, "k": 1, "word": "", "pix": "AAEC"},
        {"x": 1, "y": "b", "k": 1, "word": "a", "pix": [1, 2, 3]},
        {"x": 1, "y": 2, "k": 0, "pix": [1, 2, 256], "word": "b"},
    ]
    made = mapping(**forms).apply(records(rows), spec)
    assert made.table["observation"].to_pylist() == [{"p": [1.0, 2.0], "q": 1}]
    assert made.table["action"].to_pylist() == [{"item_0": 1, "item_1": ""}]
    assert made.table["pixels"].to_pylist() == [b"\x00\x01\x02"]
    assert "observation: p: the field 'y' is 'b'" in details(made)[0]
    assert "from 0 to 255" in details(made)[1]
    whole = mapping(**forms | {"observation": "$.o"}).apply(
        records([{"o": {"p": [1, 2], "q": 2}, "k": 0, "word": "w"}]), spec
    )
    assert whole.table["observation"].to_pylist() == [{"p": [1.0, 2.0], "q": 2}]
    assert len(Steps(whole.table, spec)) == 1


def test_info_is_json_text() -> None:
    rows = [{"id": 7, "n": {"a": [1.5, None]}, "t": "ä"}, {"t": "x"}]
    form = {
        "struct": {
            "raw": "id",
            "inner": "$.n",
            "t": "t",
            "v": {"const": 2},
            "up": {"expr": 'col("t").str.to_uppercase()'},
        }
    }
    assert column(rows, "info", form) == [
        '{"v":2,"raw":7,"inner":{"a":[1.5,null]},"t":"\\u00e4","up":"\\u00c4"}',
        '{"v":2,"t":"x","up":"X"}',
    ]
    assert column(rows, "info", "$.n") == ['{"a":[1.5,null]}', None]
    assert column(rows, "info", "t") == ["ä", "x"]


def test_rewards_of_expressions() -> None:
    frame = text_frame([{"p": "200", "c": "0.5"}, {"p": "x", "c": "1"}, {"p": None, "c": "1"}], ["p", "c"])
    form = {"expr": 'col("p").cast(Float64) * 0.01 - col("c").cast(Float64)'}
    assert column(frame, "reward", form) == [1.5, "mapping(reward)", None]
    assert column(frame, "reward", form | {"default": 0}) == [1.5, "mapping(reward)", 0.0]
    objects = [{"p": 200, "c": 0.5}, {"p": "x", "c": 1}, {"c": 1}, {"p": 1.5, "c": 1}, {"p": [1], "c": 0}]
    assert column(objects, "reward", {"expr": 'col("p") * 0.01 - col("c")'}) == [
        1.5, "mapping(reward)", None, -0.985, "mapping(reward)"
    ]  # fmt: skip


def test_an_expression_over_missing_texts_lists_and_paths() -> None:
    rows = [{"s": "A", "d": {"l": [1, 2]}}, {}, {"s": None, "d": {"l": []}}, {"s": "B", "d": {"l": [1, 2.5]}}]
    assert column(rows, "policy_version", {"expr": 'col("s").str.to_lowercase()'}) == ["a", None, None, "b"]
    assert column(rows, "mood", {"expr": 'col("$.d.l").list.sum()'}) == [3.0, None, 0.0, 3.5]
    assert column(rows, "terminated", {"expr": 'col("s") == "A"', "default": False}) == [
        True,
        False,
        False,
        False,
    ]


def test_an_expression_that_fails_for_a_row_fails_for_that_row() -> None:
    rows = [{"i": 2, "e": 2}, {"i": 2, "e": -1}, {"i": 3, "e": 1}]
    assert column(rows, "mood", {"expr": 'col("i") ** col("e")'}) == [4.0, REFUSED, 3.0]
    frame = pl.DataFrame(rows)
    assert column(frame, "mood", {"expr": 'col("i") ** col("e")'}) == [4.0, REFUSED, 3.0]


def test_where_leaves_records_out() -> None:
    made = mapping_where('col("kind") != "beat"', [{"kind": "go"}, {"kind": "beat"}, {}, {"kind": 3}])
    assert made.record.tolist() == [0]
    assert [(one.raw, one.reason) for one in made.refused] == [
        (b"record 2", "mapping(where)"),
        (b"record 3", "mapping(where)"),
    ]
    assert "neither true nor false" in details(made)[0]
    assert mapping_where('col("kind").eq_missing("go")', [{"kind": "go"}, {}]).record.tolist() == [0]


def mapping_where(text: str, rows: Any) -> Any:
    from ingest.mapping import RecordMapping

    return RecordMapping.from_dict({"where": text, "columns": NEEDED}).apply(records(rows), SPEC)


def test_records_without_a_key_of_their_own_have_the_ids_of_their_source() -> None:
    made = apply([{}, {}])
    assert made.table["event_id"].to_pylist() == ["id-0", "id-1"]
    made = apply([{"e": "e1"}], episode_id="e")
    assert made.table["event_id"].to_pylist() == ["id-0"]
    made = apply([{"e": "e1", "t": 0}, {"e": "e1"}, {"e": "", "t": 1}], episode_id="e", step="t")
    assert "event_id" not in made.table.column_names
    assert made.record.tolist() == [0]
    assert [one.reason for one in made.refused] == ["mapping(step)"] * 2
    made = apply([{"i": "a"}, {}], event_id="i")
    assert made.table["event_id"].to_pylist() == ["a"]
    assert [one.reason for one in made.refused] == ["mapping(event_id)"]


def test_typed_columns_of_a_table() -> None:
    frame = pl.DataFrame(
        {
            "u": pl.Series([1, 2**63], dtype=pl.UInt64),
            "f": pl.Series([1.5, None], dtype=pl.Float32),
            "c": pl.Series(["a", "b"], dtype=pl.Categorical),
            "n": pl.Series([None, None], dtype=pl.Null),
            "d": pl.Series([7, 8]).cast(pl.Duration("us")),
        }
    )
    assert column(frame, "mood", "u") == [1.0, float(2**63)]
    assert column(frame, "reward", "f") == [1.5, None]
    assert column(frame, "policy_version", "c") == ["a", "b"]
    assert column(frame, "mood", "n") == [None, None]
    assert column(frame, "mood", "d") == [REFUSED, REFUSED]
    made = apply(frame, episode_id="c", step="u")
    assert made.record.tolist() == [0]


@pytest.mark.parametrize(
    ("form", "wanted"),
    [
        ("rewrd", "Did you mean 'reward'?"),
        ({"expr": 'col("reward") * 2'}, "is text here"),
        ({"expr": 'col("x")'}, "no column 'x'"),
    ],
)
def test_what_no_row_of_a_table_can_help_is_a_mistake_of_the_mapping(form: Any, wanted: str) -> None:
    frame = text_frame([{"reward": "1"}], ["reward"])
    with pytest.raises(UsageError) as caught:
        apply(frame, reward=form)
    assert "column 'reward'" in caught.value.message
    assert wanted in str(caught.value)
    assert column(frame, "reward", {"field": "rewrd", "default": 3}) == [3.0]


def test_no_records_make_no_rows() -> None:
    assert apply([], mood="x").table.num_rows == 0
    made = apply(text_frame([], ["x"]), mood="x", observation=["x", "x"])
    assert len(Steps(made.table, SPEC)) == 0


def test_a_space_of_fields_may_be_missing_altogether_but_not_in_part() -> None:
    spec = ArchiveSpec.from_json(
        {
            "name": "arm",
            "observation": {
                "type": "dict",
                "spaces": {"p": {"type": "box", "shape": [1]}, "q": {"type": "discrete", "n": 3}},
            },
            "action": {"type": "discrete", "n": 1},
        }
    )  # fmt: skip
    fixed = {"observation": {"const": {"p": [1], "q": 2}}}
    rows = [{"x": 1, "k": 1}, {"x": 1}, {}]
    forms = fixed | {"next_observation": {"fields": {"p": ["x"], "q": "k"}}}
    made = mapping(**forms).apply(records(rows), spec)
    assert made.table["observation"].to_pylist() == [{"p": [1.0], "q": 2}] * 2
    assert made.table["next_observation"].to_pylist() == [{"p": [1.0], "q": 1}, None]
    assert details(made) == ["next_observation: q is missing"]
    constant = {"next_observation": {"fields": {"p": {"const": [0]}, "q": "k"}}}
    assert mapping(**fixed, **constant).apply(records(rows), spec).table.num_rows == 3


def test_bytes_of_an_image() -> None:
    spec = SPEC.model_copy(update={"observation": Box(shape=(2,), dtype="uint8")})
    rows = [
        {"v": b"\x01\x02"},
        {"v": "AQI="},
        {"v": [1, 2]},
        {"v": "AQ=="},
        {"v": "?"},
        {"v": 7},
        {"v": "[3, 4]"},
        {},
    ]
    refused = "mapping(observation)"
    assert column(rows[:3], "observation", "v", spec) == [b"\x01\x02"] * 3
    assert column(rows[3:6], "observation", "v", spec) == [refused] * 3
    assert column(rows[6:], "observation", "v", spec) == [b"\x03\x04", refused]
    typed = pl.DataFrame({"v": [b"\x01\x02", b"\x01", None]})
    assert column(typed, "observation", "v", spec) == [b"\x01\x02", refused, refused]
    assert column(rows[:1], "observation", [{"const": 7}, {"const": 255}], spec) == [b"\x07\xff"]


def test_one_number_may_stand_for_a_row_of_one() -> None:
    rows = [{"v": 5}, {"v": [6]}, {"v": "7"}, {"v": "[8]"}, {"v": 7.5}, {"v": {}}, {"v": True}]
    refused = "mapping(small)"
    assert column(rows, "small", "v") == [[5], [6], [7], [8], refused, refused, refused]


def test_expressions_over_typed_lists_and_structs() -> None:
    frame = pl.DataFrame({"s": [{"l": [1, 2], "t": "a"}, {"l": [], "t": None}, None]})
    assert column(frame, "mood", {"expr": 'col("$.s.l").list.len() * 1.0'}) == [2.0, 0.0, None]
    assert column(frame, "policy_version", {"expr": 'col("$.s.t").str.to_uppercase()'}) == ["A", None, None]
    assert column(frame, "mood", {"expr": 'col("$.s.l[0]")'}) == [1.0, None, None]
    mixed = [{"l": [1, "a"]}, {"l": [2**70]}, {"l": {}}, {"l": [True]}]
    assert column(mixed, "mood", {"expr": 'col("l").list.len()'}) == [REFUSED, REFUSED, REFUSED, 1.0]


def test_what_json_cannot_hold_is_refused_as_info() -> None:
    frame = pl.DataFrame({"b": pl.Series([1, None]).cast(pl.Duration("us")), "f": [1.5, float("nan")]})
    form = {"struct": {"b": "b", "f": "f"}}
    assert column(frame, "info", form) == ["mapping(info)", '{"f":"NaN"}']


def test_a_path_reaches_into_text_that_is_json() -> None:
    frame = text_frame([{"j": '{"a": {"b": 7}}'}, {"j": "{"}, {"j": None}, {"j": "[1, NaN]"}], ["j"])
    assert column(frame, "mood", "$.j.a.b") == [7.0, None, None, None]
    assert column(frame, "mood", "$.j[0]") == [None, None, None, 1.0]
    assert column(frame, "mood", {"expr": 'col("$.j.a.b") + 1'}) == [8.0, None, None, None]
