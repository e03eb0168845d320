"""Policies: how they act, and that a checkpoint is whole, torn or foreign, and says which."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from schemas.errors import (
    AlreadyExistsError,
    DataError,
    NotFoundError,
    ReplayLakeError,
    StorageError,
    UsageError,
)
from tests.training.samples import CHAIN, CHAIN_ACTION, CHAIN_OBSERVATION, chain, observe
from training import Policy, fit
from training.checkpoints import RECORD, WEIGHTS, serialise


@pytest.fixture(scope="module")
def policy() -> Policy:
    return fit(
        chain(),
        CHAIN_OBSERVATION,
        CHAIN_ACTION,
        snapshot_id="chain-1",
        seed=4,
        updates=50,
        hidden=(8, 8),
        batch_size=32,
    )


@pytest.fixture
def saved(policy: Policy, tmp_path: Path) -> Path:
    policy.save(tmp_path / "policy")
    return tmp_path / "policy"


def test_it_acts_greedily_in_its_action_space(policy: Policy) -> None:
    states = observe(range(CHAIN))
    outputs, actions = policy.outputs(states), policy.act(states)
    assert outputs.shape == (CHAIN, 2)
    assert np.array_equal(actions, outputs.argmax(axis=1) + 10)
    assert policy.act(states[:0]).shape == (0,)


def test_its_probabilities_are_those_of_what_it_does(policy: Policy) -> None:
    states = observe(range(CHAIN))
    probabilities = policy.action_probabilities(states)
    assert probabilities.sum(axis=1).tolist() == [1.0] * CHAIN
    assert np.array_equal(probabilities.argmax(axis=1) + 10, policy.act(states))
    assert set(probabilities.ravel()) <= {0.0, 1.0}


def test_outputs_are_the_mean_over_the_members(policy: Policy) -> None:
    states = observe(range(CHAIN))
    x = torch.from_numpy(policy.normaliser(states)).float()
    weights = [policy.weights[f"weights.{layer}"] for layer in range(3)]
    biases = [policy.weights[f"biases.{layer}"] for layer in range(3)]
    by_member = []
    for member in range(policy.config.members):
        h = x
        for layer in range(3):
            h = (h.relu() if layer else h) @ weights[layer][member] + biases[layer][member]
        by_member.append(h)
    expected = torch.stack(by_member).mean(0).numpy()
    assert np.allclose(policy.outputs(states), expected, atol=1e-5)


def test_an_action_does_not_hang_on_the_batch(policy: Policy) -> None:
    states = np.random.default_rng(0).normal(size=(200, 2)).astype(np.float32)
    alone = [int(policy.act(state[None])[0]) for state in states]
    assert policy.act(states).tolist() == alone


def test_observations_may_be_lists_of_numbers(policy: Policy) -> None:
    assert policy.act([[0, 0], [1, 1]]).shape == (2,)


@pytest.mark.parametrize("shape", [(2,), (1, 3), (1, 2, 2)])
def test_observations_of_another_shape_are_refused(policy: Policy, shape: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match=r"acts on batches of \(2,\)"):
        policy.act(np.zeros(shape))


def test_observations_that_are_not_finite_are_refused(policy: Policy) -> None:
    with pytest.raises(UsageError, match="not finite"):
        policy.act([[0.0, np.nan]])


def test_a_checkpoint_comes_back_as_it_was(policy: Policy, saved: Path) -> None:
    loaded = Policy.load(saved)
    states = np.random.default_rng(1).normal(size=(500, 2))
    assert np.array_equal(loaded.outputs(states), policy.outputs(states))
    for name in (
        "algorithm",
        "config",
        "observation_space",
        "action_space",
        "snapshot_id",
        "seed",
        "metrics",
    ):
        assert getattr(loaded, name) == getattr(policy, name)
    assert sorted(entry.name for entry in saved.iterdir()) == [RECORD, WEIGHTS]
    assert os.listdir(saved.parent) == ["policy"], "nothing else may remain"


def test_the_record_can_be_read_by_people(saved: Path) -> None:
    record = json.loads((saved / RECORD).read_text())
    assert record["format_version"] == 1
    assert record["algorithm"] == "cql"
    assert record["config"]["hidden"] == [8, 8]
    assert record["action_space"] == {"type": "discrete", "n": 2, "start": 10}
    assert record["torch_version"] == torch.__version__


def test_equal_policies_are_equal_bytes(policy: Policy, saved: Path, tmp_path: Path) -> None:
    policy.save(tmp_path / "again")
    for name in (RECORD, WEIGHTS):
        assert (tmp_path / "again" / name).read_bytes() == (saved / name).read_bytes()


def test_folders_on_the_way_are_made_and_an_empty_one_is_taken(policy: Policy, tmp_path: Path) -> None:
    policy.save(tmp_path / "a" / "b")
    (tmp_path / "empty").mkdir()
    policy.save(str(tmp_path / "empty"))
    assert Policy.load(tmp_path / "empty").seed == Policy.load(tmp_path / "a" / "b").seed == 4


def test_what_is_there_is_not_overwritten(policy: Policy, saved: Path, tmp_path: Path) -> None:
    before = (saved / WEIGHTS).read_bytes()
    with pytest.raises(AlreadyExistsError, match="policy"):
        policy.save(saved)
    assert (saved / WEIGHTS).read_bytes() == before
    (tmp_path / "file").write_text("mine")
    with pytest.raises(AlreadyExistsError):
        policy.save(tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"
    with pytest.raises(AlreadyExistsError):
        policy.save("/")
    assert sorted(os.listdir(tmp_path)) == ["file", "policy"]


def test_a_disk_that_fails_leaves_nothing_behind(
    policy: Policy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="No space left"):
        policy.save(tmp_path / "policy")
    assert os.listdir(tmp_path) == []


def test_who_comes_second_leaves_the_first_one_s_policy(
    policy: Policy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = Path.rename

    def first(source: Path, target: Path) -> Path:
        target.mkdir()
        (target / RECORD).write_text("the first one's")
        return rename(source, target)

    monkeypatch.setattr(Path, "rename", first)
    with pytest.raises(AlreadyExistsError):
        policy.save(tmp_path / "policy")
    assert (tmp_path / "policy" / RECORD).read_text() == "the first one's"
    assert os.listdir(tmp_path) == ["policy"]


def test_a_parent_that_is_a_file_is_a_storage_error(policy: Policy, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(StorageError, match="cannot be written"):
        policy.save(tmp_path / "file" / "policy")


def test_a_folder_that_is_not_there_or_not_a_policy(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no policy folder"):
        Policy.load(tmp_path / "nowhere")
    with pytest.raises(UsageError, match=r"not a policy: it has no file policy\.json"):
        Policy.load(tmp_path)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UsageError, match="not a policy"):
        Policy.load(tmp_path / "file")


def change(path: Path, **changes: Any) -> None:
    record = {**json.loads((path / RECORD).read_text()), **changes}
    (path / RECORD).write_text(json.dumps(record))


def replace_weights(path: Path, content: bytes) -> None:
    """Put other weights in, with the digest that they need to be read at all."""
    (path / WEIGHTS).write_bytes(content)
    change(path, weights_sha256=hashlib.sha256(content).hexdigest())


def one_tensor() -> bytes:
    buffer = io.BytesIO()
    torch.save(torch.zeros(3), buffer)
    return buffer.getvalue()


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "weights are gone": (lambda path: (path / WEIGHTS).unlink(), "No such file"),
    "weights are cut": (lambda path: cut(path / WEIGHTS), "SHA-256"),
    "weights are empty": (lambda path: (path / WEIGHTS).write_bytes(b""), "SHA-256"),
    "weights are noise": (lambda path: replace_weights(path, b"noise"), "holds no weights"),
    "weights are one tensor": (lambda path: replace_weights(path, one_tensor()), "do not fit"),
    "weights lack the normaliser": (lambda path: replace_weights(path, serialise({})), "do not fit"),
    "weights lack the network": (
        lambda path: replace_weights(
            path, serialise({"normaliser.mean": torch.zeros(2), "normaliser.scale": torch.ones(2)})
        ),
        "do not fit",
    ),
    "record is cut": (lambda path: cut(path / RECORD), "not the record of a policy"),
    "record is empty": (lambda path: (path / RECORD).write_bytes(b""), "not the record of a policy"),
    "record is no mapping": (lambda path: (path / RECORD).write_text("[1]"), "not the record of a policy"),
    "record is not UTF-8": (lambda path: (path / RECORD).write_bytes(b'{"\xff":1}'), "not the record"),
    "record lacks a field": (lambda path: (path / RECORD).write_text('{"format_version": 1}'), "missing"),
    "record has another field": (lambda path: change(path, owner="me"), "owner"),
    "record is of the future": (lambda path: change(path, format_version=2), "has format 2; .* knows 1"),
    "algorithm is unknown": (lambda path: change(path, algorithm="sac"), "no algorithm 'sac'"),
    "config is impossible": (lambda path: change(path, config={"alpha": -1}), "alpha"),
    "config is of another net": (lambda path: change(path, config={"hidden": [9]}), "do not fit"),
    "space is of another kind": (
        lambda path: change(path, action_space={"type": "box", "shape": [1]}),
        "action_space",
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_folder_is_one_clear_error(saved: Path, damage: str) -> None:
    break_it, said = DAMAGE[damage]
    break_it(saved)
    with pytest.raises(ReplayLakeError, match=said) as caught:
        Policy.load(saved)
    assert isinstance(caught.value, DataError | UsageError)


def test_a_stranger_s_weights_run_no_code(saved: Path, tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return (os.mkdir, (str(tmp_path / "ran"),))

    torch.save({"network.weights.0": Evil()}, tmp_path / "evil.pt")
    replace_weights(saved, (tmp_path / "evil.pt").read_bytes())
    with pytest.raises(DataError, match="holds no weights"):
        Policy.load(saved)
    assert not (tmp_path / "ran").exists()
