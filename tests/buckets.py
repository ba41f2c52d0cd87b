"""Buckets for tests: a server of S3 in a thread of this process, which others can reach too."""

from __future__ import annotations

import functools
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer


@contextmanager
def s3_server() -> Iterator[str]:
    """Run a server; yield its address."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def use_server(patch: pytest.MonkeyPatch, address: str) -> None:
    """Set the environment of a user of the server."""
    patch.setenv("AWS_ENDPOINT_URL", address)
    patch.setenv("AWS_ACCESS_KEY_ID", "key-of-tests")
    patch.setenv("AWS_SECRET_ACCESS_KEY", "secret-of-tests")
    patch.setenv("AWS_REGION", "us-east-1")


@functools.cache
def _client(address: str) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=address,
        region_name="us-east-1",
        aws_access_key_id="key-of-tests",
        aws_secret_access_key="secret-of-tests",
    )


def make_bucket(name: str) -> str:
    """Make a bucket; return its address."""
    _client(os.environ["AWS_ENDPOINT_URL"]).create_bucket(Bucket=name)
    return f"s3://{name}"


def put(url: str, content: bytes) -> None:
    """Write an object."""
    bucket, _, key = url.removeprefix("s3://").partition("/")
    _client(os.environ["AWS_ENDPOINT_URL"]).put_object(Bucket=bucket, Key=key, Body=content)


def names_of(url: str) -> list[str]:
    """Return the keys of all objects below an address."""
    bucket, _, key = url.removeprefix("s3://").partition("/")
    listed = _client(os.environ["AWS_ENDPOINT_URL"]).list_objects_v2(Bucket=bucket, Prefix=key)
    return [entry["Key"] for entry in listed.get("Contents", ())]


def put_folder(folder: Path, url: str) -> None:
    """Write all files below a folder, with their paths from it."""
    for file in folder.rglob("*"):
        if file.is_file():
            put(f"{url}/{file.relative_to(folder).as_posix()}", file.read_bytes())
