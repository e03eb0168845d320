"""From a URL to a stream."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest import open_stream
from ingest.streams.kafka.options import parse_options
from schemas.errors import UsageError
from schemas.protocols import Topic


def topic_in(url: str, folder: Path | None) -> Topic:
    with open_stream(url, embedded_folder=folder) as stream:
        return stream.create_topic("t")


def test_embedded_is_in_the_lakes_folder_or_in_its_own(tmp_path: Path) -> None:
    lake, own = tmp_path / "lake", tmp_path / "its own"
    made = topic_in("embedded:", lake)
    assert (lake / "stream.sqlite").is_file()
    assert topic_in(f"embedded:{lake}", None) == made
    assert topic_in(f"embedded:{own}", lake) != made
    assert (own / "stream.sqlite").is_file()


def test_embedded_needs_a_folder() -> None:
    with pytest.raises(UsageError, match="no folder for the embedded stream"):
        open_stream("embedded:", embedded_folder=None)


def test_memory_is_the_same_by_its_name(tmp_path: Path) -> None:
    assert topic_in("memory:urls", None) == topic_in("memory:urls", tmp_path)
    assert topic_in("memory:urls", None) != topic_in("memory:others", None)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "url",
    [
        "amqp://user:hunter2@host/x?sasl=hunter2",
        "user:hunter2@host",
        "hunter2",
        "",
        "embedded",
        "hunter2@host:9092",
        "EMBEDDED:hunter2",
        "kafka:hunter2@",
        "kafka://user:hunter2@host:9092",
        "kafka://host:9092?sasl.password=hunter2",
        "kafka://host:9092?ssl.key.password=hunter2",
        "kafka://",
    ],
)
def test_other_schemes_are_refused_without_telling_secrets(url: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        open_stream(url, embedded_folder=tmp_path)
    assert "hunter2" not in str(caught.value)
    assert caught.value.hint
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("url", "options", "says"),
    [
        ("kafka://host:9092?colour=red", {}, "no option 'colour'"),
        ("kafka://host:9092?security.protocol=TELNET", {}, "security.protocol"),
        ("kafka://host:9092", {"session.timeout.ms": "soon"}, "session.timeout.ms"),
        ("kafka://host port", {}, "names no brokers"),
        ("kafka://host:9092?group.protocol=consumer&client=python", {}, ""),
    ],
)
def test_an_option_of_kafka_is_checked_before_anything_is_reached(
    url: str, options: dict[str, str], says: str
) -> None:
    if not says:
        with open_stream(url, embedded_folder=None, options=options):
            return
    with pytest.raises(UsageError, match=says) as caught:
        open_stream(url, embedded_folder=None, options=options)
    assert caught.value.hint


def test_a_secret_is_used_and_not_shown() -> None:
    options = parse_options(
        "", {"sasl.password": "hunter2", "security.protocol": "SASL_SSL", "ssl.key.password": "hunter2"}
    )
    for given in (options, options.for_kafka_python(), options.for_confluent()):
        assert "hunter2" not in repr(given)
    assert options.for_kafka_python()["sasl_plain_password"] == "hunter2"  # noqa: S105
    with pytest.raises(UsageError) as caught:
        parse_options("", {"sasl.password": ["hunter2"]})
    assert "hunter2" not in str(caught.value)
