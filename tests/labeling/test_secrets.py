from __future__ import annotations

import pytest

from labeling.errors import InputError
from labeling.secrets import masked, masked_values

SECRET = "wJalrXUtnFEMI/K7MDENG+bPx"


@pytest.mark.parametrize(
    "text",
    [
        f"s3://AKIAIOSFODNN7EXAMPLE:{SECRET}@bucket/x",
        f"s3:/AKIAIOSFODNN7EXAMPLE:{SECRET}@bucket/x",
        f"no such folder: 's3://KEY:{SECRET}@bucket/x', tried twice",
        f"https://{SECRET.replace('/', '')}@github.com/x",
        f"ftp://user:{SECRET}:and:more@host/",
        f"gs://user:pa@{SECRET.replace('/', '')}@bucket",
        f"https://a.org/x.jpg?X-Amz-Credential={SECRET}&X-Amz-Signature={SECRET}",
        f"https://a.org/x?size=3&sig={SECRET}#top",
        f"https://a.org/x?access_token={SECRET}",
        f"https://a.org/x?key={SECRET}",
        f"s3://bucket/x?access_key=K&secret_key={SECRET}&region=eu",
        f"--s3_secret_access_key={SECRET} --runner=x",
        f"AWS_SESSION_TOKEN={SECRET}",
        f"password={SECRET}",
        f"Authorization: Bearer {SECRET}",
        "the key AKIAIOSFODNN7EXAMPLE does not exist",
    ],
)
def test_keys_and_passwords_are_masked(text: str) -> None:
    shown = masked(text)
    for part in (SECRET, SECRET.replace("/", ""), "FODNN7", *SECRET.split("/")):
        assert part not in shown
    assert "***" in shown
    assert masked(shown) == shown


@pytest.mark.parametrize(
    "text",
    [
        "",
        "https://a.org:80/@user/x",
        "https://a.org/x:y@2x.png",
        "images/photo@2x.png",
        "someone@example.org",
        "https://a.org/x?page=3&monkey=1&keyword=cat",
        "n_tokens=5, author=me, signed=1",
        "-o select.keep=0.25",
        "s3://bucket/folder",
        "file:///data/x",
        "process 5 on host since 2026-01-01 00:00:00",
    ],
)
def test_other_texts_are_left_as_they_are(text: str) -> None:
    assert masked(text) == text


def test_settings_are_masked_wherever_they_are() -> None:
    content = {"label": {"work_dir": f"s3://K:{SECRET}@b"}, "site": [{"path": "a"}], "n": 1.5}
    assert masked_values(content) == content | {"label": {"work_dir": "s3://***@b"}}


def test_an_error_shows_no_secret() -> None:
    error = InputError("it failed", facts={"folder": f"s3://K:{SECRET}@b/x"}, help="try again")
    assert str(error) == "it failed\n  folder: s3://***@b/x\n  help: try again"
