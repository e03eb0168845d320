"""A lake's files under a prefix of an S3-compatible store, which must know conditional puts."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, BinaryIO, cast

import obstore
import pyarrow as pa
from obstore.exceptions import AlreadyExistsError, BaseError, NotFoundError
from obstore.store import S3Store as Bucket

from lake.stores.range_file import RangeFile
from lake.stores.store import REMOTE_HINT, StoredFile
from schemas.errors import StorageError, UsageError

_URL = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/([A-Za-z0-9!_.*'()/=-]*))?")
_OPTIONS = frozenset(
    {
        "endpoint",
        "region",
        "access_key_id",
        "secret_access_key",
        "session_token",
        "allow_http",
        "virtual_hosted_style_request",
        "skip_signature",
    }
)
_CODE = re.compile(r"<Code>(\w+)</Code>")
_MESSAGE = re.compile(r"<Message>([^<]*)</Message>")
_IN_MEMORY = 16 << 20  # of a file that is being written; what is longer waits on the disk
_RETRIES = {"max_retries": 8, "retry_timeout": timedelta(seconds=60)}


class S3Store:
    """Keep files under `s3://bucket/prefix`; see `Store`.

    Options are `endpoint`, `region`, `access_key_id`, `secret_access_key`, `session_token`, `allow_http`
    and so on; what is not given is taken from the environment's AWS_* variables.
    """

    is_remote = True

    def __init__(self, url: str, options: Mapping[str, str] | None = None) -> None:
        self._bucket_name, self._prefix = _parts(url)
        self._given = _checked(options or {})
        config = {f"aws_{name}": value for name, value in self._given.items() if name != "allow_http"}
        client = {"allow_http": True} if self._given.get("allow_http", "").lower() in ("true", "1") else {}
        with _storage_errors(f"open {url}"):
            self._bucket = Bucket(
                self._bucket_name,
                prefix=self._prefix or None,
                config=cast("Any", config),
                client_options=cast("Any", client or None),  # none of ours: those of AWS_* count
                retry_config=cast("Any", _RETRIES),
            )

    @property
    def url(self) -> str:
        """The bucket and the prefix."""
        return f"s3://{self._bucket_name}/{self._prefix}".rstrip("/")

    @property
    def options(self) -> Mapping[str, str]:
        """What the Delta library and Polars need to reach the bucket."""
        return {f"aws_{name}": value for name, value in self._given.items()}

    def below(self, folder: str) -> S3Store:
        """Return a folder of the store as a store of its own."""
        return S3Store(f"{self.url}/{folder}", self._given)

    def uri(self, name: str) -> str:
        """Return the URL of a file."""
        return f"{self.url}/{name}"

    def exists(self, name: str) -> bool:
        """Say whether a file is there."""
        try:
            self.look(name)
        except FileNotFoundError:
            return False
        return True

    def look(self, name: str) -> StoredFile:
        """Return a file's bytes and when it was written; raise FileNotFoundError where it is not there."""
        with self._asking("look at", name):
            found = obstore.head(self._bucket, name)
        return StoredFile(name, int(found["size"]), found["last_modified"])

    def read(self, name: str) -> bytes:
        """Return a file's bytes; raise FileNotFoundError where it is not there."""
        with self._asking("read", name):
            return obstore.get(self._bucket, name).bytes().to_bytes()

    def read_range(self, name: str, start: int, end: int) -> bytes:
        """Return the bytes of a file from one place to another."""
        with self._asking("read", name):
            return obstore.get_range(self._bucket, name, start=start, end=end).to_bytes()

    def open(self, name: str) -> pa.NativeFile:
        """Open a file to be read in parts; raise FileNotFoundError where it is not there."""
        return pa.PythonFile(RangeFile(self, name), mode="r")

    def write(self, name: str, data: bytes) -> None:
        """Write a file in place of what was there."""
        with self._asking("write", name):
            obstore.put(self._bucket, name, data)

    def write_once(self, name: str, data: bytes) -> bool:
        """Write a file unless it is there."""
        try:
            with self._asking("write", name):
                obstore.put(self._bucket, name, data, mode="create")
        except FileExistsError:
            return False
        return True

    @contextmanager
    def create(self, name: str) -> Iterator[BinaryIO]:
        """Open a new file to be written, which is sent once the block is left in peace."""
        with tempfile.SpooledTemporaryFile(_IN_MEMORY) as file:
            yield cast("BinaryIO", file)
            file.seek(0)
            with self._asking("write", name):
                obstore.put(self._bucket, name, cast("BinaryIO", file))

    def remove(self, name: str) -> None:
        """Remove a file; one that is not there is no error."""
        try:
            with self._asking("remove", name):
                obstore.delete(self._bucket, name)
        except FileNotFoundError:
            return

    def names(self, folder: str = "", suffix: str = "") -> list[str]:
        """Return the names of the files in a folder."""
        found = [str(entry["path"]) for entry in self._listed(folder)["objects"]]
        return sorted(path.rpartition("/")[2] for path in found if path.endswith(suffix))

    def folders(self, folder: str = "") -> list[str]:
        """Return the names of the folders in a folder."""
        return sorted(str(path).rpartition("/")[2] for path in self._listed(folder)["common_prefixes"])

    def files(self, folder: str = "") -> Iterator[StoredFile]:
        """Iterate over all files below a folder."""
        with self._asking("list", folder):
            for batch in obstore.list(self._bucket, folder or None):
                for entry in batch:
                    yield StoredFile(str(entry["path"]), int(entry["size"]), entry["last_modified"])

    def _listed(self, folder: str) -> Any:
        with self._asking("list", folder):
            return obstore.list_with_delimiter(self._bucket, folder or None)

    @contextmanager
    def _asking(self, verb: str, name: str) -> Iterator[None]:
        with _storage_errors(f"{verb} {self.uri(name)}"):
            try:
                yield
            except (NotFoundError, FileNotFoundError) as exc:
                code = _CODE.search(str(exc))
                if code is not None and code[1] != "NoSuchKey":  # no bucket, or nobody of that key
                    raise _refused(f"{verb} {self.uri(name)}", exc) from exc
                raise FileNotFoundError(self.uri(name)) from exc
            except AlreadyExistsError as exc:
                raise FileExistsError(self.uri(name)) from exc

    def __repr__(self) -> str:
        return f"S3Store({self.url!r})"  # and no options: they hold secrets


def _parts(url: str) -> tuple[str, str]:
    match = _URL.fullmatch(url.rstrip("/"))
    prefix = (match[2] or "") if match else ""
    if match is None or any(part in ("", ".", "..") for part in prefix.split("/") if prefix):
        raise UsageError(
            f"The place {url!r} is not s3://bucket/prefix.",
            hint="Use letters, digits and !_.*'()=- in the prefix, and / between its parts.",
        )
    return match[1], prefix


def _checked(options: Mapping[str, str]) -> dict[str, str]:
    """Return the options by their short names; the Delta library's, such as aws_region, are taken too."""
    found = {name.lower().removeprefix("aws_"): value for name, value in options.items()}
    unknown = found.keys() - _OPTIONS
    if unknown:
        raise UsageError(
            f"There is no option {sorted(unknown)[0]!r} for a lake on S3.",
            hint=f"The options are: {', '.join(sorted(_OPTIONS))}.",
        )
    return found


@contextmanager
def _storage_errors(what: str) -> Iterator[None]:
    """Translate what the store said into a StorageError; it is a long text, whose first line says it."""
    try:
        yield
    except BaseError as exc:
        raise _refused(what, exc) from exc


def _refused(what: str, exc: Exception) -> StorageError:
    text = str(exc)
    message = _MESSAGE.search(text)
    said = message[1] if message else text.partition("\n")[0]
    hint = REMOTE_HINT
    if "BadScheme" in text:
        said, hint = (
            "the endpoint is http://",
            "Say allow_http: true, or AWS_ALLOW_HTTP=true, if that is meant.",
        )
    elif "latest/api/token" in text:  # of a machine that has a role in the cloud
        said = "no keys were given, and this machine has none of its own"
        hint = "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or see docs/object-stores.md."
    elif "kind: Connect" in text:
        said = "no server answers there"
    return StorageError(f"Cannot {what}: {said.rstrip('.')}.", hint=hint)
