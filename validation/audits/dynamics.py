"""Dynamics: does the environment still do what it did in the reference? If not, which column is wrong."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from itertools import combinations

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from schemas.archive_spec import ArchiveSpec
from validation.audits.blame import NONE, Explanation, explain
from validation.audits.episode_errors import check_episode_errors
from validation.audits.finding import Finding
from validation.audits.forward_model import LEVELS, ForwardModel
from validation.audits.links import Links, continued_elsewhere, judge_links
from validation.audits.moves import Moves, is_countable
from validation.audits.shares import Share, compare
from validation.audits.trajectories import Mask, Numbers, Trajectories, any_leaf, same_leaves

_LEARNED_FROM = 40_000  # rows of the reference
_JUDGED = 200_000  # rows of the current data
_EXPLAINED = 80  # rows; the others are as they are
_SHOWN = 5
_MOST_SWAPPED = 10  # leaves whose pairs are tried
# How much commoner than in the reference errors above each of the model's levels must be, and by how much.
_GROWTH = ((1.35, 0.02), (3.0, 0.02), (3.0, 0.005))
_AUDIT = "dynamics"
_TEXTS = {
    "none": "what follows is not what the reference foretells, least of all {0}; no other value explains it",
    "unexpected": "{0} is not what follows from observation and action",
    "action": "what follows is not what this {0} does; another explains it",
    "sensor": "another value of {0} explains what came before and after",
    "either": "another value of {0}, or of {1}, explains what came before and after",
    "swapped": "{0} and {1} look swapped",
}


class Dynamics:
    """Know what follows from observation and action, learned once from clean experience.

    The reference must be of the same environment, and its policy must have been where a later one goes.
    """

    def __init__(self, reference: pa.Table | pl.DataFrame, spec: ArchiveSpec) -> None:
        """Learn; where the reference has too few rows, nothing is ever said."""
        self._spec = spec
        self._known = known = Trajectories.of(reference, spec, _LEARNED_FROM)
        self._model: ForwardModel | Moves | None = None
        if len(known) and known.names:
            self._model = Moves(known) if is_countable(known) else ForwardModel(known)

    def check(self, current: pa.Table | pl.DataFrame) -> list[Finding]:
        """Find rows that differ, where they are commoner than among what was not learned from.

        A column is named by what would mend the rows, not by where the error is largest.
        """
        held = Trajectories.of(current, self._spec, _JUDGED)
        if self._model is None or not len(held):
            return []
        known, held = self._known, same_leaves(self._known, held)
        links = judge_links(self._model, known, held)
        return [*_link_findings(known, held, links), *_row_findings(self._model, known, held, links)]


def check_dynamics(
    reference: pa.Table | pl.DataFrame, current: pa.Table | pl.DataFrame, spec: ArchiveSpec
) -> list[Finding]:
    """Learn from a reference, and find rows that differ; `Dynamics` learns once for many tables."""
    return Dynamics(reference, spec).check(current)


def _link_findings(known: Trajectories, held: Trajectories, links: Links) -> list[Finding]:
    found: list[Finding] = []
    for mask, prefix, check, said, mended, text in (
        (
            links.wrong_next,
            "next_",
            "wrong_next_observation",
            held.stated,
            links.rows.successor,
            "is not the observation of the following row",
        ),
        (
            links.wrong_observation,
            "",
            "wrong_observation",
            held.observation,
            links.rows.observation,
            "is not what the row before says comes next",
        ),
    ):
        rows = any_leaf(mask)
        if rows.sum() < 3:
            continue
        names = [f"{prefix}{name}" for name in held.names]
        for column in _wrong_leaves(mask, names, f"{prefix}observation", said, mended):
            here = rows if column not in names else mask[:, names.index(column)]
            found.append(
                _finding(held, check, column, here, f"{column} {text}, and the model sides with that")
            )
    told: Mask = any_leaf(links.wrong_next)
    told[:-1] |= any_leaf(links.wrong_observation[1:])
    elsewhere, keys = continued_elsewhere(held, told)
    usual, _ = continued_elsewhere(known)
    if compare(elsewhere, held.episode, usual, known.episode).stands_out(least=0.001):
        for key in sorted(set(keys.values())):
            here = np.isin(np.arange(len(held)), [row for row, name in keys.items() if name == key])
            text = f"rows go on where the {key} is another one"
            found.append(_finding(held, "continues_elsewhere", key, here, text))
    elif links.wrong_key.sum() >= 3:
        text = "rows are well in themselves and do not follow from those before them"
        found.append(_finding(held, "does_not_follow", "episode_id", links.wrong_key, text))
    return found


def _wrong_leaves(mask: Mask, names: list[str], column: str, said: Numbers, mended: Numbers) -> list[str]:
    """Name the elements that are wrong; where it is all of several, and they are not swapped, the column."""
    rows = any_leaf(mask)
    for one, other in combinations(range(min(len(names), _MOST_SWAPPED)), 2):
        crossed = (said[rows, one] == mended[rows, other]) & (said[rows, other] == mended[rows, one])
        if crossed.mean() > 0.5:
            return [names[one], names[other]]
    shares = mask[rows].mean(axis=0)
    wrong = [name for name, share in zip(names, shares, strict=True) if share > 0.1]
    together = mask[rows].mean(axis=1).mean()
    return [column] if len(names) > 1 and together > 0.8 else wrong


def _row_findings(
    model: ForwardModel | Moves, known: Trajectories, held: Trajectories, links: Links
) -> list[Finding]:
    scores = model.scores(links.rows)
    calm = ~links.wrong_key  # a row that does not belong there is told of already
    calm[:-1] &= ~links.wrong_key[1:]
    scores[~calm] = np.nan
    _forgive_the_unvisited(model, scores, held)
    shares = _shares(model, scores, known, held)
    if not shares:
        return check_episode_errors(model, known, held, scores)
    level = max(level for level, _, _ in shares)
    largest = [index for reached, index, _ in shares if reached == level]
    suspects = np.flatnonzero((scores[:, largest] > model.thresholds[level][largest]).any(axis=1))
    chosen = np.sort(np.random.default_rng(0).permutation(suspects)[:_EXPLAINED])
    blamed = _blamed(held, chosen, explain(model, held, links.rows, chosen, level))
    if level < len(LEVELS) - 1:
        return _faint(
            model, held, scores, shares, max(blamed, key=lambda one: len(blamed[one]), default=NONE)
        )
    scale = len(suspects) / len(chosen)
    found = []
    for explanation, rows in sorted(blamed.items(), key=lambda item: -len(item[1])):
        if len(rows) < max(3, 0.15 * len(chosen)):
            continue
        count = round(len(rows) * scale)
        found += _told(model, held, scores, explanation, np.array(rows), count)
    return _each_once(found)


def _blamed(
    held: Trajectories, chosen: NDArray[np.intp], said: list[Explanation]
) -> dict[Explanation, list[int]]:
    """Gather rows by what explains them."""
    blamed: dict[Explanation, list[int]] = defaultdict(list)
    spoiled = {
        int(held.episode[row])
        for row, explanation in zip(chosen, said, strict=True)
        if explanation.kind not in ("none", "unexpected")
    }
    for row, explanation in zip(chosen.tolist(), said, strict=True):
        # Where an episode ends hangs on where it is: a wrong sensor makes ends look wrong.
        if explanation.columns != ("terminated",) or int(held.episode[row]) not in spoiled:
            blamed[explanation].append(row)
    return blamed


def _told(
    model: ForwardModel | Moves,
    held: Trajectories,
    scores: Numbers,
    explanation: Explanation,
    rows: NDArray[np.int64],
    count: int,
) -> list[Finding]:
    columns = explanation.columns
    if explanation == NONE:
        columns = _worst(model, scores[rows])
    text = _TEXTS[explanation.kind].format(*columns)
    check = "changed_dynamics" if explanation == NONE else explanation.kind
    strength = np.nan_to_num(scores[rows]).max(axis=1)
    examples = held.examples(rows[np.argsort(-strength)[:_SHOWN]])
    return [
        Finding(
            _AUDIT,
            check,
            column,
            "critical",
            f"In {count} of {len(held)} rows {text}.",
            count,
            len(held),
            "rows",
            float(np.median(strength)),
            None,
            examples,
        )
        for column in columns
    ]


def _worst(model: ForwardModel | Moves, scores: Numbers) -> tuple[str, ...]:
    """Name the element that is the farthest from what was foretold, and a second that is mostly far off."""
    over = np.median(np.nan_to_num(scores / model.thresholds[-1]), axis=0)[: len(model.leaves)]
    order = np.argsort(-over, kind="stable")
    return tuple(
        model.leaves[index] for place, index in enumerate(order[:2]) if place == 0 or over[index] > 1
    )


def _faint(
    model: ForwardModel | Moves,
    held: Trajectories,
    scores: Numbers,
    shares: list[tuple[int, int, Share]],
    explanation: Explanation,
) -> list[Finding]:
    """Report errors that are only somewhat larger than usual, by what explains most of them.

    Where nothing does, it is by the target in which they are the plainest.
    """
    _, index, share = max(shares, key=lambda item: item[2].deviations)
    column = explanation.columns[0] if explanation.columns else model.targets[index]
    text = (
        f"Errors in what is foretold of {model.targets[index]} are larger than usual in {share.count} of"
        f" {share.total} rows ({share.value:.2%}, and {share.reference:.2%} in the reference)."
    )
    worst = np.argsort(-np.nan_to_num(scores[:, index]))[:_SHOWN]
    excess = round(share.count - share.reference * share.total)
    examples = held.examples(worst)
    return [
        Finding(
            _AUDIT,
            "larger_errors",
            column,
            "warning",
            text,
            excess,
            share.total,
            "rows",
            share.value,
            share.reference,
            examples,
        )
    ]


def _shares(
    model: ForwardModel | Moves, scores: Numbers, known: Trajectories, held: Trajectories
) -> list[tuple[int, int, Share]]:
    """Return where errors above a level are commoner than in the reference's own judged episodes."""
    out = []
    judged = known.episode[model.judged]
    for level in range(len(LEVELS)):
        factor, least = _GROWTH[level]
        for index in range(len(model.targets)):
            limit = model.thresholds[level][index]
            share = compare(scores[:, index] > limit, held.episode, model.held_out[:, index] > limit, judged)
            if share.stands_out(factor, least):
                out.append((level, index, share))
    return out


def _forgive_the_unvisited(model: ForwardModel | Moves, scores: Numbers, held: Trajectories) -> None:
    """Judge no rows a little outside of where the reference has been: there a model only guesses.

    Values far outside are judged: no policy gets that much farther from one snapshot to the next.
    """
    low, high = model.range
    width = high - low
    outside = np.maximum(low - held.observation, held.observation - high)
    with np.errstate(invalid="ignore", divide="ignore"):
        beyond = np.where(width > 0, outside / width, np.where(outside > 0, np.inf, -1.0))
    beyond = np.nan_to_num(beyond, nan=-1.0).max(axis=1)
    scores[(beyond > 0) & (beyond < 0.5)] = np.nan


def _finding(held: Trajectories, check: str, column: str, rows: Mask, text: str) -> Finding:
    count = int(rows.sum())
    examples = held.examples(np.flatnonzero(rows)[:_SHOWN])
    return Finding(
        _AUDIT, check, column, "critical", f"In {count} of {len(held)} rows {text}.", count, len(held),
        examples=examples,
    )  # fmt: skip


def _each_once(found: Iterable[Finding]) -> list[Finding]:
    """Keep the first finding of each column: the one with the most rows."""
    kept: dict[str | None, Finding] = {}
    for finding in found:
        kept.setdefault(finding.column, finding)
    return list(kept.values())
