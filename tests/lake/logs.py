"""Logs of a few episodes with everything that happens to episodes, for property tests."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st


@st.composite
def logs(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Draw steps of a few episodes, with gaps, repeats and every kind of end, in any order of landing."""
    places = draw(
        st.lists(
            st.tuples(
                st.sampled_from(["s", "t"]),
                st.sampled_from(["a", "b"]),
                st.sampled_from(["e", "f", None]),
                st.none() | st.integers(0, 6),
            ),
            min_size=1,
            max_size=14,
        )
    )
    run = draw(st.integers(0, 8))  # and one episode without a gap
    places += [("s", "a", "long", step) for step in range(run)]
    log = []
    for number, (source, agent, episode, step) in enumerate(places):
        unkeyed = episode is None or step is None
        log.append(
            {
                "event_id": f"i{number}" if unkeyed or draw(st.booleans()) else None,
                "source": source,
                "agent_id": agent,
                "episode_id": episode,
                "step": step,
                "observation": [float(number)],
                "action": number % 2,
                "reward": draw(st.none() | st.just(float(number))),
                "next_observation": draw(st.none() | st.just([number + 0.5])),
                "terminated": draw(st.sampled_from([False, False, True])),
                "truncated": draw(st.sampled_from([False, False, True])),
            }
        )
    keys = {
        tuple(held[name] for name in ("event_id", "source", "agent_id", "episode_id", "step")) for held in log
    }
    if len(keys) < len(log):  # rows of one key have no order; an archive that was gated has none
        log = [{**held, "event_id": f"i{number}"} for number, held in enumerate(log)]
    return draw(st.permutations(log))
