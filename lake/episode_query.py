"""The SQL of episodes: what their steps say, and beside it what audits found."""

from __future__ import annotations

from lake.episodes import audited_schema
from lake.views import quoted
from schemas.episodes import EPISODE_KEY

_KEY = ", ".join(EPISODE_KEY)
_ENDING = "case when terminated then 'terminated' when truncated then 'truncated' end"
# What is told of the steps themselves, each by one aggregate; the other columns are the audits'.
_TOLD = {
    "date": "arg_min(date, coalesce(step, 9223372036854775807))",
    "rows": "count(*)",
    "length": "count(distinct step)",
    "first_step": "min(step)",
    "last_step": "max(step)",
    "episode_return": "coalesce(fsum(reward), 0)",
    "missing_rewards": "count(*) filter (step is not null and reward is null)",
    "missing_propensities": "count(*) filter (step is not null and action_log_prob is null)",
    # A last step that is there twice ends as the row says that says more, as audits have it.
    "ending": f"arg_max_null({_ENDING}, row(step, terminated, truncated)) filter (step is not null)",
    "started_at": "min(event_time)",
    "ended_at": "max(event_time)",
    "policy_versions": "list_sort(list(distinct policy_version) filter (policy_version is not null))",
    "flagged_rows": "count(*) filter (len(flags) > 0)",
    "quality_score": "avg(quality_score)",
}
_COMPLETE = (
    "told.first_step = 0 and told.rows = told.last_step + 1 and told.length = told.rows"
    ' and told.ending is not null and told."our ends" = 1'
)
# What only an audit says.
AUDITED_COLUMNS = tuple(
    name for name in audited_schema().names if name not in {*EPISODE_KEY, *_TOLD, "complete"}
)


def episodes_query(steps: str, audited: str) -> str:
    """Return a row for each episode in a view of steps, joined with what a view of audits says of it."""
    told = ", ".join(f"{text} as {quoted(name)}" for name, text in _TOLD.items())
    columns = ", ".join(_column(name) for name in audited_schema().names)
    return f"""
        select {columns}
        from (
            select {_KEY}, {told}, count(*) filter (terminated or truncated) as "our ends"
            from {steps} where episode_id is not null group by all
        ) as told
        left join {audited} as found using ({_KEY})
    """


def _column(name: str) -> str:
    if name == "complete":
        return f"coalesce({_COMPLETE}, false) as complete"
    if name in EPISODE_KEY:
        return f"told.{name}"
    if name == "policy_versions":
        return "coalesce(told.policy_versions, []) as policy_versions"
    return f"{'told' if name in _TOLD else 'found'}.{quoted(name)}"
