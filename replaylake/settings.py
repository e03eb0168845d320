"""Settings: flags over REPLAYLAKE_* over replaylake.yaml over defaults, through one model."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    YamlConfigSettingsSource,
)
from pydantic_settings.exceptions import SettingsError as SourceError

from schemas.errors import SettingsError
from schemas.validation_text import first_problem

CONFIG_VARIABLE = "REPLAYLAKE_CONFIG"
_PREFIX = "REPLAYLAKE_"
_DEFAULT_FILE = "replaylake.yaml"


def _as_text(value: Any) -> Any:
    """Take a number of a file for its text, as the environment has it."""
    return str(value) if isinstance(value, int | float) else value


_SECRET = ("lake_options", "stream_options")  # never shown with their values
_Option = Annotated[SecretStr, BeforeValidator(_as_text)]


class Settings(BaseSettings):
    """Hold every setting of the command and of the Python door."""

    model_config = SettingsConfigDict(env_prefix=_PREFIX, extra="forbid", frozen=True)

    lake: str = Field("./lake", description="the lake's folder, or s3://bucket/prefix")
    lake_options: dict[str, _Option] = Field({}, description="how to reach S3: see docs/object-stores.md")
    stream: str = Field("embedded:", description="the stream's URL; embedded: is in the lake's folder")
    stream_options: dict[str, _Option] = Field({}, description="how to reach Kafka: see docs/kafka.md")
    partitions: Annotated[int, Field(ge=1, le=1024)] = Field(4, description="partitions of a new topic")
    flush_rows: Annotated[int, Field(ge=1)] = Field(250_000, description="commit after so many rows")
    flush_bytes: Annotated[int, Field(ge=1)] = Field(16 << 20, description="commit after so many bytes")
    flush_seconds: Annotated[float, Field(gt=0)] = Field(5.0, description="commit after so many seconds")
    metrics_port: Annotated[int, Field(ge=0, le=65535)] | None = Field(
        None, description="serve Prometheus metrics at this port; without one nobody asks"
    )
    metrics_host: str = Field("127.0.0.1", description="the address to serve them at")
    device: str = Field("auto", description="where learners run: auto, cuda, mps or cpu")
    log_level: Literal["debug", "info", "warning", "error"] = Field("warning", description="what is logged")
    log_format: Literal["text", "json"] = Field("text", description="how it is logged")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the sources: flags, the environment, the file."""
        return (init_settings, env_settings, YamlConfigSettingsSource(settings_cls, yaml_file=config_file()))


@dataclass(frozen=True, slots=True)
class Setting:
    """Show one setting: its value, and where that came from."""

    name: str
    value: Any
    origin: str
    description: str


def revealed(options: Mapping[str, SecretStr]) -> dict[str, str]:
    """Return options with their secrets, for whoever connects by them."""
    return {name: value.get_secret_value() for name, value in options.items()}


def config_file() -> Path:
    """Return the settings file: REPLAYLAKE_CONFIG, or replaylake.yaml in the working folder."""
    return Path(os.environ.get(CONFIG_VARIABLE, _DEFAULT_FILE))


def load_settings(flags: Mapping[str, Any] | None = None) -> Settings:
    """Read the settings; flags that are None were not given. Raise SettingsError with value and mend."""
    if CONFIG_VARIABLE in os.environ and not config_file().is_file():
        raise SettingsError(
            f"There is no settings file {str(config_file())!r}.", hint=f"Mend or unset {CONFIG_VARIABLE}."
        )
    try:
        return Settings(**_given(flags))
    except ValidationError as exc:
        name = str(exc.errors(include_url=False)[0]["loc"][0])
        if name not in Settings.model_fields:
            raise SettingsError(
                f"There is no setting {name!r}, which the file {config_file()} has.",
                hint=f"The settings are: {', '.join(sorted(Settings.model_fields))}.",
            ) from exc
        raise SettingsError(
            f"A setting is not possible: {_problem(exc)}.",
            hint=f"Mend it where it comes from: {_origins(flags)[name]}.",
        ) from exc
    except SourceError as exc:
        variables = [f"{_PREFIX}{name.upper()}" for name in _SECRET]
        given = [name for name in variables if name in os.environ]
        raise SettingsError(
            f"The variable {' or '.join(given)} is no JSON.",
            hint=f'Write {given[0]}=\'{{"name": "value"}}\'.',
        ) from exc
    except (yaml.YAMLError, ValueError, OSError) as exc:
        problem = str(exc).replace("\n", " ")
        raise SettingsError(
            f"The settings file {config_file()} does not read: {problem}.",
            hint="Write it as YAML, one `name: value` a line.",
        ) from exc


def _problem(exc: ValidationError) -> str:
    """Say what is wrong; of what may be secret, without its value."""
    first = exc.errors(include_url=False, include_input=False)[0]
    if first["loc"][0] not in _SECRET:
        return first_problem(exc)
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']} (its value is not shown)"


def explain_settings(flags: Mapping[str, Any] | None = None) -> list[Setting]:
    """Return every setting with its value and where that came from."""
    settings = load_settings(flags)
    origins = _origins(flags)
    return [
        Setting(name, _shown(getattr(settings, name)), origins.get(name, "default"), field.description or "")
        for name, field in Settings.model_fields.items()
    ]


def _shown(value: Any) -> Any:
    """Return a value as it may be seen: of what may be secret, that it is there."""
    return {name: str(secret) for name, secret in value.items()} if isinstance(value, dict) else value


def _origins(flags: Mapping[str, Any] | None) -> dict[str, str]:
    """Say where each setting that has no default's value comes from."""
    origins = {name: f"file {config_file()}" for name in _in_file()}
    environment = EnvSettingsSource(Settings)()
    origins |= {name: f"environment {_PREFIX}{name.upper()}" for name in environment}
    origins |= {name: f"flag --{name.replace('_', '-')}" for name in _given(flags)}
    return origins


def _given(flags: Mapping[str, Any] | None) -> dict[str, Any]:
    return {name: value for name, value in (flags or {}).items() if value is not None}


def _in_file() -> dict[str, Any]:
    return YamlConfigSettingsSource(Settings, yaml_file=config_file())()
