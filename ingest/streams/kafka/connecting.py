"""Open one of kafka-python's clients: what stands in the way is said, and what is secret is not.

While a client looks for a first broker, kafka-python only logs why each attempt failed, and at DEBUG it logs
what it sends, passwords too. So the one is listened to, and the other kept from the log.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from kafka.errors import KafkaError, KafkaTimeoutError

from ingest.streams.kafka.failures import one_line, translation
from ingest.streams.kafka.options import KafkaOptions
from schemas.errors import StreamAwayError, StreamError

_NOBODY = ("ECONNREFUSED", "DNS")  # signs that no broker was reached at all
_TELLS_WHY = "kafka.net.manager"
_TELLS_BYTES = ("kafka.protocol.parser", "kafka.net.connection", "kafka.net.transport")


@contextmanager
def connecting(servers: str, options: KafkaOptions) -> Iterator[None]:
    """Translate what goes wrong while a client is made, with the reason why no broker took it."""
    for name in _TELLS_BYTES:
        logging.getLogger(name).addFilter(_without_bytes)  # a second time it does nothing
    heard = _Attempts()
    logger = logging.getLogger(_TELLS_WHY)
    logger.addHandler(heard)
    try:
        yield
    except KafkaTimeoutError as exc:
        raise _no_broker(servers, options, heard.failures) from exc
    except KafkaError as exc:
        raise translation(exc, servers) from exc
    finally:
        logger.removeHandler(heard)


def _without_bytes(record: logging.LogRecord) -> bool:
    return record.levelno > logging.DEBUG


class _Attempts(logging.Handler):
    """Note the failures of attempts to reach a first broker."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.failures: list[BaseException] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Note the exception that is logged with an attempt."""
        if isinstance(record.args, tuple):
            said = [one for one in record.args if isinstance(one, BaseException)]
            self.failures += [one for one in said if not isinstance(one, KafkaTimeoutError)]


def _no_broker(servers: str, options: KafkaOptions, failures: list[BaseException]) -> StreamError:
    said = list(dict.fromkeys(one_line(failure) for failure in failures))
    reached = bool(said) and not any(sign in one for one in said for sign in _NOBODY)
    if options.uses_sasl and reached:  # a broker that does not like a password hangs up
        return StreamError(
            f"Kafka at {servers} refused the log-in of {options.sasl_username!r} or hung up: {said[0]}.",
            hint="Look at sasl.mechanism, sasl.username and sasl.password in `stream_options`.",
        )
    if options.uses_tls and reached:
        return StreamError(
            f"Kafka at {servers} and we did not agree on TLS: {said[0]}.",
            hint="Look at ssl.ca.location, ssl.certificate.location and ssl.key.location.",
        )
    why = f": {said[-1]}" if said else f" in {options.timeout:g} s"
    return StreamAwayError(
        f"No broker answers at {servers}{why}.",
        hint="Is it running, and is security.protocol the one of its listener?",
    )
