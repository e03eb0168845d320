"""A snapshot of some columns gives those, and says what it does not hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from lake import Archive, open_blocks, read_arrays
from schemas.errors import UsageError
from schemas.spaces import Scalar
from tests.lake.archives import SPEC, append, make, row

RETURNS = ["reward", "terminated", "truncated", "discount"]


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    extras = {"load": Scalar(dtype="float64"), "heat": Scalar(dtype="float64")}
    _, archive = make(tmp_path, SPEC.model_copy(update={"extras": extras}))
    append(archive, *(row(step, load=step / 2, heat=1.0) for step in range(5)))
    return archive


def test_what_it_holds_is_read(archive: Archive, tmp_path: Path) -> None:
    snapshot = archive.snapshot(columns=["observation", "load", *RETURNS])
    read = read_arrays(snapshot, ("observation", "extras", "keys"), cache=tmp_path / "cache")
    assert read.array("load").tolist() == [0.0, 0.5, 1.0, 1.5]
    assert read.array("step").tolist() == [0, 1, 2, 3]
    assert read.names == ["observation", "load", *RETURNS, "step", "episode"]
    with open_blocks(snapshot, seed=1, columns=("load",)) as blocks:
        assert blocks.transitions == 4


def test_the_columns_of_a_learner_are_enough_for_one(archive: Archive) -> None:
    learned = ["observation", "action", "next_observation", *RETURNS]
    assert len(read_arrays(archive.snapshot(columns=learned))) == 4


@pytest.mark.parametrize(
    ("held", "asked", "missing"),
    [
        (["observation", *RETURNS], ("action",), "action"),
        (["observation", *RETURNS], ("observation", "next_observation"), "next_observation"),
        (["observation", *RETURNS], None, "action, next_observation"),
        (["load", *RETURNS], ("load", "heat"), "heat"),
        (["observation", "reward"], ("observation",), "terminated, truncated, discount"),
    ],
)
def test_what_it_does_not_hold_is_said(
    archive: Archive, tmp_path: Path, held: list[str], asked: tuple[str, ...] | None, missing: str
) -> None:
    snapshot = archive.snapshot(columns=held)
    chosen = {} if asked is None else {"columns": asked}
    for cache in (None, tmp_path / "cache"):
        with pytest.raises(UsageError, match=f"does not hold {missing}: it holds .*{held[0]}") as raised:
            read_arrays(snapshot, cache=cache, **chosen)  # type: ignore[arg-type]
        assert "always read" in str(raised.value)
    with (
        pytest.raises(UsageError, match=f"does not hold {missing}:"),
        open_blocks(snapshot, seed=1, **chosen),  # type: ignore[arg-type]
    ):
        pass
    assert not (tmp_path / "cache").exists()
