"""Sensors that fail: what they read goes wrong in the observation and in the next one alike."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tests.faults.corpus.log import (
    Array,
    Fault,
    Log,
    Rng,
    Truth,
    an_element,
    joined,
    read_instead,
    readings,
    seen,
    some_episodes,
    starts,
)

Reading = Callable[[Array, Rng, float], Array]  # readings, rng, their spread over the log


def _in_episodes(reading: Reading) -> Callable[[Log, Rng, float], Truth]:
    """Let one sensor read otherwise in whole episodes."""

    def damage(log: Log, rng: Rng, share: float) -> Truth:
        element, chosen = an_element(log, rng), some_episodes(log, rng, share)
        for rows in chosen:
            values = reading(readings(log, rows, element), rng, log.spread(element))
            read_instead(log, rows, element, values)
        return Truth(joined(chosen), seen(element))

    return damage


def _in_moments(reading: Reading) -> Callable[[Log, Rng, float], Truth]:
    """Let one sensor read otherwise at single moments of any episode."""

    def damage(log: Log, rng: Rng, share: float) -> Truth:
        element, touched = an_element(log, rng), []
        spread = log.spread(element)
        for rows in log.episodes():
            held = readings(log, rows, element)
            hit = rng.random(len(held)) < share
            values = np.where(hit, reading(held, rng, spread), held)
            read_instead(log, rows, element, values)
            touched.append(rows[hit[:-1] | hit[1:]])
        return Truth(joined(touched), seen(element))

    return damage


def _frozen(log: Log, rng: Rng, share: float) -> Truth:
    element, touched = an_element(log, rng), []
    for rows, start in starts(some_episodes(log, rng, share, at_least=10), rng):
        values = readings(log, rows, element)
        values[start:] = values[start]
        read_instead(log, rows, element, values)
        touched.append(rows[start:])
    return Truth(joined(touched), seen(element))


def _swapped_wires(log: Log, rng: Rng, share: float) -> Truth:
    one, other = rng.choice(log.elements, 2, replace=False).tolist()
    chosen = joined(some_episodes(log, rng, share))
    for column in ("observation", "next_observation"):
        log[column][chosen[:, None], [one, other]] = log[column][chosen[:, None], [other, one]]
    return Truth(chosen, seen(one, other))


def _late(values: Array, rng: Rng, spread: float) -> Array:
    return np.concatenate([values[:1], values[:-1]])


def _coarse(values: Array, rng: Rng, spread: float) -> Array:
    grain = spread / 2
    return np.asarray(np.round(values / grain) * grain)


def _spikes(values: Array, rng: Rng, spread: float) -> Array:
    signs = rng.choice([-1, 1], len(values))
    return np.asarray(values + signs * spread * rng.uniform(6, 12, len(values)))


SENSOR_FAULTS = (
    Fault("sensor_frozen", "a sensor repeats its last reading until the episode ends", _frozen),
    Fault(
        "sensor_dropout", "a sensor reads 0 at single moments", _in_moments(lambda v, r, s: np.zeros_like(v))
    ),
    Fault(
        "sensor_dead", "a sensor reads 0 in whole episodes", _in_episodes(lambda v, r, s: np.zeros_like(v))
    ),
    Fault("sensor_spikes", "single readings are 6 to 12 standard deviations off", _in_moments(_spikes)),
    Fault("sensor_degrees", "a sensor is logged in degrees", _in_episodes(lambda v, r, s: np.rad2deg(v))),
    Fault("sensor_milli", "a sensor is logged in thousandths", _in_episodes(lambda v, r, s: v / 1000)),
    Fault("sensor_negated", "a sensor is mounted the other way round", _in_episodes(lambda v, r, s: -v)),
    Fault(
        "sensor_biased",
        "a sensor reads two standard deviations too much",
        _in_episodes(lambda v, r, s: v + 2 * s),
    ),
    Fault(
        "sensor_noisy",
        "a sensor has noise of half a standard deviation",
        _in_episodes(lambda v, r, s: v + r.normal(0, s / 2, len(v))),
    ),
    Fault("sensor_coarse", "a sensor reads in steps of half a standard deviation", _in_episodes(_coarse)),
    Fault("sensor_late", "a sensor is one step behind the others", _in_episodes(_late)),
    Fault("sensors_swapped", "two sensors are wired the wrong way round", _swapped_wires),
)
