"""SourceOptions: how the files or messages of an outside source are to be read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from schemas.errors import UsageError

Format = Literal["csv", "json", "ndjson", "parquet", "avro"]
Compression = Literal["none", "gzip", "zstd"]


class CsvOptions(BaseModel):
    """Describe a table of text. Every column is read as text; casts are the mapping's business."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    delimiter: str = ","
    quote: str | None = '"'  # doubled within a quoted value; null: no quoting
    header: bool = True  # the first record names the columns
    columns: tuple[str, ...] | None = None  # names that stand instead of the header's
    nulls: tuple[str, ...] = ()  # values that are read as null, such as "" or NA
    encoding: Literal["utf-8", "latin-1"] = "utf-8"

    @field_validator("delimiter", "quote")
    @classmethod
    def _is_one_sign(cls, sign: str | None) -> str | None:
        if sign is not None and (len(sign) != 1 or not sign.isascii() or sign in "\r\n\0"):
            raise ValueError("one ASCII character is expected, and no line's end")
        return sign

    @model_validator(mode="after")
    def _is_possible(self) -> CsvOptions:
        if self.delimiter == self.quote:
            raise ValueError("the delimiter and the quote are the same")
        if not self.header and self.columns is None:
            raise ValueError("a table without a header needs `columns`, their names in order")
        if self.columns is not None and len(set(self.columns)) != len(self.columns):
            raise ValueError("two columns have one name")
        return self


class SourceOptions(BaseModel):
    """Describe a source: the `source` section of a mapping. What is null is told by a file's name or bytes.

    In the messages of a topic `format` is json (an object, an array or lines of them) or avro.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=100)] | None = None  # a part of the records' ids
    format: Format | None = None
    compression: Compression | None = None
    csv: CsvOptions = CsvOptions()
    records: str | None = None  # JSONPath to the records, where one JSON document holds many
    avro_schema: Path | dict[str, Any] | None = None  # a file or the schema; object files bring theirs

    @field_validator("records")
    @classmethod
    def _is_a_path(cls, path: str | None) -> str | None:
        if path is not None:
            from jsonpath import JSONPathError, compile

            try:
                compile(path)
            except JSONPathError as exc:
                raise ValueError(f"it is no JSONPath: {str(exc).splitlines()[0]}") from exc
        return path

    def relative_to(self, folder: Path) -> SourceOptions:
        """Return the options with the schema's file, where it is a relative one, sought in the folder."""
        if not isinstance(self.avro_schema, Path):
            return self
        return self.model_copy(update={"avro_schema": folder / self.avro_schema})

    def as_format(self, format_: Format | None) -> SourceOptions:
        """Return the options with this format, where one is given."""
        return self if format_ is None else self.model_copy(update={"format": format_})


def check_readable(options: SourceOptions, what: str) -> None:
    """Raise UsageError for options that contradict each other for this source."""
    if options.records is not None and options.format not in (None, "json"):
        raise UsageError(
            f"{what}: `records` is a path within a JSON document, and the format is {options.format}.",
            hint="Leave `records` out, or say `format: json`.",
        )
