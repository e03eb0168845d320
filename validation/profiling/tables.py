"""Rules on tables as a whole, which audits judge by and no gate."""

from __future__ import annotations

from collections.abc import Iterator

from schemas.archive_spec import ArchiveSpec
from schemas.spaces import Box, Scalar
from validation.expectation import Expectation
from validation.profiling.profile import EPISODE_KEY, Profile
from validation.profiling.wording import ENOUGH, expectation, figures_of

_ERRORS = 6.0  # standard errors of a mean between episodes,
_DRIFTS = 0.1  # and so many standard deviations, that a mean may move
_MOVES = 0.5  # of the distance from the 5% to the 95% quantile, that quantiles may move


def order_rules(spec: ArchiveSpec, profile: Profile) -> Iterator[Expectation]:
    """Propose what held in every episode: unique keys, times in order, observations that change."""
    if profile.has_unique_keys and profile.rows >= ENOUGH:
        yield expectation(
            "expect_compound_columns_to_be_unique",
            f"No two of {profile.rows} rows had the same key.",
            {"rows": profile.rows},
            column_list=[*EPISODE_KEY, "step"],
        )
    seconds = profile.seconds
    if seconds is not None and seconds.finite >= ENOUGH and seconds.least is not None and seconds.least >= 0:
        yield expectation(
            "expect_event_time_to_increase_within_episode",
            f"Of {seconds.finite} steps none happened before the one before it.",
            figures_of(seconds),
        )
    distances = list(profile.jumps.values()) if isinstance(spec.observation, Box) else []
    if distances and not profile.unchanged and min(one.finite for one in distances) >= ENOUGH:
        evidence = f"None of {distances[0].finite} steps left the observation as it was."
        yield expectation("expect_observation_to_change", evidence, {"rows": distances[0].finite})


def moment_rules(spec: ArchiveSpec, profile: Profile) -> Iterator[Expectation]:
    """Propose means and quantiles of rewards and extras, with room for how much episodes vary."""
    for column in ("reward", *spec.extras):
        figures, space = profile.numbers.get(column), spec.extras.get(column)
        if figures is None or figures.error is None or not figures.deviation or figures.mean is None:
            continue
        if isinstance(space, Scalar) and space.dtype == "timestamp":
            continue
        room = _ERRORS * figures.error + _DRIFTS * figures.deviation
        evidence = (
            f"The mean of {figures.finite} values of {profile.episodes} episodes was {figures.mean:.6g}, "
            f"give or take {figures.error:.3g}."
        )
        yield expectation(
            "expect_column_mean_to_be_between",
            evidence,
            {"mean": figures.mean, "error": figures.error, "deviation": figures.deviation},
            column=column,
            min_value=figures.mean - room,
            max_value=figures.mean + room,
        )
        quantiles = figures.quantiles or {}
        spread = _MOVES * (quantiles["0.95"] - quantiles["0.05"])
        if spread:
            wanted = {level: quantiles[level] for level in ("0.05", "0.5", "0.95")}
            yield expectation(
                "expect_column_quantile_values_to_be_between",
                f"They were {', '.join(f'{value:.6g} at {level}' for level, value in wanted.items())}.",
                {"quantiles": wanted},
                column=column,
                quantile_ranges={
                    "quantiles": [float(level) for level in wanted],
                    "value_ranges": [[value - spread, value + spread] for value in wanted.values()],
                },
            )
