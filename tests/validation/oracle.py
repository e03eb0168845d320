"""The real Great Expectations as an oracle: many expectations on one pandas frame, in one call of it.

Its import takes 3 s and each call about 50 ms, so tests put as many expectations as they can into one call.
The session's one instance is the fixture `oracle`, in `conftest.py`.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any


class Oracle:
    """Ask the installed library what it says of a frame."""

    def __init__(self, library: Any) -> None:
        self.library = library
        context = library.get_context(mode="ephemeral")
        context.variables.progress_bars = {"globally": False}
        asset = context.data_sources.add_pandas("memory").add_dataframe_asset("rows")
        self._batches = asset.add_batch_definition_whole_dataframe("all")

    def judge(
        self,
        expectations: Sequence[Mapping[str, Any]],
        frame: Any,
        result_format: str | Mapping[str, Any] = "COMPLETE",
    ) -> list[dict[str, Any]]:
        """Return the library's result for each expectation (`{"type", "kwargs"}`), in their order, as JSON.

        What it could not judge has a true `exception_info["raised_exception"]`.
        """
        suite = {"name": "oracle", "expectations": list(expectations)}
        results: list[dict[str, Any]] = self.validate(suite, frame, result_format)["results"]
        return results

    def validate(
        self, suite: Mapping[str, Any], frame: Any, result_format: str | Mapping[str, Any] = "COMPLETE"
    ) -> dict[str, Any]:
        """Return what the library says of a frame under a whole suite, its results in the suite's order."""
        from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

        held = self.library.ExpectationSuite(name=suite["name"])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # Numbered, for the library gives its results in an order of its own.
            for number, given in enumerate(suite["expectations"]):
                named = {**given, "meta": {**given.get("meta", {}), "number": number}}
                held.expectations.append(ExpectationConfiguration(**named).to_domain_obj())
            batch = self._batches.get_batch({"dataframe": frame})
            found: dict[str, Any] = batch.validate(held, result_format=result_format).to_json_dict()
        found["results"].sort(key=lambda result: result["expectation_config"]["meta"]["number"])
        for result in found["results"]:
            del result["expectation_config"]["meta"]["number"]
            result["exception_info"] = _flat(result["exception_info"])
        return found


def _flat(info: Mapping[str, Any]) -> Mapping[str, Any]:
    """The library gives one mapping, or one for each of its metrics that failed."""
    return info if "raised_exception" in info else next(iter(info.values()))
