"""docker-compose.yml and the worker's Dockerfile say what exists. No engine runs them here."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from deploy.worker.slim_lock import slim
from replaylake.cli.app import app
from replaylake.settings import load_settings

ROOT = Path(__file__).parents[2]
COMPOSE = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
DOCKERFILE = (ROOT / "deploy/worker/Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE)["services"]


def instructions(name: str) -> list[str]:
    """Return what follows one of the Dockerfile's instructions, wherever it stands."""
    return re.findall(rf"^\s*{name} (.*)$", DOCKERFILE, re.MULTILINE)


def container_settings() -> dict[str, str]:
    """Return the settings that the worker's container has in its environment."""
    image = dict(re.findall(r"(\w+)=(\S+)", " ".join(instructions("ENV"))))
    given = image | SERVICES["worker"]["environment"]
    return {name: value for name, value in given.items() if name.startswith("REPLAYLAKE_")}


def test_the_four_services_are_there() -> None:
    assert set(SERVICES) == {"kafka", "s3", "postgres", "worker"}
    assert SERVICES["kafka"]["image"] == "apache/kafka:4.3.1"
    assert SERVICES["s3"]["image"] == "versity/versitygw:v1.8.0"
    assert SERVICES["postgres"]["image"].startswith("postgres:18.")


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_pinned_watched_and_seen_from_this_machine_only(name: str) -> None:
    service = SERVICES[name]
    assert re.search(r":v?\d+\.\d+(\.\d+)?$", service["image"])
    assert service["ports"] and all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert "healthcheck" in service or (name == "worker" and instructions("HEALTHCHECK"))


def test_what_is_kept_is_in_named_volumes() -> None:
    used = [volume.partition(":")[0] for service in SERVICES.values() for volume in service["volumes"]]
    assert sorted(used) == sorted(yaml.safe_load(COMPOSE)["volumes"])


def test_no_secret_stands_in_the_file() -> None:
    secrets = {
        name: value
        for service in SERVICES.values()
        for name, value in service.get("environment", {}).items()
        if re.search("PASSWORD|SECRET|ACCESS_KEY|TOKEN", name)
    }
    assert len(secrets) == 3
    assert all(re.fullmatch(r"\$\{\w+:\?[^}]+\}", value) for value in secrets.values())
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    assert all(
        re.search(rf"^(# )?{name}=", example, re.MULTILINE) for name in re.findall(r"\$\{(\w+)", COMPOSE)
    )
    assert ".env" in (ROOT / ".gitignore").read_text(encoding="utf-8").split()


def check_command(words: list[str]) -> None:
    """Parse a command of replaylake by the command's own rules, without running it."""
    command: Any = typer.main.get_command(app)
    with command.make_context("replaylake", list(words), resilient_parsing=True) as context:
        name, command, rest = command.resolve_command(context, list(words))
        while hasattr(command, "commands"):
            with command.make_context(name, list(rest), resilient_parsing=True) as inner:
                name, command, rest = command.resolve_command(inner, list(rest))
        command.make_context(name, list(rest)).close()


def test_the_commands_that_it_runs_exist() -> None:
    assert instructions("ENTRYPOINT") == ['["replaylake"]']
    check_command(SERVICES["worker"]["command"])
    check_command(yaml.safe_load(instructions("CMD")[-1]))
    said = re.findall(r"docker compose run --rm worker (.*)", COMPOSE)
    assert said
    for words in said:
        check_command(words.split())
    with pytest.raises(Exception, match="No such option"):
        check_command(["ingest", "--folow"])


def test_the_workers_settings_are_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in container_settings().items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    assert (settings.stream, settings.lake) == ("kafka://kafka:19092", "/lake")
    assert SERVICES["worker"]["volumes"] == [f"lake:{settings.lake}"]
    assert SERVICES["worker"]["ports"][0].endswith(f":{settings.metrics_port}")
    assert f":{settings.metrics_port}/metrics" in instructions("HEALTHCHECK")[0]
    assert "INTERNAL://kafka:19092" in SERVICES["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]


def test_the_image_is_built_of_the_lock_and_runs_as_nobody_special() -> None:
    assert instructions("USER") == ["worker"]
    assert DOCKERFILE.count("--require-hashes") == 2
    assert all(image.startswith("python:3.11-slim") for image in instructions("FROM"))
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    for words in instructions("COPY"):
        for source in words.split()[:-1]:
            if not source.startswith(("--", "/opt")):
                assert (ROOT / source).exists()
                assert any(line.startswith("!") and source.startswith(line[1:]) for line in ignored), source


def test_the_slim_lock_lacks_what_only_learners_need() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    names = [set(re.findall(r"^([A-Za-z0-9._-]+)==", text, re.MULTILINE)) for text in (lock, slim(lock))]
    gone = names[0] - names[1]
    assert {"torch", "ray", "triton"} <= gone
    assert all(name in ("torch", "ray", "triton") or name.startswith(("nvidia-", "cuda-")) for name in gone)
    assert set(slim(lock).splitlines()) <= set(lock.splitlines())
    assert not re.search(r"^\S.*\\\n(?!    --hash)", slim(lock), re.MULTILINE)
