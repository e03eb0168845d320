"""Our own functions: returns and advantages by episode, images, and bounds on what one call may make."""

from __future__ import annotations

from collections.abc import Container, Iterator

import duckdb

from lake.views import quoted
from schemas.episodes import EPISODE_KEY

_MOST = 65_536  # characters or elements that one call makes: it cannot be stopped before it is done
_KEY = ", ".join(EPISODE_KEY)
_ORDER = "step nulls first, event_id nulls first"
_BLOCK = 288.0  # exp(-288) is about 1e-125: what is two blocks ahead adds nothing to a double

# Names with a blank are ours alone. A run is rows that follow one another, numbered from the episode's end.
_RUNS = f"""(
    select *, count(*) filter (not coalesce("goes on", false)) over (
        partition by {_KEY} order by {_ORDER} rows between current row and unbounded following
    ) as "our run"
    from {{rows}}
)"""
# The sum of each row's "our value" and those after it in its run, each weighted by exp(-"our cost") of every
# row between. Weights are told from the beginning of a block: so they neither vanish nor grow without bound.
_SUMS = f"""(
    select *, exp("our way" - {_BLOCK} * "our block") * (
        sum("our share") over (
            partition by {_KEY}, "our run", "our block" order by "our place"
            rows between current row and unbounded following
        ) + exp(-{_BLOCK}) * coalesce(sum("our share") over (
            partition by {_KEY}, "our run" order by "our block" range between 1 following and 1 following
        ), 0)
    ) as "our sum"
    from (
        select *, floor("our way" / {_BLOCK}) as "our block",
            "our value" * exp({_BLOCK} * floor("our way" / {_BLOCK}) - "our way") as "our share"
        from (
            select *, coalesce(sum("our cost") over (
                partition by {_KEY}, "our run" order by "our place"
                rows between unbounded preceding and 1 preceding
            ), 0) as "our way"
            from (
                select *, row_number() over (partition by {_KEY}, "our run" order by {_ORDER}) as "our place"
                from {{runs}}
            )
        )
    )
)"""
_OURS = """exclude (
    "is followed", "following observation", "is whole", "goes on", "our run", "our value", "our cost",
    "our place", "our way", "our block", "our share", "our sum"
)"""
_GOES_ON = '"is followed" and not (terminated or truncated)'


def _cost(*factors: str) -> str:
    """Return how much a row lets the future fade: the negative logarithm of a product, each 0 to 1."""
    checks = " and ".join(f"{factor} between 0 and 1" for factor in factors)
    product = " * ".join([*(f"{factor}::double" for factor in factors), "coalesce(discount, 1)::double"])
    return (
        f"if({checks}, if({product} > 0, -ln({product}), 1000.0), "
        f"error('{' and '.join(factors)} must be from 0 to 1'))"
    )


def _returns(turns: str) -> str:
    cost = _cost("gamma")
    marked = f'(select *, {_GOES_ON} as "goes on", reward as "our value", {cost} as "our cost" from {turns})'
    sums = _SUMS.format(runs=_RUNS.format(rows=marked))
    rows = "rows between current row and unbounded following"
    run = f'(partition by {_KEY}, "our run" order by "our place" {rows})'
    return f"""
        select * {_OURS},
            if(count(reward) over {run} = count(*) over {run}, "our sum", null) as discounted_return,
            last_value(case when terminated then 'terminated' when truncated then 'truncated' end)
                over {run} as return_ends
        from {sums}
    """


def _advantages(turns: str) -> str:
    columns = "* exclude (our_baseline), discounted_return - our_baseline as advantage"
    based = f"(select *, baseline as our_baseline from {turns})"
    return f"select {columns} from ({_returns(based)})"


def _gae(turns: str) -> str:
    followed = f"""(
        select *, {_GOES_ON} as "goes there",
            (value)::double as "our now", (next_value)::double as "our given"
        from {turns}
    )"""
    errors = f"""(
        select *, reward + gamma::double * coalesce(discount, 1)::double * (case
                when terminated then 0
                when "goes there" then lead("our now") over turns
                else "our given" end) - "our now" as "our value",
            {_cost("gamma", "lambda_")} as "our cost"
        from {followed} window turns as (partition by {_KEY} order by {_ORDER})
    )"""
    marked = f"""(
        select *, "goes there" and lead("our value") over turns is not null as "goes on"
        from {errors} window turns as (partition by {_KEY} order by {_ORDER})
    )"""
    sums = _SUMS.format(runs=_RUNS.format(rows=marked))
    return f"""
        select * exclude ("goes there", "our now", "our given"),
            advantage + "our now" as value_target
        from (select * {_OURS}, if("our value" is null, null, "our sum") as advantage from {sums})
    """


def _n_step(turns: str) -> str:
    frame = f"""(
        partition by {_KEY}, "our run" order by "our place"
        rows between current row and if(n >= 1, n - 1, error('n is at least 1')) following
    )"""
    marked = f"""(
        select * replace (coalesce(next_observation, "following observation") as next_observation),
            {_GOES_ON} and lead("is whole") over turns as "goes on",
            reward as "our value", {_cost("gamma")} as "our cost"
        from {turns} window turns as (partition by {_KEY} order by {_ORDER})
    )"""
    placed = f"""(
        select *, coalesce(sum("our cost") over (
            partition by {_KEY}, "our run" order by "our place"
            rows between unbounded preceding and 1 preceding
        ), 0) as "our way"
        from (
            select *, row_number() over (partition by {_KEY}, "our run" order by {_ORDER}) as "our place"
            from {_RUNS.format(rows=marked)}
        )
        where "is whole"
    )"""
    ours = '"is followed", "following observation", "is whole", "goes on", "our run", "our value", "our cost"'
    return f"""
        select * exclude ({ours}, "our place", "our way", "our pairs", "our last"),
            list_sum(list_transform("our pairs", lambda pair: pair.reward * exp("our way" - pair.way)))
                as n_step_return,
            if("our last".terminated, 0, exp("our way" - "our last".way)) as bootstrap_discount,
        from (
            select *,
                list({{'reward': reward, 'way': "our way"}}) over frame as "our pairs",
                last_value({{'way': "our way" + "our cost", 'terminated': terminated}})
                    over frame as "our last",
                count(*) over frame as n_steps,
                last_value(next_observation) over frame as bootstrap_observation
            from {placed} window frame as {frame}
        )
    """


# What stands in FROM, below an archive's name: its parameters, and the SQL over the archive's turns.
_TABLES = {
    "returns": ("gamma := 1.0", _returns),
    "advantages": ("baseline, gamma := 1.0", _advantages),
    "gae": ("value, next_value := null, gamma := 0.99, lambda_ := 0.95", _gae),
    "n_step": ("n, gamma := 1.0", _n_step),
}
TABLE_FUNCTIONS = tuple(_TABLES)
_SCALARS = {
    "discounted_return": (
        "(rewards, gamma := 1.0)",
        "list_sum(list_transform(rewards, lambda reward, place: reward * gamma ** (place - 1)))",
    ),
    "image_value": (
        "(image, place)",
        "if(place >= 0, try_cast('0x' || hex(array_slice(image, place + 1, place + 1)) as int), null)",
    ),
}
FUNCTIONS = tuple(_SCALARS)
# In the place of the engine's own: parameters, how much a call makes, and the call.
_BOUNDED = (
    ("repeat", "value, times", "len(value) * times"),
    ("lpad", "value, size, sign", "size"),
    ("rpad", "value, size, sign", "size"),
    ("bitstring", "value, size", "size"),
    ("list_resize", "value, size", "size"),
    ("array_resize", "value, size", "size"),
    ("range", "stop", "stop"),
    ("range", "start, stop", "stop - start"),
    ("range", "start, stop, pace", ""),
    ("generate_series", "stop", "stop"),
    ("generate_series", "start, stop", "stop - start"),
    ("generate_series", "start, stop, pace", ""),
    ("replace", "value, part, other", "len(value) * (len(other) / greatest(len(part), 1) - 4)"),
    ("regexp_replace", "value, part, other", "len(value) * (len(other) - 4)"),
    ("regexp_replace", "value, part, other, options", "len(value) * (len(other) - 4)"),
)


def create_table_functions(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    """Create an archive's functions over its view of turns, in the archive's schema."""
    for function, (parameters, query) in _TABLES.items():
        text = query(f'{quoted(name)}."our turns"')
        connection.execute(f"create macro {quoted(name)}.{function}({parameters}) as table {text}")


def create_functions(connection: duckdb.DuckDBPyConnection, used: Container[str]) -> None:
    """Create what stands in expressions, as far as it is used."""
    for name, (parameters, text) in _SCALARS.items():
        if name in used:
            connection.execute(f"create macro {name}{parameters} as {text}")
    for name in dict.fromkeys(name for name, _, _ in _BOUNDED):
        if name in used:
            connection.execute(f"create macro {name} {', '.join(_bounded(name))}")


def _bounded(name: str) -> Iterator[str]:
    for own, parameters, size in _BOUNDED:
        if own == name:
            *others, last = parameters.split(", ")
            much = size or _spread(others[0], others[1], last)
            said = f"error('{name}() may make {_MOST} of them at most; in FROM there is range()')"
            # The check is in an argument: of a call with constants alone the engine would make both branches.
            given = ", ".join([*others, f"if({much} > {_MOST}, {said}, {last})"])
            yield f"({parameters}) as system.main.{name}({given})"


def _spread(start: str, stop: str, pace: str) -> str:
    """Return how many there are between two numbers; of times it is not known."""
    first, last, each = (f"try_cast({name}::varchar as double)" for name in (start, stop, pace))
    return f"abs(coalesce(({last} - {first}) / nullif({each}, 0), 0))"
