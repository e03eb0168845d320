"""The SQL of the views: transitions, episodes as audits saw them, and the two of quarantine."""

from __future__ import annotations

from collections.abc import Sequence

from lake.replay_log import RESOLVED_FIELDS, ROW_IDENTITY
from schemas.episodes import EPISODE_KEY

_KEY = ", ".join(EPISODE_KEY)
# The names with a blank are ours alone: no extra column can have one.
_TURNS = f"""
    select *, {{whole}} as "is whole"
    from (
        select *,
            coalesce(episode_id is not null and lead(step) over turns = step + 1, false) as "is followed",
            if(episode_id is not null and lead(step) over turns = step + 1,
                lead(observation) over turns, null) as "following observation"
        from {{rows}}
        window turns as (
            partition by {_KEY} order by step nulls first, event_id nulls first
        )
    )
"""
# A row is a transition where its reward came and its end is known.
_WHOLE = """
    reward is not null and (terminated or next_observation is not null
        or (not truncated and "following observation" is not null))
"""
# Rows of some days, and all other rows of those of their episodes that are not whole there: which do not go
# from step 0 to an end, each step once. Where each row has its next observation, no other row is needed.
_WITH_THE_REST = f"""(
    select * from {{days}}
    union all by name
    select * from {{others}} semi join (
        select {_KEY} from {{days}}
        where episode_id is not null
        group by all
        having bool_or(next_observation is null) and (
            min(step) <> 0 or max(step) + 1 <> count(step) or not arg_max(terminated or truncated, step)
        )
    ) using ({_KEY})
)"""
# An audit of an episode that has grown adds a row; the newest says how the episode is now.
_AUDITED = f"""
    select {{shown}} from {{source}}
    qualify row_number() over (
        partition by {_KEY} order by audited_version desc, audited_at desc
    ) = 1
"""


def turns_query(rows: str) -> str:
    """Return all rows, and of each whether its next turn is there, and whether it is a transition."""
    return _TURNS.format(rows=rows, whole=_WHOLE)


def transitions_query(rows: str) -> str:
    """Return the view of transitions: each row that has a reward and an end or a next observation."""
    return f"""
        select * exclude ("is followed", "following observation", "is whole")
            replace (coalesce(next_observation, "following observation") as next_observation)
        from ({turns_query(rows)}) where "is whole"
    """


def days_and_the_rest(days: str, others: str) -> str:
    """Return the rows of some days, and what of other days their transitions need."""
    return _WITH_THE_REST.format(days=days, others=others)


def audited_query(shown: str, source: str) -> str:
    """Return the view of what the newest audits said of episodes."""
    return _AUDITED.format(shown=shown, source=source)


def quarantine_queries(shown: str, source: str, lists: str | None) -> dict[str, str]:
    """Return the view without the rows that replays have resolved, and the one that says of all how.

    `lists` reads the lists of these replays, where there are any.
    """
    said = ", ".join(field.name for field in RESOLVED_FIELDS)
    if lists is None:
        nothing = ", ".join(f"null::varchar as {field.name}" for field in RESOLVED_FIELDS)
        return {
            "quarantine": f"select {shown} from {source}",
            "quarantine_all": f"select {shown}, {nothing} from {source}",
        }
    listed = f"{lists} as listed using ({', '.join(ROW_IDENTITY)})"
    return {
        "quarantine": f"select {shown} from {source} as held anti join {listed}",
        "quarantine_all": f"select {shown}, {said} from {source} as held left join {listed}",
    }


def columns_shown(names: Sequence[str]) -> str:
    """Return what views select of a table's columns: all, and the propensity as a probability."""
    shown = ", ".join('"' + name.replace('"', '""') + '"' for name in names)
    return f"{shown}, exp(action_log_prob) as action_probability" if "action_log_prob" in names else shown
