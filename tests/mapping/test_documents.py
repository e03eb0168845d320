"""The file of a mapping: what it may say, and errors that name file, column, line and mend."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.mapping import RecordMapping
from schemas.archive_spec import ArchiveSpec
from schemas.errors import NotFoundError, UsageError
from tests.mapping.samples import NEEDED, SPEC, mapping, records

GOOD = """\
source: {format: csv, csv: {delimiter: ";"}}
where: col("kind") != "beat"
columns:
  source: {const: web-shop}
  episode_id: $.session.id
  step: turn
  observation:
    vector: [x, {field: y, default: 0}]
  action: {field: verb, values: {no: 0, 12:30:00: 1, 2026-01-01: 2}}
  reward: {expr: 'col("price") * 1e-2 - col("$.cost.total")'}
  terminated: {const: false}
  truncated: {const: false}
  event_time: {field: at, time: epoch_ms}
"""


def load(folder: Path, text: str) -> RecordMapping:
    path = folder / "m.yaml"
    path.write_text(text, encoding="utf-8")
    return RecordMapping.load(path)


def test_a_mapping_is_read_from_its_file(tmp_path: Path) -> None:
    found = load(tmp_path, GOOD)
    assert found.source is not None and found.source.csv.delimiter == ";"
    assert found.timeline is None
    assert found.fields == ("$.cost.total", "$.session.id", "at", "kind", "price", "turn", "verb", "x", "y")
    rows = [
        {"kind": "go", "session": {"id": 7}, "turn": 0, "x": 1, "verb": verb, "at": 0}
        | {"price": 50, "cost": {"total": 0.25}}
        for verb in ("no", "12:30:00", "2026-01-01")
    ]  # fmt: skip
    made = found.apply(records(rows), SPEC)
    assert made.refused == ()
    assert made.table["action"].to_pylist() == [0, 1, 2]
    assert made.table["reward"].to_pylist() == [0.25] * 3


def test_the_hash_tells_mappings_apart_and_not_how_they_are_written(tmp_path: Path) -> None:
    found = load(tmp_path, GOOD)
    assert found.hash == load(tmp_path, GOOD + "\n# a remark\n").hash
    assert found.hash != load(tmp_path, GOOD.replace("default: 0", "default: 1")).hash
    assert len(found.hash) == 16


def test_json_is_read_too(tmp_path: Path) -> None:
    assert load(tmp_path, '{"columns": {"reward": "r"}}').fields == ("r",)


@pytest.mark.parametrize(
    ("change", "place", "wanted"),
    [
        (("step: turn", "step: [turn"), "line", "not YAML"),
        (("step: turn", "step: turn\n  step: turn"), "line 7", "stands twice"),
        (("step: turn", "step: {feild: turn}"), "column 'step' (line 6)", "did you mean 'field'?"),
        (("step: turn", "step: 7"), "column 'step' (line 6)", "{const: 7}"),
        (("step: turn", "step: {field: turn, const: 1}"), "column 'step' (line 6)", "only one can be"),
        (("step: turn", "step: {field: turn, defualt: 1}"), "'step', defualt (line 6)", "no such setting"),
        (("$.session.id", "$.session."), "column 'episode_id', field (line 5)", "no JSONPath"),
        (("$.session.id", '{field: x, default: 0, type: strng}'), "line 5", "strng"),
        (("* 1e-2", "* colu(1)"), "column 'reward', expr (line 10)", "Near it: col"),
        (("field: y,", "field: y, time: noon,"), "'observation', vector.1 (line 8)", "time 'noon'"),
        (("verb, values", "verb, other: 1, vals"), "column 'action'", "no such setting"),
        (("where: col", "where: cl"), "where (line 2)", "Near it: col"),
        (("columns:", "colums:"), "columns", "it is missing"),
        (("delimiter: \";\"", "delimiter: ab"), "source.csv.delimiter (line 1)", "one ASCII character"),
        (("web-shop", '"<fill in: who publishes>"'), "line 4", "who publishes"),
    ],
)  # fmt: skip
def test_an_error_names_the_file_the_column_and_the_line(
    tmp_path: Path, change: tuple[str, str], place: str, wanted: str
) -> None:
    assert change[0] in GOOD
    with pytest.raises(UsageError) as caught:
        load(tmp_path, GOOD.replace(*change, 1))
    assert "m.yaml" in caught.value.message
    assert place in caught.value.message
    assert wanted in str(caught.value)


@pytest.mark.parametrize("text", ["", "7", "- a", "columns: {}", "columns: {reward: null}", "a: &a [*a]"])
def test_what_is_no_mapping_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError):
        load(tmp_path, text)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        RecordMapping.load(tmp_path / "none.yaml")
    with pytest.raises(UsageError):
        RecordMapping.load(tmp_path)


def test_a_document_that_grows_by_repeating_itself_is_refused(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(UsageError):
        load(tmp_path, "\n".join(lines))


@pytest.mark.parametrize(
    ("column", "form", "wanted"),
    [
        ("rewards", "r", "Did you mean 'reward'?"),
        ("observation", ["x"], "give 1 values, and 2 are wanted"),
        ("observation", ["x", "y", "z"], "give 3 values, and 2 are wanted"),
        ("observation", ["x", {"list": "l"}, {"list": "m"}], "Two lists"),
        ("observation", {"hash": "c", "slots": 5}, "give 5 values"),
        ("observation", {"const": ["a", "b"]}, "'a' is not a number"),
        ("observation", {"fields": {"x": "x"}}, "'fields' cannot make it"),
        ("reward", ["x"], "it holds one value"),
        ("reward", {"const": "high"}, "'high' is not a number"),
        ("reward", {"field": "r", "default": "none"}, "'none' is not a number"),
        ("reward", {"field": "r", "type": "int64"}, "its type is the archive's"),
        ("reward", {"field": "r", "zone": "UTC"}, "`time` and `zone` are for a time"),
        ("action", {"field": "a", "values": {"l": 0.5}}, "0.5 is not a whole number"),
        ("action", {"field": "a", "values": {"1": 0, 1: 1}}, "stands twice"),
        ("action", {"field": "a", "other": 1}, "a table of `values`"),
        ("small", {"const": [300]}, "300 is not a whole number from -128 to 127"),
        ("info", {"struct": {"a": {"field": "a", "default": 1}}}, "stands as it is"),
        ("date", "d", "no such column"),
    ],
)
def test_what_cannot_make_the_column_is_said_before_a_record_is_read(
    column: str, form: Any, wanted: str
) -> None:
    with pytest.raises(UsageError) as caught:
        mapping(**{column: form}).check(SPEC)
    assert column in caught.value.message
    assert wanted in str(caught.value)


def test_every_step_needs_its_columns() -> None:
    with pytest.raises(UsageError, match="no column 'action'"):
        RecordMapping.from_dict({"columns": {"observation": {"const": [0, 0]}}}).check(SPEC)


def test_a_probability_and_its_logarithm_are_not_both_given() -> None:
    with pytest.raises(UsageError, match="one says all"):
        mapping(action_log_prob="p", action_probability="q")


def test_an_archive_whose_actions_have_no_mask_takes_none() -> None:
    spec = ArchiveSpec.from_json(
        {"name": "a", "observation": {"type": "box", "shape": [2]}, "action": {"type": "box", "shape": [1]}}
    )
    with pytest.raises(UsageError, match="no mask"):
        mapping(action_mask="m").check(spec)
    assert mapping(action_mask={"list": "m"}).apply(records([{"m": [True, False, True]}]), SPEC).table[
        "action_mask"
    ].to_pylist() == [[True, False, True]]


TIMELINE: dict[str, Any] = {
    "timeline": {"session": "user", "kind": "kind", "steps": ["view"]},
    "columns": {
        "user": {"field": "u", "type": "string"},
        "kind": {"field": "k", "type": "string"},
        "event_time": {"field": "at", "time": "epoch_s"},
        "observation": ["x", "y"],
        "action": "a",
    },
}


def test_events_may_lack_what_steps_need_and_carry_columns_of_their_own() -> None:
    made = RecordMapping.from_dict(TIMELINE).apply(
        records([{"u": 1, "k": "view", "at": 0, "x": 1, "y": 2, "a": 1}, {"u": 1, "k": "buy", "at": 1}]), SPEC
    )
    assert made.refused == ()
    assert made.table.column_names == ["event_id", "user", "kind", "event_time", "observation", "action"]
    assert made.table["user"].to_pylist() == ["1", "1"]
    assert made.table["observation"].to_pylist() == [[1.0, 2.0], None]
    assert made.table["event_id"].to_pylist() == ["id-0", "id-1"]


@pytest.mark.parametrize(
    ("column", "form", "wanted"),
    [
        ("user", None, "the timeline reads user"),
        ("kind", "k", "its type is not known"),
        ("date", "d", "called so"),
    ],
)
def test_a_timeline_needs_typed_columns(column: str, form: Any, wanted: str) -> None:
    columns = {
        name: held for name, held in (TIMELINE["columns"] | {column: form}).items() if held is not None
    }
    with pytest.raises(UsageError) as caught:
        RecordMapping.from_dict(TIMELINE | {"columns": columns}).check(SPEC)
    assert wanted in str(caught.value)


def test_the_needed_columns_of_the_samples_are_enough() -> None:
    RecordMapping.from_dict({"columns": NEEDED}).check(SPEC)


_KEYS = (
    "const field expr vector one_hot hash list map struct fields default values other time zone type keys "
    "slots size separator"
)
leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3) | st.just(10**30),
    st.floats(),
    st.sampled_from(["x", "$.a", "$", "$.", 'col("x")', "epoch_s", "%d", "UTC", "int64", "", "\ud800"]),
)
forms = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(_KEYS.split()) | st.text(max_size=2), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(["reward", "observation", "action", "info", "at", "marks", "event_time", "odd"]), forms
)
def test_whatever_stands_in_a_mapping_is_refused_in_words_or_works(column: str, form: Any) -> None:
    try:
        ready = mapping(**{column: form}).application(SPEC)
    except UsageError:
        return
    made = ready.apply(records([{"x": 1, "a": "b"}, {}]))
    assert made.table.num_rows + len(made.refused) == 2
