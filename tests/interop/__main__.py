"""Let every library read an archive back, Apache Spark too: `python -m tests.interop` (`make interop`)."""

from __future__ import annotations

import platform
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from deploy.s3.program import is_missing
from deploy.s3.server import Server, free_port
from lake import Lake
from tests.interop.reading import READERS, read_back
from tests.interop.spark.environment import EnvironmentMissingError, prepare
from tests.interop.writing import write
from tests.object_store import new_place

Written = tuple[Path, Mapping[str, str]]
_COUNTS = ("tables", "rows", "values", "conditions")


def main() -> int:
    """Write the archives to a folder and to S3, and let all read them; return 1 where one errs."""
    failed = False
    with ExitStack() as stack:
        lakes = _lakes(Path(stack.enter_context(tempfile.TemporaryDirectory())), stack)
        _say(f"Python {platform.python_version()} on {platform.machine()}")
        _say(_line("library", "version", "where", (*_COUNTS, "seconds")))
        for where, written in lakes.items():
            # Spark reads S3 through jars of its own, which would be fetched for this alone.
            for reader in (*READERS, *(["spark"] if where == "folder" else [])):
                try:
                    _say(_read(reader, where, written))
                except (AssertionError, EnvironmentMissingError) as exc:
                    failed = True
                    _say(f"{reader} from {where}: {exc}")
    return int(failed)


def _lakes(folder: Path, stack: ExitStack) -> dict[str, Written]:
    """Write the archives to every kind of store that can be had here."""
    lakes: dict[str, Written] = {"folder": (folder / "folder.json", {})}
    write(Lake(folder / "lake"), folder / "folder.json")
    if is_missing():
        _say("S3 is left out: its server is built by Go, which is not found here.")
        return lakes
    server = Server(folder / "server", free_port())
    server.start()
    stack.callback(server.stop)
    place = new_place(server)
    write(Lake(place.url, place.options), folder / "s3.json")
    return lakes | {"S3": (folder / "s3.json", place.options)}


def _read(reader: str, where: str, written: Written) -> str:
    begun = time.monotonic()
    document, options = written
    if reader == "spark":
        spark = prepare()
        begun = time.monotonic()
        compared = read_back(reader, document, options, spark.python, spark.variables)
    else:
        compared = read_back(reader, document, options)
    counts = (*(str(compared.get(name, 0)) for name in _COUNTS), f"{time.monotonic() - begun:.0f}")
    return _line(compared["library"], compared["version"], where, counts)


def _line(library: str, version: str, where: str, counts: tuple[str, ...]) -> str:
    return f"{library:26}{version:20}{where:8}" + "".join(f"{count:>12}" for count in counts)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
