"""Failures of object stores as errors that name the address, what was tried, and the remedy."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

from labeling.errors import ConfigError, StoreError

_KEYS = {
    "s3": "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (a profile of `aws configure` is read"
    " after `pip install boto3`), for a public bucket AWS_SKIP_SIGNATURE to true",
    "gs": "run `gcloud auth application-default login`, set GOOGLE_APPLICATION_CREDENTIALS, or"
    " for a public bucket GOOGLE_SKIP_SIGNATURE to true",
    "az": "set AZURE_STORAGE_ACCOUNT_NAME, and AZURE_STORAGE_ACCOUNT_KEY or AZURE_STORAGE_SAS_KEY",
}

_CAUSES = (
    (
        r"latest/api/token|latest/meta-data|computeMetadata|token request|MissingAccount",
        "there are no keys for the object store",
        "",
    ),
    (
        "NoSuchBucket|ContainerNotFound",
        "there is no such bucket",
        "correct its name in the configuration",
    ),
    (
        "Precondition",
        "an object has changed while it was read",
        "leave the inputs unchanged while the command runs, and give it again",
    ),
    (
        "empty path segment",
        "an object has a name with an empty part, and cannot be read",
        "copy it to another name, or name a folder that does not hold it",
    ),
    (
        "(?i)redirect",
        "the bucket is in another region",
        "set AWS_REGION to the region of the bucket",
    ),
    (
        "error sending request",
        "the object store cannot be reached",
        "check the network, and for s3:// AWS_ENDPOINT_URL: unset, it is Amazon's",
    ),
)
"""Sign of a cause in the text of an error, message and remedy."""

_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")


@contextmanager
def reporting(url: str) -> Iterator[None]:
    """Raise FileNotFoundError for an object that is missing, `StoreError` for other failures."""
    try:
        yield
    except FileNotFoundError as error:
        if "NoSuchBucket" in str(error):
            raise failure(url, error) from None
        raise FileNotFoundError(errno.ENOENT, "no such object", url) from None
    except Exception as error:
        if isinstance(error, OSError) or type(error).__module__.startswith("obstore"):
            raise failure(url, error) from None
        raise


def is_refused(error: Exception) -> bool:
    """Return whether a store refuses the keys, or what they are used for."""
    return type(error).__name__ in ("PermissionDeniedError", "UnauthenticatedError")


def failure(url: str, error: Exception) -> StoreError:
    """Return the error for a request that failed."""
    scheme, text = url.partition(":")[0], str(error)
    message, remedy = "the object store fails", "give the command again"
    if is_refused(error):
        message, remedy = "the object store refuses the keys, or access to this address", ""
    else:
        for sign, its_message, its_remedy in _CAUSES:
            if re.search(sign, text):
                message, remedy = its_message, its_remedy
                break
    facts = {"address": url, "tried": _request(text)}
    return StoreError(message, facts=facts, help=remedy or _KEYS[scheme])


def _request(text: str) -> str:
    """Return the request of an error and its outcome, without the body of the answer."""
    first = re.split(r"\n|: <\?xml|: \{", text, maxsplit=1)[0]
    return " ".join(first.rpartition("Error performing ")[2].split())[:400]


def endpoint_of_s3() -> str | None:
    """Return the server of ``s3://`` that the environment names; None for that of Amazon."""
    variable = next((name for name in _ENDPOINTS if os.environ.get(name)), None)
    if variable is None:
        return None
    endpoint = os.environ[variable]
    # obstore 0.12 panics where the scheme is missing.
    if not endpoint.startswith(("http://", "https://")):
        raise ConfigError(
            f"{variable} is not an address of HTTP",
            facts={variable: endpoint},
            help="begin it with http:// or https://",
        )
    return endpoint
