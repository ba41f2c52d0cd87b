"""Requests to object stores, with one client for each bucket in a process, by obstore.

Keys come from the environment, from a profile where boto3 is installed, or from the role of the
machine; they are never part of an address.
"""

from __future__ import annotations

import errno
import functools
import os
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from importlib.util import find_spec
from typing import IO, TYPE_CHECKING, Any, NamedTuple, TypeAlias, TypeVar

from labeling.errors import ConfigError, StoreError
from labeling.objects.ahead import interruptible
from labeling.objects.failures import endpoint_of_s3, failure, is_refused, reporting
from labeling.secrets import masked

if TYPE_CHECKING:
    from obstore import GetOptions
    from obstore.store import AzureStore, GCSStore, S3Store

    _Store: TypeAlias = AzureStore | GCSStore | S3Store

_Result = TypeVar("_Result")

_URL = re.compile(r"(s3|gs|az)://")

_FIRST: dict[str, Any] = {
    "client_options": {"connect_timeout": "4s", "timeout": "6s"},
    "retry_config": {"max_retries": 2, "retry_timeout": timedelta(seconds=6)},
}
"""Limits of the first request to a bucket: a mistake shows within 15 seconds."""

_LATER: dict[str, Any] = {
    # The limit of a whole request is so long that it ends no transfer which makes progress.
    "client_options": {"connect_timeout": "10s", "read_timeout": "60s", "timeout": "600s"},
    "retry_config": {"max_retries": 10, "retry_timeout": timedelta(seconds=150)},
}

MAX_KEY = 1024
"""Bytes of the name of an object."""

_used_by: list[int] = []
"""Process that has used a store: this one, or the one that it was forked from."""


class Facts(NamedTuple):
    """Size of an object in bytes, its version, and when it was written, in seconds since 1970."""

    n_bytes: int
    version: str
    modified: float


def is_address(text: str) -> bool:
    """Return whether a path is the address of an object, or of a folder of objects.

    Examples
    --------
    >>> [is_address(path) for path in ("s3://bucket/x", "gs://bucket", "data/x", "https://a.org/x")]
    [True, True, False, False]
    """
    return _URL.match(text) is not None


def facts_of(url: str) -> Facts:
    """Return the facts of an object.

    Raises
    ------
    FileNotFoundError
        If there is no such object.
    StoreError
        If the store fails.
    """
    _refuse_no_key(url)
    return _request(url, lambda store, key: _facts(store.head(key)))


def read_range(url: str, start: int, stop: int, version: str | None) -> tuple[bytes, Facts]:
    """Return the bytes of an object between two offsets, as many as there are, and its facts.

    Parameters
    ----------
    url
        The object.
    start, stop
        Offsets, which may be beyond the end.
    version
        Version that is read; None for any.

    Raises
    ------
    FileNotFoundError
        If there is no such object.
    StoreError
        If it has another version, or the store fails.
    """
    _refuse_no_key(url)
    options: GetOptions = {"range": (start, stop)}
    if version:
        options["if_match"] = version

    def get(store: _Store, key: str) -> tuple[bytes, Facts]:
        try:
            result = store.get(key, options=options)
            return bytes(result.bytes()), _facts(result.meta)
        except Exception as error:
            if "416 Range Not Satisfiable" not in str(error):
                raise
        return b"", _facts(store.head(key))

    return _request(url, get)


def list_objects(url: str) -> Iterator[tuple[str, Facts]]:
    """Yield the addresses of all objects below a folder, sorted, with their facts.

    Empty objects with the name of a folder, which consoles make, are left out.
    """

    def listed_below(store: _Store, key: str) -> list[tuple[str, Facts]]:
        return [(meta["path"], _facts(meta)) for batch in store.list(key) for meta in batch]

    listed = _request(url, listed_below)
    folders = {key[: sign.start()] for key, _ in listed for sign in re.finditer("/", key)}
    folders.add(_key(url))
    for key, facts in sorted(listed):
        if facts.n_bytes or key not in folders:
            yield f"{_bucket(url)}/{key}", facts


def is_folder(url: str) -> bool:
    """Return whether there is an object below an address."""

    def has_more(store: _Store, key: str) -> bool:
        batch = next(iter(store.list(key, chunk_size=2)), ())
        return any(meta["path"] != key for meta in batch)

    return _request(url, has_more)


def names_in(url: str, with_folders: bool = True) -> list[str]:
    """Return the names of the objects directly in a folder, and of the folders in it, sorted."""
    listed = _request(url, lambda store, key: store.list_with_delimiter(key))
    paths = {meta["path"] for meta in listed["objects"]}
    paths.update(listed["common_prefixes"] if with_folders else ())
    return sorted(path.rstrip("/").rpartition("/")[2] for path in paths - {_key(url)})


def write_object(url: str, content: IO[bytes]) -> None:
    """Write an object from an open file, in the place of any other."""
    _request(url, lambda store, key: store.put(key, content))


def remove_objects(url: str) -> None:
    """Remove an object and all below its address, as far as they are there."""

    def remove(store: _Store, key: str) -> None:
        for batch in store.list(key):
            store.delete([meta["path"] for meta in batch])
        with suppress(FileNotFoundError):  # an error of Google's and Azure's
            store.delete(key)

    _request(url, remove)


def _refuse_no_key(url: str) -> None:
    """Raise FileNotFoundError where no object can be: stores answer as if they had failed."""
    if not 0 < len(_key(url).encode()) <= MAX_KEY:
        raise FileNotFoundError(errno.ENOENT, "no such object", url)


def _request(url: str, call: Callable[[_Store, str], _Result]) -> _Result:
    """Return the result of a function of a client and a key; its failures are winnow's errors."""
    with reporting(url):
        store = _store(url)
        return interruptible(lambda: call(store, _key(url)))


def _facts(meta: Any) -> Facts:
    modified = meta["last_modified"].timestamp()
    return Facts(meta["size"], meta["e_tag"] or meta["version"] or str(modified), modified)


def _bucket(url: str) -> str:
    """Return the address of the bucket of an object, such as ``s3://bucket``."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}"


def _key(url: str) -> str:
    return url[len(_bucket(url)) + 1 :].rstrip("/")


def _store(url: str) -> _Store:
    """Return the client for a bucket, made at its first use in this process."""
    process = os.getpid()
    if not _used_by:
        _used_by.append(process)
    elif _used_by != [process]:  # a request would wait for threads that the fork did not copy
        raise StoreError(
            "an object store was used before this process was forked, and cannot be used in it",
            facts={"address": _bucket(url)},
            help="start worker processes with `spawn`, or before the first input is read",
        )
    return _client(_bucket(url))


@functools.cache
def _client(bucket: str) -> _Store:
    """Return a client for a bucket that a first request has reached."""
    if masked(bucket) != bucket or not bucket.partition("://")[2]:
        raise ConfigError(
            "the address of a bucket holds keys, or has no name",
            facts={"address": bucket},
            help="give keys in the environment, as docs/how-to/object-stores.md shows",
        )
    try:
        import obstore
    except ImportError as error:
        raise ConfigError(
            f"reading {bucket} needs the package obstore",
            facts={"cause": error},
            help="install it with: pip install 'winnow[objects]'",
        ) from error
    try:
        interruptible(lambda: next(iter(_made(bucket, _FIRST).list(".winnow")), None))
    except (obstore.exceptions.BaseError, OSError) as error:
        if not is_refused(error):  # objects can be read where they cannot be listed
            raise failure(bucket, error) from None
    return _made(bucket, _LATER)


def _made(bucket: str, limits: dict[str, Any]) -> _Store:
    """Return a client with some limits."""
    from obstore.store import AzureStore, GCSStore, S3Store

    scheme, _, name = bucket.partition("://")
    if scheme == "gs":
        return GCSStore(name, **limits)
    if scheme == "az":
        return AzureStore(name, **limits)
    endpoint, options = endpoint_of_s3(), dict(limits)
    if endpoint:
        http = {"allow_http": endpoint.startswith("http://")}
        options |= {"endpoint": endpoint, "client_options": limits["client_options"] | http}
    return S3Store(name, credential_provider=_profile(), **options)


def _profile() -> Any:
    """Return what gives the keys of a profile, where boto3 is installed and finds one."""
    given = ("AWS_ACCESS_KEY_ID", "AWS_SKIP_SIGNATURE", "AWS_WEB_IDENTITY_TOKEN_FILE")
    if any(map(os.environ.get, given)) or find_spec("boto3") is None:
        return None
    import boto3
    from obstore.auth.boto3 import Boto3CredentialProvider

    session = boto3.Session()
    return None if session.get_credentials() is None else Boto3CredentialProvider(session)
