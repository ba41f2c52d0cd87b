from __future__ import annotations

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from pipelines.page.guard import HEADERS, MAX_BODY, Guard

HOST = "http://127.0.0.1:8000"
POST = {"content-type": "application/json"}


def _make_client(base_url: str) -> TestClient:
    async def answer(request: Request) -> PlainTextResponse:
        return PlainTextResponse("inside")

    guard = Middleware(Guard, token="secret", hosts=["127.0.0.1"])
    app = Starlette(routes=[Route("/", answer, methods=["GET", "POST"])], middleware=[guard])
    return TestClient(app, base_url=base_url)


@pytest.fixture
def client() -> TestClient:
    return _make_client(HOST)


@pytest.fixture
def inside(client: TestClient) -> TestClient:
    assert client.get("/open/secret").text == "inside"
    return client


def test_the_address_opens_the_page_once(client: TestClient) -> None:
    assert client.get("/").status_code == 401
    answer = client.get("/open/secret", follow_redirects=False)
    assert answer.status_code == 303 and answer.headers["location"] == "/"
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=strict" in cookie
    assert client.get("/").text == "inside"
    assert client.get("/open/secret").text == "inside"  # this browser has the cookie
    client.cookies.clear()
    again = client.get("/open/secret")
    assert again.status_code == 401 and "used already" in again.text


def test_two_pages_of_one_browser_do_not_log_each_other_out(client: TestClient) -> None:
    other = _make_client("http://127.0.0.1:9000")
    client.get("/open/secret")
    other.cookies = client.cookies  # a browser sends them to every port
    other.get("/open/secret")
    client.cookies = other.cookies
    assert client.get("/").text == other.get("/").text == "inside"


@pytest.mark.parametrize("path", ["/open/", "/open/wrong", "/open/secret/", "/open", "/open/é"])
def test_a_wrong_token_opens_nothing(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 401
    assert client.get("/open/secret").text == "inside"  # and does not use the right one up


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", ""]
)
def test_other_hosts_are_refused_with_the_remedy(inside: TestClient, host: str) -> None:
    answer = inside.get("/", headers={"host": host})
    assert answer.status_code == 400 and "--allow-host" in answer.text


@pytest.mark.parametrize("site", ["same-site", "cross-site"])
def test_other_pages_may_neither_read_nor_write(inside: TestClient, site: str) -> None:
    other = {"sec-fetch-site": site}
    assert inside.get("/", headers=other).status_code == 403
    assert inside.get("/", headers=other | {"sec-fetch-mode": "navigate"}).status_code == 403
    assert inside.post("/", json={}, headers=other).status_code == 403


def test_a_link_from_another_page_may_open_it(client: TestClient) -> None:
    link = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert client.get("/open/secret", headers=link, follow_redirects=False).status_code == 303


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (POST, 200),
        (POST | {"origin": HOST}, 200),
        (POST | {"origin": "http://127.0.0.1:9000"}, 403),
        (POST | {"origin": "null"}, 403),
        ({"content-type": "text/plain"}, 403),
        ({"content-type": "application/x-www-form-urlencoded"}, 403),
    ],
)
def test_verdicts_come_as_json_from_the_page_itself(
    inside: TestClient, headers: dict[str, str], status: int
) -> None:
    assert inside.post("/", content=b"{}", headers=headers).status_code == status


@pytest.mark.parametrize(
    ("length", "status"), [(str(MAX_BODY), 200), (str(MAX_BODY + 1), 413), ("-1", 411), ("²", 411)]
)
def test_bodies_are_small_and_have_a_length(inside: TestClient, length: str, status: int) -> None:
    headers = {b"content-type": b"application/json", b"content-length": length.encode("latin-1")}
    assert inside.post("/", content=b"", headers=headers).status_code == status


def test_bodies_in_chunks_are_refused(inside: TestClient) -> None:
    chunks = iter([b"{", b"}"])
    assert inside.post("/", content=chunks, headers=POST).status_code == 411


def test_every_answer_has_the_headers(client: TestClient) -> None:
    for path in ("/", "/open/secret", "/", "/missing"):
        answer = client.get(path, follow_redirects=False)
        for name, value in HEADERS.items():
            assert answer.headers[name] == value
        assert "access-control-allow-origin" not in answer.headers
    policy = HEADERS["content-security-policy"]
    assert "unsafe" not in policy and "default-src 'none'" in policy
