"""How a verb is added to the command, with the flags that all of them have.

A flag of a setting may stand before the verb or after it; after it counts more.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, Final

import typer

from replaylake.cli.run import Run

_OUTER = "replaylake.flags"
_EVERYWHERE = ("lake", "log_level", "log_format")
_PANEL = "Common options"


def _flag(kind: type, help_: str, metavar: str, panel: str | None = None) -> Any:
    return Annotated[kind | None, typer.Option(help=help_, metavar=metavar, rich_help_panel=panel)]


# A flag for each setting, by its name. The settings' own checks say which values are possible.
FLAGS: Final[Mapping[str, Any]] = {
    "lake": _flag(str, "The lake's folder, or s3://bucket/prefix.", "FOLDER", _PANEL),
    "stream": _flag(str, "The stream's URL; embedded: is in the lake's folder.", "URL", _PANEL),
    "partitions": _flag(int, "Partitions of a topic that is made.", "N"),
    "flush_rows": _flag(int, "Commit after so many rows.", "N"),
    "flush_bytes": _flag(int, "Commit after so many bytes.", "N"),
    "flush_seconds": _flag(float, "Commit after so many seconds.", "S"),
    "metrics_port": _flag(int, "Serve Prometheus metrics at this port.", "PORT"),
    "metrics_host": _flag(str, "Serve them at this address.", "HOST"),
    "device": _flag(str, "Where to learn: auto, cuda, mps or cpu.", "NAME"),
    "log_level": _flag(str, "What is logged: debug, info, warning or error.", "LEVEL", _PANEL),
    "log_format": _flag(str, "How it is logged: text or json.", "FORM", _PANEL),
}
_JSON = Annotated[
    bool, typer.Option("--json", help="Print one JSON document, for machines.", rich_help_panel=_PANEL)
]


def add_verb(
    app: typer.Typer,
    function: Callable[..., None],
    *,
    example: str,
    name: str | None = None,
    settings: Iterable[str] = (),
) -> None:
    """Add a verb: `function(run, ...)`, where `run` is a `Run`, and the rest are typer's parameters.

    Its docstring is the help, and `example` stands below it, a command a line. `settings` names those, such
    as "stream", that the verb takes a flag for; `run.settings` holds them. Every verb has --json besides,
    and flags for the lake and the logs.
    """
    flags = (*settings, *_EVERYWHERE)

    def invoke(ctx: typer.Context, /, json: bool, **given: Any) -> None:
        own = {flag: given.pop(flag) for flag in flags}
        outer, outer_json = ctx.meta.get(_OUTER, ({}, False))
        function(Run({**outer, **_present(own)}, as_json=json or outer_json), **given)

    parameters = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
    command = app.command(name or function.__name__, help=_help(function), epilog=_epilog(example))
    command(_with_signature(invoke, parameters, flags))


def add_root(app: typer.Typer, function: Callable[..., None], *, example: str) -> None:
    """Add what may stand before the verb: the function's own options, and the common flags."""
    flags = ("lake", "stream", "log_level", "log_format")

    def invoke(ctx: typer.Context, /, json: bool, **given: Any) -> None:
        ctx.meta[_OUTER] = (_present({flag: given.pop(flag) for flag in flags}), json)

    parameters = list(inspect.signature(function, eval_str=True).parameters.values())
    callback = app.callback(help=_help(function), epilog=_epilog(example))
    callback(_with_signature(invoke, parameters, flags))


def _with_signature(
    function: Callable[..., None], parameters: Iterable[inspect.Parameter], flags: Iterable[str]
) -> Callable[..., None]:
    """Let typer see the parameters and the flags, which it reads off a function's signature."""
    keyword = inspect.Parameter.KEYWORD_ONLY
    seen = [
        inspect.Parameter("ctx", keyword, annotation=typer.Context),
        *(parameter.replace(kind=keyword) for parameter in parameters),
        *(inspect.Parameter(flag, keyword, default=None, annotation=FLAGS[flag]) for flag in flags),
        inspect.Parameter("json", keyword, default=False, annotation=_JSON),
    ]

    def adapted(**given: Any) -> None:
        function(given.pop("ctx"), **given)

    adapted.__signature__ = inspect.Signature(seen)  # type: ignore[attr-defined]
    adapted.__annotations__ = {parameter.name: parameter.annotation for parameter in seen}
    return adapted


def _present(flags: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in flags.items() if value is not None}


def _help(function: Callable[..., None]) -> str:
    """Return the docstring with each paragraph on one line: the terminal's width breaks it, not ours."""
    paragraphs = (inspect.getdoc(function) or "").split("\n\n")
    return _escaped("\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs))


def _epilog(example: str) -> str:
    lines = "\n".join(f"  {_escaped(line.strip())}" for line in example.strip().splitlines())
    return f"Example:\n{lines}"


def _escaped(text: str) -> str:
    """Keep rich from reading brackets as its markup."""
    return text.replace("[", "\\[")
