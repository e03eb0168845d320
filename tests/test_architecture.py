"""The floors: an import points down, never up, and the contracts that say so can fail."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("schemas", "ingest", "validation", "lake", "training", "replaylake")
UPWARD = {
    "schemas/step.py": "from lake import Lake",
    "ingest/worker/report.py": "import lake.lake",
    "validation/suite.py": "from ingest import Worker",
    "lake/files.py": "import validation",
    "training/devices.py": "import replaylake.settings",
}
FOREIGN = {
    "lake/files.py": "import torch",
    "ingest/worker/report.py": "import ray",
    "training/devices.py": "import duckdb",
    "replaylake/logs.py": "import deltalake",
}


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """Check the import contracts of a copy of the code."""
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"]
    environment = {"PYTHONPATH": str(folder), "PATH": ""}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return a copy of the code and its contracts."""
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_contracts_hold(copy: Path) -> None:
    outcome = lint(copy)
    assert outcome.returncode == 0, outcome.stdout


@pytest.mark.parametrize(("module", "line"), [*UPWARD.items(), *FOREIGN.items()])
def test_a_forbidden_import_breaks_a_contract(copy: Path, module: str, line: str) -> None:
    path = copy / module
    code = path.read_text()
    assert "from __future__ import annotations\n" in code
    path.write_text(
        code.replace("from __future__ import annotations\n", f"from __future__ import annotations\n{line}\n")
    )
    outcome = lint(copy)
    assert outcome.returncode == 1
    assert "BROKEN" in outcome.stdout


def test_no_module_is_named_utils_and_no_door_has_logic() -> None:
    for package in PACKAGES:
        assert not list((ROOT / package).rglob("utils.py"))
        door = (ROOT / package / "__init__.py").read_text()
        assert "def " not in door or package == "replaylake"  # the public door is a lazy table
