"""How to reach Kafka: one set of options, in librdkafka's names, and what each client calls them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from schemas.errors import UsageError

_SECRETS = ("sasl.password", "ssl.key.password")
_KEPT = 32 << 10  # KiB of messages that librdkafka fetches ahead


class KafkaOptions(BaseModel):
    """Hold the options of a Kafka stream. Passwords are not shown by `repr`, nor in any error."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    security_protocol: Annotated[
        Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"], Field(alias="security.protocol")
    ] = "PLAINTEXT"
    sasl_mechanism: Annotated[
        Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"], Field(alias="sasl.mechanism")
    ] = "PLAIN"
    sasl_username: Annotated[str | None, Field(alias="sasl.username")] = None
    sasl_password: Annotated[SecretStr | None, Field(alias="sasl.password")] = None
    ssl_ca: Annotated[str | None, Field(alias="ssl.ca.location")] = None
    ssl_certificate: Annotated[str | None, Field(alias="ssl.certificate.location")] = None
    ssl_key: Annotated[str | None, Field(alias="ssl.key.location")] = None
    ssl_key_password: Annotated[SecretStr | None, Field(alias="ssl.key.password")] = None
    ssl_hostname: Annotated[
        Literal["https", "none"], Field(alias="ssl.endpoint.identification.algorithm")
    ] = "https"
    group_protocol: Annotated[Literal["classic", "consumer"], Field(alias="group.protocol")] = "classic"
    session_timeout_ms: Annotated[int, Field(alias="session.timeout.ms", ge=1)] = 45_000
    replication: Annotated[int, Field(alias="replication.factor", ge=-1)] = -1
    timeout: Annotated[float, Field(gt=0)] = 15.0  # seconds until a broker that does not answer is away
    client: Literal["auto", "confluent", "python"] = "auto"

    @property
    def uses_sasl(self) -> bool:
        """Whether a user logs in."""
        return self.security_protocol.startswith("SASL")

    @property
    def uses_tls(self) -> bool:
        """Whether the connection is encrypted."""
        return self.security_protocol.endswith("SSL")

    def for_kafka_python(self) -> dict[str, Any]:
        """Return the options as kafka-python names them."""
        given: dict[str, Any] = {
            "security_protocol": self.security_protocol,
            "bootstrap_timeout_ms": int(self.timeout * 1000),
            "request_timeout_ms": int(max(self.timeout, 10) * 1000),
        }
        if self.uses_sasl:
            given |= {
                "sasl_mechanism": self.sasl_mechanism,
                "sasl_plain_username": self.sasl_username,
                "sasl_plain_password": _hidden(self.sasl_password),
            }
        if self.uses_tls:
            given |= {
                "ssl_check_hostname": self.ssl_hostname == "https",
                "ssl_cafile": self.ssl_ca,
                "ssl_certfile": self.ssl_certificate,
                "ssl_keyfile": self.ssl_key,
                "ssl_password": _hidden(self.ssl_key_password),
            }
        return given

    def for_confluent(self) -> dict[str, Any]:
        """Return the options of a consumer as confluent-kafka names them."""
        given: dict[str, Any] = {
            "security.protocol": self.security_protocol,
            "group.protocol": self.group_protocol,
            "queued.max.messages.kbytes": _KEPT,
            "fetch.queue.backoff.ms": 10,
            "fetch.wait.max.ms": 100,
            "log_level": 2,  # what fails is told to the consumer, which says it once
        }
        if self.group_protocol == "classic":  # in the other one the broker decides
            given |= {
                "session.timeout.ms": self.session_timeout_ms,
                "heartbeat.interval.ms": self.heartbeat_ms,
                "partition.assignment.strategy": "range",
            }
        if self.uses_sasl:
            given |= {
                "sasl.mechanism": self.sasl_mechanism,
                "sasl.username": self.sasl_username or "",
                "sasl.password": _hidden(self.sasl_password) or "",
            }
        if self.uses_tls:
            files = {
                "ssl.ca.location": self.ssl_ca,
                "ssl.certificate.location": self.ssl_certificate,
                "ssl.key.location": self.ssl_key,
                "ssl.key.password": _hidden(self.ssl_key_password),
                "ssl.endpoint.identification.algorithm": self.ssl_hostname,
            }
            given |= {name: value for name, value in files.items() if value is not None}
        return given

    @property
    def heartbeat_ms(self) -> int:
        """How often a member of a group says that it lives."""
        return min(3000, self.session_timeout_ms // 3)


def parse_options(query: str, given: Mapping[str, Any]) -> KafkaOptions:
    """Read the options of a URL's query and of the settings, which count more.

    Raise UsageError for an option that is unknown or impossible, and for a secret in the query: a URL is
    shown and logged.
    """
    asked = dict(parse_qsl(query, keep_blank_values=True))
    for name in _SECRETS:
        if name in asked:
            raise UsageError(
                f"The stream's URL holds {name!r}, which would be shown with it.",
                hint=f"Put it under `stream_options` in the settings, or into "
                f"REPLAYLAKE_STREAM_OPTIONS='{{\"{name}\": ...}}'.",
            )
    try:
        return _with_files(KafkaOptions.model_validate({**asked, **given}))
    except ValidationError as exc:
        problem = exc.errors(include_url=False, include_input=False)[0]
        name = str(problem["loc"][0])
        known = sorted(field.alias or key for key, field in KafkaOptions.model_fields.items())
        if name not in known:
            raise UsageError(
                f"There is no option {name!r} of a Kafka stream.", hint=f"There are: {', '.join(known)}."
            ) from None
        raise UsageError(
            f"The option {name!r} of the Kafka stream is not possible: {problem['msg']}.",
            hint="Mend it in the stream's URL or in `stream_options`; its value is not shown here.",
        ) from None


def _with_files(options: KafkaOptions) -> KafkaOptions:
    """Raise UsageError for a file of a certificate that is not there: the clients try again and again."""
    for name in ("ssl_ca", "ssl_certificate", "ssl_key"):
        path = getattr(options, name)
        if path is not None and not Path(path).is_file():
            raise UsageError(
                f"There is no file {path!r}, which {KafkaOptions.model_fields[name].alias} names.",
                hint="Mend it in the stream's URL or in `stream_options`.",
            )
    return options


class _Secret(str):
    """A text for a client to use, which shows itself to nobody: clients log what they were given."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'**********'"


def _hidden(secret: SecretStr | None) -> _Secret | None:
    return None if secret is None else _Secret(secret.get_secret_value())
