from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Iterator

import pytest

from curation.shards.images import image_bytes
from labeling.errors import ConfigError, StoreError
from labeling.objects import client
from labeling.objects.paths import path_of
from labeling.readers.image_files import Locator
from labeling.readers.listing import input_files
from tests.buckets import put, use_server


@pytest.fixture
def silent_server() -> Iterator[str]:
    """Return the address of a server that accepts connections and does not answer."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def first_read(url: str) -> None:
    input_files(path_of(url), "x", (".csv",))


def test_a_server_that_nobody_runs_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    use_server(monkeypatch, "http://127.0.0.1:9")
    began = time.monotonic()
    with pytest.raises(StoreError, match="cannot be reached") as caught:
        first_read("s3://nobody-runs-it/crawl")
    assert time.monotonic() - began < 15
    assert caught.value.facts["address"] == "s3://nobody-runs-it"
    assert str(caught.value.facts["tried"]).startswith("GET http://127.0.0.1:9/nobody-runs-it")
    assert "AWS_ENDPOINT_URL" in caught.value.help


@pytest.mark.slow
def test_a_server_that_does_not_answer_is_named(
    silent_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_server(monkeypatch, silent_server)
    began = time.monotonic()
    with pytest.raises(StoreError, match="cannot be reached"):
        first_read("s3://silent-server/crawl")
    assert time.monotonic() - began < 15


@pytest.mark.usefixtures("bucket")
def test_a_bucket_that_is_missing_is_named() -> None:
    with pytest.raises(StoreError, match="there is no such bucket") as caught:
        first_read("s3://missing-bucket/crawl")
    assert caught.value.facts["address"] == "s3://missing-bucket"
    assert "NoSuchBucket" not in str(caught.value)


def test_missing_keys_are_named(s3_address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    use_server(monkeypatch, s3_address)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setattr(client, "_profile", lambda: None)
    # In the place of the role of a machine, which is asked at an address that no test should use.
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(StoreError, match="there are no keys") as caught:
        first_read("s3://without-keys/crawl")
    assert "AWS_ACCESS_KEY_ID" in caught.value.help
    assert "***" not in str(caught.value)


def test_a_name_with_an_empty_part_is_named(bucket: str) -> None:
    put(f"{bucket}/x//a.csv", b"")
    with pytest.raises(StoreError, match="an empty part") as caught:
        first_read(bucket)
    assert "x//a.csv" in str(caught.value)


def test_keys_in_an_address_are_refused_and_not_printed() -> None:
    with pytest.raises(ConfigError, match="holds keys") as caught:
        first_read("s3://KEYOFUSER:SECRET@bucket/crawl")
    assert "SECRET" not in str(caught.value)
    assert "KEYOFUSER" not in str(caught.value)


def test_an_endpoint_without_its_scheme_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    use_server(monkeypatch, "127.0.0.1:9")
    with pytest.raises(ConfigError, match="AWS_ENDPOINT_URL is not an address"):
        first_read("s3://endpoint-without-scheme/crawl")


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(ConfigError, match="needs the package obstore") as caught:
        first_read("s3://without-package/crawl")
    assert "winnow[objects]" in caught.value.help


@pytest.mark.usefixtures("bucket")
def test_a_process_that_was_forked_gets_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_used_by", [os.getpid() + 1])
    with pytest.raises(StoreError, match="before this process was forked"):
        first_read("s3://any/crawl")


def test_a_store_that_fails_makes_no_image_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    use_server(monkeypatch, "http://127.0.0.1:9")
    base = path_of("s3://nobody-runs-it/crawl")
    with pytest.raises(StoreError, match="cannot be reached"):
        Locator(base, ()).locate("images/1.jpg")
    with pytest.raises(StoreError, match="cannot be reached"):
        image_bytes("0" * 32, "images/1.jpg", base)
