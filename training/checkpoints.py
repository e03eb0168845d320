"""Checkpoints: a folder with what a policy is, in JSON, and its weights.

A folder is there whole or not at all: it is written beside its place, synced, and renamed into it.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from torch import Tensor

from schemas.errors import AlreadyExistsError, DataError, NotFoundError, StorageError, UsageError
from schemas.spaces import Box, Discrete
from schemas.validation_text import first_problem

FORMAT_VERSION: Final = 1
RECORD = "policy.json"
WEIGHTS = "weights.pt"


class PolicyRecord(BaseModel):
    """Describe a policy: all that it is but for its weights."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    format_version: Literal[1] = FORMAT_VERSION
    algorithm: str
    config: dict[str, Any]
    observation_space: Box
    action_space: Discrete
    snapshot_id: str | None
    seed: int
    metrics: dict[str, float]
    torch_version: str
    weights_sha256: str


def serialise(weights: Mapping[str, Tensor]) -> bytes:
    """Return the weights as bytes of torch's own format; equal weights give equal bytes."""
    buffer = io.BytesIO()
    torch.save({name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}, buffer)
    return buffer.getvalue()


def write_checkpoint(path: Path, record: PolicyRecord, weights: bytes) -> None:
    """Write the folder. Raise AlreadyExistsError where something is; a failure leaves nothing behind."""
    path = Path(os.path.abspath(path))  # so that it has a name and a parent, also where it is "."
    if _is_taken(path):
        raise _taken(path)
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.mkdir()
        try:
            _write(beside / WEIGHTS, weights)
            _write(beside / RECORD, (record.model_dump_json(indent=2) + "\n").encode())
            _sync(beside)
            beside.rename(path)  # replaces nothing but an empty folder
        except BaseException:
            shutil.rmtree(beside, ignore_errors=True)
            raise
        _sync(path.parent)
    except OSError as exc:
        if _is_taken(path):  # somebody was there first
            raise _taken(path) from exc
        raise StorageError(f"The policy cannot be written to {str(path)!r}: {exc.strerror}.") from exc


def read_checkpoint(path: Path) -> tuple[PolicyRecord, dict[str, Tensor]]:
    """Read a folder back.

    Raises NotFoundError where there is none, UsageError where it is no policy's, and DataError where it
    is torn or of a format that this version does not know. Weights are read as plain tensors: a folder
    from a stranger runs no code.
    """
    if not path.exists():
        raise NotFoundError("policy folder", str(path))
    if not (path / RECORD).is_file():
        raise UsageError(
            f"{str(path)!r} is not a policy: it has no file {RECORD}.",
            hint="Give the folder that `Policy.save` wrote.",
        )
    try:
        text, content = (path / RECORD).read_bytes(), (path / WEIGHTS).read_bytes()
    except OSError as exc:
        raise _torn(path, f"{exc.filename!r} cannot be read: {exc.strerror}") from exc
    record = _parse(path, text)
    if hashlib.sha256(content).hexdigest() != record.weights_sha256:
        raise _torn(path, f"{WEIGHTS} is not what {RECORD} says it is (SHA-256 differs)")
    try:
        weights = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as exc:  # torch and pickle raise what they like on bytes that are no weights
        raise _torn(path, f"{WEIGHTS} holds no weights") from exc
    return record, weights


def _parse(path: Path, text: bytes) -> PolicyRecord:
    try:
        mapping = json.loads(text)
        version = mapping["format_version"]
    except (ValueError, TypeError, KeyError) as exc:
        raise _torn(path, f"{RECORD} is not the record of a policy") from exc
    if version != FORMAT_VERSION:
        raise DataError(
            f"The policy in {str(path)!r} has format {version!r}; this reader knows {FORMAT_VERSION}.",
            hint="Upgrade replaylake, or train it again.",
        )
    try:
        return PolicyRecord.model_validate(mapping)
    except ValidationError as exc:
        raise _torn(path, f"{RECORD}: {first_problem(exc)}") from exc


def _is_taken(path: Path) -> bool:
    return any(path.iterdir()) if path.is_dir() else path.exists()


def _taken(path: Path) -> AlreadyExistsError:
    return AlreadyExistsError("policy folder", str(path), hint="Choose another path, or remove it first.")


def _torn(path: Path, what: str) -> DataError:
    return DataError(
        f"The policy in {str(path)!r} cannot be used: {what}.", hint="Train it again, or restore the folder."
    )


def _write(path: Path, content: bytes) -> None:
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
