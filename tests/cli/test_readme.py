"""The README's tour, typed from its top in an empty folder: each command ends well and shows what it says."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.cli.command import ok

README = Path(__file__).parents[2] / "README.md"
BEGIN = "## Five minutes\n"

# What is not walked here, and why.
LEFT_OUT = {"Kafka": "it needs Java and a broker: tests/kafka walks this way"}
# What is made shorter here: nothing is shown of it, and learning takes a minute.
SHORTER = {
    "replaylake train": "updates=5",
    "replaylake evaluate": "--episodes 1",
    'algorithm="cql"': ", updates=5",
}

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_ID = re.compile(r"\b[a-z_]+-[0-9a-f]{12}\b")
_TIME = re.compile(r"\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\b")
_REST = "..."  # whatever comes there
_MOVING = re.compile(f"({_ID.pattern}|{_TIME.pattern}|{re.escape(_REST)})")


@dataclass(frozen=True)
class Command:
    """Hold one line after a dollar, and what the README shows below it."""

    line: str
    shown: str


def blocks() -> Iterator[tuple[str, str, str]]:
    """Yield the section, the language and the text of each fenced block of the tour."""
    for section in re.split(r"^## ", BEGIN + README.read_text().partition(BEGIN)[2], flags=re.MULTILINE)[1:]:
        name, _, text = section.partition("\n")
        if name not in LEFT_OUT:
            yield from ((name, *block) for block in _FENCE.findall(text))


def commands(block: str) -> Iterator[Command]:
    """Yield the commands of a console block."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        line, _, shown = part.partition("\n")
        yield Command(line, shown)


class Tour:
    """Type what the README says, in the folder of now; ids are what they turn out to be."""

    def __init__(self) -> None:
        self.ids: dict[str, str] = {}  # by those of the README

    def type(self, command: Command) -> None:
        line = _ID.sub(lambda found: self.ids.get(found[0], found[0]), command.line)
        words = shlex.split(line, comments=True)
        if words[0] == "cat":
            Path(words[1]).write_text(command.shown)
        elif words[0] == "replaylake":
            added = next((more for start, more in SHORTER.items() if line.startswith(start)), "")
            self.compare(command, ok(*words[1:], *shlex.split(added)).out)
        else:
            subprocess.run(["/bin/bash", "-ec", line], check=True)

    def compare(self, command: Command, found: str) -> None:
        """Compare what is shown but for ids, times, trailing blanks and what `...` stands for."""
        wanted, seen = _stripped(command.shown), _stripped(found)
        if not wanted:
            return
        names: list[str] = []
        match = re.fullmatch("".join(self._patterns(wanted, names)), seen, re.DOTALL)
        assert match, f"$ {command.line}\n--- the README shows\n{wanted}\n--- and it was\n{seen}"
        self.ids |= dict(zip(names, match.groups(), strict=True))

    def _patterns(self, wanted: str, names: list[str]) -> Iterator[str]:
        """Yield what each part of a text may be; a new id is a group, and its name is added to `names`."""
        for part in _MOVING.split(wanted):
            if part == _REST:
                yield ".*"
            elif _TIME.fullmatch(part):
                yield _TIME.pattern
            elif not _ID.fullmatch(part) or part in self.ids:
                yield re.escape(self.ids.get(part, part))
            elif part in names:
                yield f"(?:\\{names.index(part) + 1})"
            else:
                names.append(part)
                yield f"({_ID.pattern})"


def _stripped(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.rstrip().splitlines())


def test_the_tour_is_true(folder: Path) -> None:
    tour = Tour()
    walked = set()
    for section, language, text in blocks():
        if language == "python":
            exec(compile(_shorter(text), section, "exec"), {})  # noqa: S102
        elif text.startswith("$ "):
            for command in commands(text):
                tour.type(command)
        else:
            continue
        walked.add(section)
    assert walked >= {"Five minutes", "Logs of others", "From Python", "Rules of your own", "A lake to keep"}


def _shorter(code: str) -> str:
    for start, more in SHORTER.items():
        code = code.replace(start, start + more)
    return code
