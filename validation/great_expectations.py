"""The one door to the real Great Expectations: run it on request, and build its Data Docs.

Nothing else of replaylake needs the library, which takes seconds to import and comes with the extra `gx`. It
runs here without a folder of its own, without analytics and without progress bars.
"""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

from schemas.errors import SuiteError, UsageError
from validation.expectation import Expectation
from validation.suite import Suite
from validation.tables import read_rows

_SITE = "replaylake"


def run_great_expectations(suite: Suite, table: Any) -> dict[str, Any]:
    """Judge a table of Arrow, Polars or pandas by the installed library; return its own result as JSON.

    Expectations that only replaylake knows are left out; `meta.left_out` of the result names them.
    Raise UsageError where the library is not installed, SuiteError where it refuses an expectation.
    """
    with _library() as library:
        context = _context(library)
        return _run(library, context, suite, table, name="rows")


def build_data_docs(suite: Suite, table: Any, folder: str | Path, *, name: str = "rows") -> Path:
    """Judge a table by the installed library, and build its Data Docs; return the path of their index.html.

    The pages are of the suite, without the expectations that only replaylake knows, and of what was found in
    the table, which they call `name`. Raise as `run_great_expectations` does, or UsageError where there can
    be no such folder.
    """
    folder = Path(folder).absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise UsageError(f"{str(folder)!r} cannot be a folder: {exc.strerror}.") from exc
    with _library() as library:
        context = _context(library)
        backend = {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(folder)}
        index = {"class_name": "DefaultSiteIndexBuilder"}
        site = {"class_name": "SiteBuilder", "store_backend": backend, "site_index_builder": index}
        context.add_data_docs_site(_SITE, {**site, "show_how_to_buttons": False})
        _run(library, context, suite, table, name=name)
        context.build_data_docs(site_names=[_SITE])
    return folder / "index.html"


def left_out(suite: Suite) -> list[str]:
    """Return the types of a suite's expectations that the installed library does not know, each once."""
    with _library() as library:
        return list(dict.fromkeys(rule.type for rule in suite.expectations if not _knows(library, rule)))


@contextmanager
def _library() -> Iterator[Any]:
    """Import the library, with its analytics off, and keep what it does to warnings to itself."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            import great_expectations
            import great_expectations.expectations.registry
        except ModuleNotFoundError as exc:
            if (exc.name or "").partition(".")[0] != "great_expectations":
                raise
            raise UsageError(
                "Great Expectations is not installed.", hint="Install it: pip install replaylake[gx]."
            ) from exc
        yield great_expectations


def _context(library: Any) -> Any:
    context = library.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    context.enable_analytics(False)
    for name, site in dict(context.variables.data_docs_sites).items():  # in a temporary folder, already made
        context.delete_data_docs_site(name)
        shutil.rmtree(site["store_backend"]["base_directory"], ignore_errors=True)
    return context


def _run(library: Any, context: Any, suite: Suite, table: Any, *, name: str) -> dict[str, Any]:
    theirs = context.suites.add(library.ExpectationSuite(name=suite.name))
    unknown = []
    for number, rule in enumerate(suite.expectations, start=1):
        if not _knows(library, rule):
            unknown.append({"rule": number, "type": rule.type})
            continue
        # Added as a list: the library would drop an expectation that equals another.
        theirs.expectations.append(_expectation(suite, number, rule))
    theirs.save()
    asset = context.data_sources.add_pandas("replaylake").add_dataframe_asset(name)
    definition = library.ValidationDefinition(
        name=name, data=asset.add_batch_definition_whole_dataframe("all"), suite=theirs
    )
    validation = context.validation_definitions.add(definition)
    found = validation.run(batch_parameters={"dataframe": _frame(table)}, result_format="COMPLETE")
    result: dict[str, Any] = found.to_json_dict()
    result["meta"] = {**(result.get("meta") or {}), "left_out": unknown}
    return result


def _knows(library: Any, rule: Expectation) -> bool:
    registry = library.expectations.registry
    return rule.type in registry.list_registered_expectation_implementations()


def _expectation(suite: Suite, number: int, rule: Expectation) -> Any:
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    held = rule.to_dict()
    held.pop("id", None)  # which the library would look up in its own store
    known = {key: held[key] for key in ("type", "kwargs", "severity", "meta", "notes") if key in held}
    try:
        return ExpectationConfiguration(**known).to_domain_obj()
    except (TypeError, ValueError) as exc:
        said = " ".join(str(exc).split())
        raise SuiteError(
            f"Suite {suite.name!r}, rule {number} ({rule.type}): Great Expectations refuses it: {said}.",
            hint="Its kwargs are in the documentation of Great Expectations.",
        ) from exc


def _frame(table: Any) -> Any:
    """Return a pandas table. What is nested becomes Python's lists and dictionaries."""
    if type(table).__module__.split(".")[0] == "pandas":
        return table
    import pandas as pd

    rows = read_rows(table)
    plain = [name for name in rows.schema.names if not pa.types.is_nested(rows.schema.field(name).type)]
    frame = rows.select(plain).to_pandas()
    return pd.DataFrame(
        {
            name: frame[name] if name in plain else pd.Series(rows[name].to_pylist(), dtype=object)
            for name in rows.schema.names
        }
    )
