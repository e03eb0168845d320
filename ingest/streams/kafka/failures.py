"""From the clients' errors to ours, in one place."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from kafka import errors

from schemas.errors import NotFoundError, StreamAwayError, StreamError, UsageError

_AUTHENTICATION = (
    errors.SaslAuthenticationFailedError,
    errors.UnsupportedSaslMechanismError,
    errors.IllegalSaslStateError,
)


@contextmanager
def translated(servers: str) -> Iterator[None]:
    """Turn what kafka-python raises into the errors of replaylake, which say what to do."""
    try:
        yield
    except errors.KafkaError as exc:
        raise translation(exc, servers) from exc


def translation(exc: BaseException, servers: str) -> Exception:
    """Return our error for one of kafka-python's."""
    said = one_line(exc)
    if isinstance(exc, _AUTHENTICATION):
        return StreamError(
            f"Kafka at {servers} refused the log-in: {said}.",
            hint="Look at sasl.mechanism, sasl.username and sasl.password in `stream_options`.",
        )
    if isinstance(exc, errors.AuthorizationError):
        return StreamError(
            f"Kafka at {servers} does not allow this: {said}.",
            hint="Ask for the right on the topic and the group.",
        )
    if isinstance(exc, errors.UnknownTopicOrPartitionError):
        return NotFoundError("topic", said)
    if isinstance(exc, errors.InvalidTopicError | errors.InvalidPartitionsError):
        return UsageError(f"Kafka does not take the topic: {said}.")
    if isinstance(exc, errors.InvalidReplicationFactorError):
        return UsageError(
            f"Kafka cannot keep so many copies: {said}.", hint="Set replication.factor in `stream_options`."
        )
    if isinstance(exc, errors.MessageSizeTooLargeError):
        return StreamError(
            f"Kafka does not take a message of this size: {said}.",
            hint="Raise max.message.bytes of the topic, or send less at once.",
        )
    if isinstance(exc, errors.RetriableError | errors.UnknownBrokerIdError):
        return StreamAwayError(
            f"No broker answers at {servers}: {said}.",
            hint="Is it running, and is security.protocol the one of its listener?",
        )
    return StreamError(f"Kafka at {servers} failed: {said}.")


def one_line(exc: BaseException) -> str:
    """Return what an exception says, and its kind where it does not say that itself."""
    text = " ".join(str(exc).split()).rstrip(".")
    return (
        f"{type(exc).__name__}: {text}"
        if text and type(exc).__name__ not in text
        else text or type(exc).__name__
    )
