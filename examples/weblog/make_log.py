"""Write clicks.ndjson, a web shop's log as it came in; the seed is fixed.

A banner shows one of four products on each page that a visitor looks at. The shop draws it, and logs with
which probability. A click comes seconds or minutes after the view; lines are written in the order in which
they arrived, which is not the order in which things happened; and some of it is broken.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

SEED = 7
PRODUCTS = ("shoes", "coats", "books", "hats")
TASTES = ("sport", "winter", "reading")  # what a visitor was seen to like, each for one product
SHOWN = np.array([0.1, 0.7, 0.1, 0.1])  # how often the shop shows what: it believes in coats
START = datetime(2025, 6, 2, 8, tzinfo=UTC)
VISITORS, DAYS = 120, 4
OFF_SCALE = 1.5  # a probability that is none

Taste = np.ndarray[Any, np.dtype[np.float64]]


@dataclass
class View:
    """Hold a page with its banner, and the clicks on it that count."""

    impression: str
    at: datetime
    taste: Taste
    product: int
    propensity: float
    clicks: int = 0


@dataclass
class Visit:
    """Hold what one visitor did in one go."""

    visitor: str
    views: list[View] = field(default_factory=list)
    logged_out: bool = False


@dataclass
class Log:
    """Hold what happened, and the lines that tell of it, in the order of their arrival."""

    visits: list[Visit]
    lines: list[str]


def click_probability(taste: Taste) -> Taste:
    """Return how likely a click on each product is: this is what a learner is to find out."""
    liked = 0.03 + 0.65 * taste**2
    return np.array([*liked, 0.12])


def make_log(seed: int = SEED) -> Log:
    """Let visitors come for some days."""
    chance = np.random.default_rng(seed)
    arrivals: list[tuple[datetime, str]] = []
    visits = [
        _visit(
            chance, f"v{visitor:03}", START + timedelta(days=day, seconds=float(chance.uniform(0, 30_000)))
        )
        for day in range(DAYS)
        for visitor in range(VISITORS)
    ]
    for visit in visits:
        for at, event in _events(chance, visit):
            line = json.dumps(event)
            arrivals.append((at + timedelta(seconds=float(chance.uniform(0, 90))), line))
            if chance.random() < 0.005:  # a phone that is not sure sends again
                arrivals.append((at + timedelta(seconds=100), line))
    arrivals += _faults(visits)
    arrivals.sort()
    return Log(visits, [line for _, line in arrivals])


def _visit(chance: np.random.Generator, visitor: str, at: datetime) -> Visit:
    taste = chance.dirichlet([0.6] * len(TASTES))
    visit = Visit(visitor, logged_out=bool(chance.random() < 0.4))
    for number in range(int(chance.integers(2, 13))):
        product = int(chance.choice(len(PRODUCTS), p=SHOWN))
        impression = f"{visitor}-{at:%d}-{number}"
        view = View(impression, at, taste.round(3), product, float(SHOWN[product]))
        if chance.random() < click_probability(view.taste)[product]:
            view.clicks = 1
        visit.views.append(view)
        at += timedelta(seconds=float(chance.uniform(20, 240)))
    if chance.random() < 0.02:
        visit.views[0].propensity = OFF_SCALE
    return visit


def _events(chance: np.random.Generator, visit: Visit) -> Iterator[tuple[datetime, dict[str, Any]]]:
    """Yield the events of a visit, each with its time."""
    for view in visit.views:
        context = dict(zip(TASTES, view.taste.tolist(), strict=True))
        shown = {"banner": {"product": PRODUCTS[view.product], "probability": view.propensity}}
        yield _event("view", visit.visitor, view.impression, view.at, context | shown)
        if chance.random() < 0.2:
            moment = view.at + timedelta(seconds=5)
            yield _event("scroll", visit.visitor, view.impression, moment)
        if view.clicks:
            moment = view.at + timedelta(seconds=float(chance.uniform(2, 300)))
            yield _event("click", visit.visitor, view.impression, moment)
        elif chance.random() < 0.01:  # by a page that was left open: too late to be the banner's merit
            yield _event("click", visit.visitor, view.impression, view.at + timedelta(minutes=25))
    if visit.logged_out:
        moment = visit.views[-1].at + timedelta(seconds=15)
        yield _event("logout", visit.visitor, visit.views[-1].impression, moment)


def _event(
    kind: str, visitor: str, impression: str, at: datetime, rest: dict[str, Any] | None = None
) -> tuple[datetime, dict[str, Any]]:
    event = {"id": f"{kind}-{impression}", "type": kind, "visitor": visitor, "at": at.isoformat()}
    if kind in ("view", "click"):
        event["impression"] = impression
    return at, event | (rest or {})


def _faults(visits: list[Visit]) -> Iterator[tuple[datetime, str]]:
    """Yield lines that are wrong, beside the good ones: nothing of them may land."""
    for number, visit in enumerate(visits[: DAYS * VISITORS : 40]):
        at, event = _event("view", f"offline-{number}", f"offline-{number}", visit.views[0].at)
        event |= dict.fromkeys(TASTES, 0.5) | {"banner": {"product": "hats", "probability": 0.1}}
        yield at + timedelta(hours=3), json.dumps(event)  # a phone that had no network
        at, event = _event("wish", visit.visitor, f"wish-{number}", visit.views[0].at)
        if number % 3:
            yield at, json.dumps(event)  # nobody has said what this is
        else:
            yield at, json.dumps(event)[:40]  # cut short


def main() -> None:
    """Write the log."""
    log = make_log()
    Path("clicks.ndjson").write_text("\n".join(log.lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
