"""Find the benchmarks: part of an installed replaylake, or the folder `benchmarks` of a checkout."""

from __future__ import annotations

import importlib
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from schemas.errors import NotFoundError

_NAME = "replaylake.benchmarks"
_CHECKOUT = Path(__file__).parent.parent / "benchmarks"


def load_benchmarks() -> ModuleType:
    """Import the benchmarks' package, which both places know as `replaylake.benchmarks`.

    A plain `import benchmarks` would do only in the checkout's own folder: other distributions install a
    package of that name.
    """
    start = _CHECKOUT / "__init__.py"
    if _NAME in sys.modules or not start.is_file():
        try:
            return importlib.import_module(_NAME)
        except ModuleNotFoundError as exc:
            raise NotFoundError("folder of benchmarks", str(_CHECKOUT)) from exc
    spec = spec_from_file_location(_NAME, start, submodule_search_locations=[str(_CHECKOUT)])
    if spec is None or spec.loader is None:
        raise NotFoundError("folder of benchmarks", str(_CHECKOUT))
    package = module_from_spec(spec)
    sys.modules[_NAME] = package
    spec.loader.exec_module(package)
    return package
