"""A process that publishes `a.csv` of a folder, and tells of each batch; the tests kill it."""

from __future__ import annotations

import sys
from pathlib import Path

from ingest import EmbeddedStream
from ingest.sources import sending
from ingest.sources.places import ReadLimits
from tests.sources.doors import mapping, publish


def main() -> None:
    """Publish, in small pieces that are flushed often."""
    folder = Path(sys.argv[1])
    sending._FLUSH_SECONDS = 0.01  # noqa: SLF001
    with EmbeddedStream(folder / "stream") as stream:
        publish(
            stream,
            folder / "a.csv",
            ledger=folder / "ledger",
            mapped=mapping(),
            limits=ReadLimits(chunk=64 << 10),
            on_progress=lambda report: print(report.records, flush=True),  # noqa: T201
        )
    print("done")  # noqa: T201


if __name__ == "__main__":
    main()
