"""Fixtures of the tests of validation."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import pytest

from tests.validation.oracle import Oracle


@pytest.fixture(scope="session")
def oracle() -> Iterator[Oracle]:
    """Import the library once (3 s), with its own warnings let through and its analytics off."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GX_ANALYTICS_ENABLED", "false")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield Oracle(pytest.importorskip("great_expectations"))
