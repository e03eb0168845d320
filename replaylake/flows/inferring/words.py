"""Words: what fields are called in the logs of others, by what they are for a step."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from replaylake.flows.inferring.fields import Field

# The likeliest name first.
WORDS: dict[str, tuple[str, ...]] = {
    role: tuple(words.split())
    for role, words in {
        "event_id": "event_id eventid message_id uuid guid record_id",
        "source": "source publisher",
        "agent_id": "agent_id agent player_id player",
        "episode_id": "episode_id episode ep episode_index episode_idx trajectory_id trajectory traj rollout "
        "session_id session game_id game match_id trial",
        "step": "step t turn timestep time_step step_index step_id tick frame_index frame",
        "action": "action actions act a move verb choice arm decision command control",
        "action_probability": "action_probability action_prob propensity propensity_score pscore "
        "probability prob p",
        "action_log_prob": "action_log_prob log_prob logprob logp log_probability",
        "action_mask": "action_mask mask legal_actions available_actions valid_actions",
        "reward": "reward rewards rew r payoff gain score",
        "terminated": "terminated terminal terminals is_terminal termination done dones end",
        "truncated": "truncated truncation timeout timeouts time_limit is_truncated",
        "event_time": "event_time timestamp ts time datetime at created_at when date occurred_at",
        "observation": "observation observations obs state states s features embedding context x",
        "next_observation": "next_observation next_observations next_obs next_state next_states new_obs "
        "new_state obs_next obs2 s_next sp next",
        "policy_version": "policy_version policy model_version policy_id",
        "user": "user_id user customer_id customer visitor_id visitor client_id uid",
        "kind": "kind event event_type event_name type name",
        "item": "impression_id impression request_id item_id item product_id product ad_id ad",
    }.items()
}


def plain_name(text: str) -> str:
    """Return a field's own name in lower case, with underscores: `$.session.userId` is user_id."""
    last = re.split(r"[.\[]", text)[-1] if text.startswith("$") else text
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", last.strip("\"']"))
    return re.sub(r"[^a-z0-9]+", "_", parted.lower()).strip("_")


def named(role: str, fields: Iterable[Field], used: Iterable[str] = ()) -> list[Field]:
    """Return the fields that are called as a role is, the likeliest first; also by the path above them."""
    words, taken = WORDS[role], set(used)
    ranked = [(_rank(field.name, words), field) for field in fields if field.name not in taken]
    return [field for rank, field in sorted(ranked, key=lambda pair: pair[0]) if rank < len(words)]


def _rank(name: str, words: Sequence[str]) -> int:
    found = [plain_name(name)]
    parts = [plain_name(part) for part in re.split(r"[.\[]", name)[1:]] if name.startswith("$") else []
    found += ["_".join(parts[-2:])] if len(parts) > 1 else []
    return min((words.index(one) for one in found if one in words), default=len(words))
