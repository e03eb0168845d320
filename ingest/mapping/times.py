"""Times as records write them: ISO 8601, an epoch, or a format of their own, with or without a zone.

A time without a zone is one of the zone that the mapping names. Where the clock of that zone was put
forward it may name no moment, and where it was put back two: such a time is refused.
"""

from __future__ import annotations

import zoneinfo
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from ingest.mapping.values import LOCAL_TYPE, MOMENT_TYPE
from schemas.errors import UsageError
from schemas.step import TIMESTAMP

EPOCHS = {"epoch_s": 1_000_000, "epoch_ms": 1_000, "epoch_us": 1}
_EPOCH = datetime(1970, 1, 1)
_SAMPLE = datetime(2026, 1, 31, 12, 30, 45, tzinfo=UTC)
# What Python and SQL can show: the years 1 to 9999, in microseconds.
_EARLIEST = (datetime.min - _EPOCH) // timedelta(microseconds=1)
_LATEST = (datetime.max - _EPOCH) // timedelta(microseconds=1)
_HAS_ZONE = r"(?:[Zz]|[+-]\d{2}(?::?\d{2})?)$"
_BEYOND_MICROS = r"(\.\d{6})\d+"


@dataclass(frozen=True, slots=True)
class Clock:
    """Say how times are written: `iso`, an epoch or a format, and the zone of those that name none."""

    form: str = "iso"
    zone: str | None = None

    def __post_init__(self) -> None:
        """Raise UsageError for what cannot be, with what can."""
        if self.zone is not None:
            try:
                zoneinfo.ZoneInfo(self.zone)
            except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as exc:
                raise UsageError(
                    f"There is no time zone {self.zone!r}.", hint="Write it as Europe/Berlin or UTC."
                ) from exc
        if self.form != "iso" and self.form not in EPOCHS and "%" not in self.form:
            raise UsageError(
                f"The form of time {self.form!r} is none.",
                hint=f"There are iso, {', '.join(EPOCHS)}, and formats such as %d/%m/%Y %H:%M:%S.",
            )
        if self.form in EPOCHS and self.zone is not None:
            raise UsageError(
                f"{self.form} counts from a moment, and takes no zone.", hint="Leave `zone` out."
            )
        if "%" in self.form:
            self._check_format()

    def _check_format(self) -> None:
        if "%z" not in self.form and self.zone is None:
            raise UsageError(
                f"The format {self.form!r} names no zone.", hint="Give one beside it, such as zone: UTC."
            )
        moment = pl.Series([_SAMPLE], dtype=MOMENT_TYPE)
        try:
            sample = moment.dt.strftime(self.form)
            read = sample.str.to_datetime(self.form, time_unit="us", strict=False)
            day = read[0]
        except pl.exceptions.PolarsError:
            day = None
        if day is None or day.date() != _SAMPLE.date():
            raise UsageError(
                f"The format {self.form!r} names no day, or is none.",
                hint="Write it as in Polars, such as %d/%m/%Y %H:%M:%S, and %z for the zone.",
            )

    @property
    def wanted(self) -> str:
        """What is expected, for people."""
        if self.form in EPOCHS:
            return f"a time in {self.form}"
        if self.form != "iso":
            return f"a time as {self.form}"
        return "a time as ISO 8601" + ("" if self.zone else " with its zone")

    def from_numbers(self, numbers: pl.Series) -> pl.Series:
        """Read counts of an epoch; null for what is no moment of the years 1 to 9999."""
        micros = EPOCHS.get(self.form)
        if micros is None:
            return _nothing(len(numbers))
        if numbers.dtype.is_integer():
            bound = _LATEST // micros
            inside = numbers.is_between(-bound, bound)
            counted = _where(numbers, inside) * micros
        else:
            scaled = numbers * float(micros)
            inside = numbers.is_finite() & scaled.is_between(float(_EARLIEST), float(_LATEST))
            counted = _where(scaled, inside).round().cast(pl.Int64, strict=False)
        return _where(counted, counted.is_between(_EARLIEST, _LATEST)).cast(MOMENT_TYPE)

    def from_texts(self, texts: pl.Series) -> pl.Series:
        """Read texts; null for what is no time of this form."""
        if self.form in EPOCHS:
            return self._from_digits(texts)
        if self.form == "iso":
            return self._from_iso(texts)
        found = texts.str.to_datetime(self.form, time_unit="us", strict=False)
        return _within(found) if _knows_zone(found) else self.from_local(found)

    def _from_digits(self, texts: pl.Series) -> pl.Series:
        whole = texts.cast(pl.Int64, strict=False)
        rest = _where(texts, whole.is_null())
        found = self.from_numbers(whole)
        if rest.null_count() == len(rest):
            return found
        return found.zip_with(whole.is_not_null(), self.from_numbers(rest.cast(pl.Float64, strict=False)))

    def _from_iso(self, texts: pl.Series) -> pl.Series:
        texts = texts.str.replace(_BEYOND_MICROS, "$1")
        zoned = texts.str.contains(_HAS_ZONE)
        if zoned.all(ignore_nulls=True):
            return _arrow_times(texts, TIMESTAMP)
        local = self.from_local(_arrow_times(_where(texts, ~zoned), pa.timestamp("us")))
        return (
            local
            if not zoned.any()
            else _arrow_times(_where(texts, zoned), TIMESTAMP).zip_with(zoned.fill_null(False), local)
        )

    def from_moments(self, times: pl.Series) -> pl.Series:
        """Take times that know their zone; null for what Python and SQL cannot show."""
        return _within(times)

    def from_local(self, times: pl.Series) -> pl.Series:
        """Take times without a zone to be of the mapping's; null where they are no one moment there."""
        if self.zone is None:
            return _nothing(len(times))
        placed = times.dt.replace_time_zone(self.zone, ambiguous="null", non_existent="null")
        return _within(placed.dt.convert_time_zone("UTC"))


def _arrow_times(texts: pl.Series, type_: pa.DataType) -> pl.Series:
    """Read texts by Arrow's parser, and those that it refuses one by one by Python's."""
    array = texts.to_arrow().cast(pa.string())
    ticks = np.zeros(len(array), np.int64)
    bad = np.asarray(array.is_null())
    _read_times(array, type_, ticks, bad, 0)
    held = MOMENT_TYPE if type_.tz else LOCAL_TYPE
    return _within(pl.Series(ticks).set(pl.Series(bad), None).cast(held))


def _read_times(
    array: pa.Array, type_: pa.DataType, ticks: NDArray[np.int64], bad: NDArray[np.bool_], start: int
) -> None:
    """Read what can be read at once; else halve down to the texts at fault."""
    end = start + len(array)
    if bad[start:end].all():
        return
    try:
        ticks[start:end] = array.cast(type_).view(pa.int64()).fill_null(0).to_numpy()
    except (pa.ArrowException, OverflowError):
        if len(array) == 1:
            moment = _python_time(array[0].as_py(), type_.tz is not None)
            bad[start] = moment is None
            ticks[start] = moment or 0
            return
        half = len(array) // 2
        _read_times(array[:half], type_, ticks, bad, start)
        _read_times(array[half:], type_, ticks, bad, start + half)


def _python_time(text: str, zoned: bool) -> int | None:
    try:
        time = datetime.fromisoformat(text)
        if (time.tzinfo is not None) != zoned:
            return None
        plain = time.astimezone(UTC).replace(tzinfo=None) if zoned else time
    except (ValueError, OverflowError):
        return None
    return (plain - _EPOCH) // timedelta(microseconds=1)


def _knows_zone(times: pl.Series) -> bool:
    return getattr(times.dtype, "time_zone", None) is not None


def _where(values: pl.Series, mask: pl.Series) -> pl.Series:
    """Keep the values where the mask is true, null elsewhere."""
    return values if mask.all(ignore_nulls=False) else values.set(~mask.fill_null(False), None)


def _within(times: pl.Series) -> pl.Series:
    ticks = times.to_physical()
    inside = ticks.is_between(_EARLIEST, _LATEST)
    return times if inside.all(ignore_nulls=True) else _where(ticks, inside).cast(times.dtype)


def _nothing(length: int) -> pl.Series:
    return pl.Series([None], dtype=MOMENT_TYPE).new_from_index(0, length)
