"""Train a policy from a snapshot of the lake, or from transitions at hand."""

from __future__ import annotations

from lake import Snapshot, read_transitions
from schemas.errors import UsageError
from schemas.spaces import Space
from schemas.transitions import Transitions
from training.algorithms import find_algorithm, make_config
from training.data.prepare import check_spaces, prepare
from training.devices import choose_device
from training.loop import Progress, run
from training.policy import Policy


def train(
    snapshot: Snapshot,
    *,
    algorithm: str = "cql",
    seed: int = 0,
    device: str = "auto",
    on_progress: Progress | None = None,
    **overrides: object,
) -> Policy:
    """Train on a snapshot; the overrides are settings of the algorithm, as its config names them.

    Raises UsageError for a setting, a name or a device that cannot be, before anything is read, and
    TrainingError for data that cannot be learned from, or a run that diverged.
    """
    make_config(find_algorithm(algorithm), overrides)
    choose_device(device)
    check_spaces(snapshot.spec.observation, snapshot.spec.action)
    return fit(
        read_transitions(snapshot),
        snapshot.spec.observation,
        snapshot.spec.action,
        snapshot_id=snapshot.id,
        algorithm=algorithm,
        seed=seed,
        device=device,
        on_progress=on_progress,
        **overrides,
    )


def fit(
    transitions: Transitions,
    observation_space: Space,
    action_space: Space,
    *,
    snapshot_id: str | None = None,
    algorithm: str = "cql",
    seed: int = 0,
    device: str = "auto",
    on_progress: Progress | None = None,
    **overrides: object,
) -> Policy:
    """Train on transitions that are at hand; what `train` does once it has read its snapshot."""
    if seed < 0:
        raise UsageError(f"The seed {seed} is not possible.", hint="Use a whole number from 0.")
    method = find_algorithm(algorithm)
    config = make_config(method, overrides)
    place = choose_device(device)
    box, discrete = check_spaces(observation_space, action_space)
    prepared = prepare(transitions, box, discrete, normalise=config.normalise_observations)
    trained = run(method, config, prepared, seed=seed, device=place, on_progress=on_progress)
    return Policy(
        algorithm=algorithm,
        config=config,
        observation_space=box,
        action_space=discrete,
        snapshot_id=snapshot_id,
        seed=seed,
        metrics=trained.metrics,
        normaliser=prepared.normaliser,
        weights=trained.weights,
    )
