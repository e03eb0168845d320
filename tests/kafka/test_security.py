"""Log-ins and certificates, against a broker that insists on them; no secret is told to anybody."""

from __future__ import annotations

import logging
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.kafka.cluster import Cluster, free_port
from ingest import open_stream
from lake import Lake
from replaylake import ingest_once
from replaylake.settings import Settings
from schemas.errors import StreamError, UsageError
from tests.brokers import running_cluster
from tests.ingest.samples import SPEC, landed, send, step
from tests.kafka.certificates import Certificates, make_certificates

PASSWORD = "correct-horse"  # noqa: S105
_LOGIN = "org.apache.kafka.common.security.plain.PlainLoginModule required user_worker"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("tls") / "files")


@pytest.fixture(scope="module")
def ports() -> tuple[int, int]:
    return free_port(), free_port()


@pytest.fixture(scope="module")
def cluster(
    tmp_path_factory: pytest.TempPathFactory, certificates: Certificates, ports: tuple[int, int]
) -> Iterator[Cluster]:
    """A broker that wants a password at one port, and a certificate at the other."""
    listeners = f"LOGIN://127.0.0.1:{ports[0]},TLS://127.0.0.1:{ports[1]}"
    cluster = running_cluster(
        tmp_path_factory.mktemp("secure"),
        **{
            "listeners": f"PLAINTEXT://127.0.0.1:{{port}},CONTROLLER://127.0.0.1:{{controller}},{listeners}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{{port}},{listeners}",
            "listener.security.protocol.map": (
                "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,LOGIN:SASL_PLAINTEXT,TLS:SSL"
            ),
            "inter.broker.listener.name": "PLAINTEXT",
            "sasl.enabled.mechanisms": "PLAIN",
            "listener.name.login.plain.sasl.jaas.config": f'{_LOGIN}="{PASSWORD}";',
            "listener.name.tls.ssl.client.auth": "required",
            "listener.name.tls.ssl.keystore.type": "PEM",
            "listener.name.tls.ssl.keystore.location": str(certificates.keystore("broker")),
            "listener.name.tls.ssl.truststore.type": "PEM",
            "listener.name.tls.ssl.truststore.location": str(certificates.authority),
        },
    )
    yield from cluster


def login(password: str) -> dict[str, Any]:
    return {
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": "PLAIN",
        "sasl.username": "worker",
        "sasl.password": password,
        "timeout": "5",
    }


@pytest.mark.parametrize("client", ["confluent", "python"])
def test_a_password_opens_the_stream(
    client: str, cluster: Cluster, ports: tuple[int, int], tmp_path: Path
) -> None:
    options = login(PASSWORD) | {"client": client}
    check_journey(f"kafka://127.0.0.1:{ports[0]}", options, tmp_path)


@pytest.mark.parametrize("client", ["confluent", "python"])
def test_a_certificate_opens_the_stream(
    client: str, cluster: Cluster, ports: tuple[int, int], tmp_path: Path, certificates: Certificates
) -> None:
    options = {
        "security.protocol": "SSL",
        "ssl.ca.location": str(certificates.authority),
        "ssl.certificate.location": str(certificates.certificate("client")),
        "ssl.key.location": str(certificates.key("client")),
        "client": client,
    }
    check_journey(f"kafka://127.0.0.1:{ports[1]}", options, tmp_path)


def check_journey(url: str, options: dict[str, Any], folder: Path) -> None:
    """Publish and ingest with the options in the settings, as a deployment has them.

    Each in a topic of its own: one that was just deleted and made again may be known by its old id for long.
    """
    spec = SPEC.model_copy(update={"name": f"demo_{uuid.uuid4().hex}"})
    archive = Lake(folder / "lake").create(spec.name, spec=spec)
    settings = Settings(stream=url, stream_options=options)
    with open_stream(url, embedded_folder=None, options=options) as stream:
        topic = stream.create_topic(spec.topic, 1)
        send(stream, topic, step(1), step(2))
        ingest_once(Lake(folder / "lake"), settings=settings)
        assert landed(archive) == Counter([1.0, 2.0])


def test_a_wrong_password_is_said_at_once_and_never_shown(
    cluster: Cluster, ports: tuple[int, int], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    url = f"kafka://127.0.0.1:{ports[0]}"
    with (
        open_stream(url, embedded_folder=None, options=login("hunter2")) as stream,
        pytest.raises(StreamError, match="refused the log-in") as caught,
    ):
        stream.create_topic(SPEC.topic, 1)
    assert "sasl.password" in caught.value.hint
    assert "hunter2" not in f"{caught.value} {caught.value.__cause__} {caplog.text}"


def test_no_certificate_is_a_stream_error(
    cluster: Cluster, ports: tuple[int, int], certificates: Certificates
) -> None:
    options = {"security.protocol": "SSL", "ssl.ca.location": str(certificates.authority), "timeout": "3"}
    with (
        open_stream(f"kafka://127.0.0.1:{ports[1]}", embedded_folder=None, options=options) as stream,
        pytest.raises(StreamError, match="did not agree on TLS"),
    ):
        stream.topic(SPEC.topic)


def test_a_file_that_is_not_there_is_named() -> None:
    options = {"security.protocol": "SSL", "ssl.ca.location": "/nowhere/ca.pem"}
    with pytest.raises(UsageError, match=r"no file '/nowhere/ca.pem', which ssl.ca.location names"):
        open_stream("kafka://127.0.0.1:9", embedded_folder=None, options=options)
