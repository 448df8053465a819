"""These tests send the console the requests that a page of an attacker could send. They need no deployment."""

from pathlib import Path
from typing import Any

import anyio
import pytest
from starlette.types import ASGIApp, Message

from console import __main__ as command
from console.account import AccountError
from console.app import Console, create_app
from console.diagrams import Diagrams
from console.documents import MAX_BYTES, Documents
from console.examples import Example
from console.page import Action, ExamplePage, Form
from console.security import HEADERS
from tests.support.asgi import Answer, call

PORT = 4580
HOST = f"127.0.0.1:{PORT}"
SAME_ORIGIN = {"host": HOST, "origin": f"http://{HOST}"}


class BrokenAccount:
    """An account that cannot answer."""

    prefix: str | None = "compute"
    seconds_between_reads = 0.01

    def __init__(self, *, is_local: bool = True, error: Exception | None = None) -> None:
        self.is_local = is_local
        self._error = error or AccountError("the account does not answer")

    def client(self, service: str) -> Any:
        del service
        raise self._error

    def url(self, url: str) -> str:
        return url

    def explanation(self, error: Exception) -> str:
        return str(error)


@pytest.fixture
def app(tmp_path: Path) -> ASGIApp:
    return create_app(BrokenAccount(), tmp_path, PORT)


def get(app: ASGIApp, path: str, **headers: str) -> Answer:
    return call(app, "GET", path, {"host": HOST, **{name.replace("_", "-"): value for name, value in headers.items()}})


@pytest.mark.parametrize("host", [HOST, f"localhost:{PORT}"])
def test_the_console_answers_to_the_names_of_this_machine(app: ASGIApp, host: str) -> None:
    assert call(app, "GET", "/files/README.md", {"host": host}).status == 200


@pytest.mark.parametrize(
    "host",
    [
        *("attacker.example", f"attacker.example:{PORT}", f"127.0.0.1.attacker.example:{PORT}", "127.0.0.1"),
        *("127.0.0.1:80", f"localhost.:{PORT}", f"{HOST}@attacker.example", f"[::1]:{PORT}", f"0.0.0.0:{PORT}", ""),
    ],
)
def test_a_page_that_uses_its_own_name_for_this_machine_reads_nothing(app: ASGIApp, host: str) -> None:
    answer = call(app, "GET", "/files/README.md", {"host": host})
    assert (answer.status, "answers only requests to 127.0.0.1" in answer.body) == (403, True)


def test_a_request_without_host_is_refused(app: ASGIApp) -> None:
    assert call(app, "GET", "/", {}).status == 403


WRONG_ORIGINS = [
    *(None, "null", "", "http://attacker.example", f"http://attacker.example:{PORT}", "http://127.0.0.1"),
    *("http://127.0.0.1:4581", f"https://{HOST}", f"http://localhost:{PORT}", f"http://{HOST}/", f"file://{HOST}"),
]
"""Values of the Origin header with which another page, or a program, may send a request. None: without the header."""


@pytest.mark.parametrize("origin", WRONG_ORIGINS)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY"])
def test_only_a_page_of_the_console_can_change_something(app: ASGIApp, method: str, origin: str | None) -> None:
    headers = {"host": HOST} if origin is None else {"host": HOST, "origin": origin}
    answer = call(app, method, "/examples/cron/actions/any", headers, b"a=b")
    assert (answer.status, "Only the pages of the console" in answer.body) == (403, True)


def test_a_page_of_the_console_can_send_actions(app: ASGIApp) -> None:
    assert call(app, "POST", "/examples/cron/actions/unknown", SAME_ORIGIN).status == 404


@pytest.mark.parametrize(
    ("site", "mode", "dest", "status"),
    [
        *(("none", "navigate", "document", 200), ("same-origin", "cors", "empty", 200)),  # the user, and the console
        ("cross-site", "navigate", "document", 200),  # a link from another page
        *(("cross-site", "no-cors", "image", 403), ("same-site", "no-cors", "script", 403)),
        *(("cross-site", "cors", "empty", 403), ("same-site", "navigate", "iframe", 403)),
    ],
)
def test_another_page_can_link_to_the_console_but_not_load_parts_of_it(
    app: ASGIApp, site: str, mode: str, dest: str, status: int
) -> None:
    answer = get(app, "/files/README.md", sec_fetch_site=site, sec_fetch_mode=mode, sec_fetch_dest=dest)
    assert answer.status == status


def test_the_console_refuses_websockets(app: ASGIApp) -> None:
    sent = []

    async def send(message: Message) -> None:
        sent.append(message["type"])

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    anyio.run(app, {"type": "websocket", "path": "/live", "headers": [(b"host", HOST.encode())]}, receive, send)
    assert sent == ["websocket.close"]


PATHS = {
    "/": 503,
    "/examples/cron": 503,
    "/examples/cron/live": 200,
    "/events": 503,
    "/events/live": 200,
    "/live": 200,
    "/lessons/cron": 200,
    "/lessons/unknown": 404,
    "/files/README.md": 200,
    "/files/unknown": 404,
    "/static/console.css": 200,
    "/static/unknown": 404,
    "/packages/htmx/htmx.min.js": 200,
    "/packages/unknown/x.js": 404,
    "/diagrams/unknown.svg": 404,
    "/unknown": 404,
}
"""Addresses, and the status of the answer if the account does not answer."""


@pytest.mark.parametrize(("path", "status"), PATHS.items())
def test_each_answer_has_the_headers_against_attacks(app: ASGIApp, path: str, status: int) -> None:
    answer = get(app, path)
    assert answer.status == status, answer.body
    assert {name: answer.headers.get(name.lower()) for name in HEADERS} == HEADERS


def test_a_refusal_has_the_headers_against_attacks(app: ASGIApp) -> None:
    answer = call(app, "GET", "/", {"host": "attacker.example"})
    assert {name: answer.headers.get(name.lower()) for name in HEADERS} == HEADERS


def test_a_diagram_is_a_picture_without_scripts(tmp_path: Path) -> None:
    diagrams = Diagrams(tmp_path / "diagrams")
    (tmp_path / "diagrams").mkdir()
    (tmp_path / "diagrams" / f"{'0' * 16}.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    assert diagrams.picture("0" * 16)
    answer = get(create_app(BrokenAccount(), tmp_path, PORT), f"/diagrams/{'0' * 16}.svg")
    policy = answer.headers["content-security-policy"]
    assert (answer.status, policy) == (200, "default-src 'none'; style-src 'unsafe-inline'")
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["/", "/events", "/examples/cron"])
def test_an_unexpected_error_has_the_headers_and_does_not_show_its_text(tmp_path: Path, path: str) -> None:
    app = create_app(BrokenAccount(error=RuntimeError("secret detail")), tmp_path, PORT)
    answer = get(app, path)
    assert (answer.status, "RuntimeError" in answer.body, "secret detail" in answer.body) == (500, True, False)
    assert {name: answer.headers.get(name.lower()) for name in HEADERS} == HEADERS


def test_a_live_part_reports_the_error_of_the_account_as_text(tmp_path: Path) -> None:
    app = create_app(BrokenAccount(error=AccountError("<script>alert(1)</script>")), tmp_path, PORT)
    answer = get(app, "/live")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in answer.body


def test_text_from_the_address_appears_as_text(app: ASGIApp) -> None:
    answer = get(app, "/lessons/%3Cimg%20src=x%20onerror=alert(1)%3E")
    assert (answer.status, "&lt;img src=x" in answer.body, "<img src=x" in answer.body) == (404, True, False)


# -- files

SECRETS = {
    ".env": "SECRET=1",
    ".git/config": "[core]",
    ".local/env": "export SECRET=1",
    "docs/.hidden.md": "# hidden",
    "cdk.out/manifest.json": "{}",
    "node_modules/package/index.js": "1",
    "id_rsa": "key",
    "photo.jpg": "picture",
    "large.txt": "x" * (MAX_BYTES + 1),
    "binary.txt": "a\0b",
}
"""Files of a project that the console must not show."""


@pytest.fixture
def project(tmp_path: Path) -> Documents:
    outside, root = tmp_path / "outside.txt", tmp_path / "project"
    outside.write_text("SECRET")
    for name, content in {**SECRETS, "README.md": "# Read me", "docs/cron.md": "# Cron", "Makefile": "help:"}.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    (root / "link.txt").symlink_to(outside)
    (root / "link_to_env.txt").symlink_to(root / ".env")
    (root / "folder.txt").mkdir()
    (root / "linked").symlink_to(tmp_path)
    return Documents(Diagrams(tmp_path / "diagrams"), root.resolve())


@pytest.mark.parametrize("name", ["README.md", "docs/cron.md", "docs/../README.md", "Makefile"])
def test_files_of_the_project_are_shown(project: Documents, name: str) -> None:
    assert project.file(name)


@pytest.mark.parametrize(
    "name",
    [
        *SECRETS,
        *("../outside.txt", "docs/../../outside.txt", "/etc/passwd", "//etc/passwd", "link.txt", "link_to_env.txt"),
        *("linked/outside.txt", "folder.txt", "docs", "", ".", "..", "docs/unknown.md", "a\0.md", "a" * 5000 + ".md"),
        *("docs/cron.md/", "~/.bashrc", "..\\outside.txt", ".git/../.env"),
    ],
)
def test_other_files_are_not_shown(project: Documents, name: str) -> None:
    file = project.file(name)
    assert file is None or file.read_text() == "# Cron"  # with a slash at the end, it is the same file


@pytest.mark.parametrize(
    "path",
    [
        *(
            "/files/../../../../etc/passwd",
            "/files//etc/passwd",
            "/files/%2e%2e/%2e%2e/etc/passwd",
            "/files/.git/config",
        ),
        *("/files/.gitignore", "/files/a%00.md", "/files/local/photo.jpg", "/files/node_modules/htmx.org/package.json"),
        *("/static/../app.py", "/static/%2e%2e/app.py", "/static//etc/passwd", "/static/..%2fapp.py"),
        *("/packages/htmx/../package.json", "/packages/htmx/%2e%2e/package.json", "/packages/htmx//etc/passwd"),
        *("/packages/aws-cdk/package.json", "/lessons/..", "/lessons/..%2f..%2fREADME", "/diagrams/..%2fenv.svg"),
        *("/diagrams/%00.svg", f"/diagrams/{'a' * 5000}.svg", "/static/", "/packages/htmx/"),
    ],
)
def test_a_path_cannot_leave_its_folder(app: ASGIApp, path: str) -> None:
    assert get(app, path).status == 404


# -- a real account, and the methods


def _changing_requests(console: Console) -> list[tuple[str, str]]:
    """Return the method and path of each request that is not only for reading, with `x` as each unknown part."""
    actions = [
        ("POST", f"/examples/{stem}/actions/{name}") for stem, page in console._pages.items() for name in page.actions()
    ]
    routes: list[Any] = [route for route in console.routes() if "{action}" not in getattr(route, "path", "")]
    return actions + [
        (method, "/".join("x" if "{" in part else part for part in route.path.split("/")))
        for route in routes
        for method in sorted((getattr(route, "methods", None) or set()) - {"GET", "HEAD"})
    ]


def test_the_console_changes_nothing_in_a_real_account(tmp_path: Path) -> None:
    account = BrokenAccount(is_local=False)
    app = create_app(account, tmp_path, PORT)
    allowed = [
        f"{method} {path}: {answer.status}"
        for method, path in _changing_requests(Console(account, tmp_path))
        if (answer := call(app, method, path, SAME_ORIGIN, b"x=y")).status != 403
    ]
    assert not allowed, "these requests are not refused in a real account"


def test_an_action_does_not_run_in_a_real_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[Example] = []

    def run(example: Example, _form: Form) -> str:
        runs.append(example)
        return "done"

    monkeypatch.setattr(ExamplePage, "actions", lambda _page: {"try": Action(run)})
    app = create_app(BrokenAccount(is_local=False), tmp_path, PORT)
    answer = call(app, "POST", "/examples/other/actions/try", SAME_ORIGIN)
    assert (answer.status, runs) == (403, [])


def test_an_action_is_never_a_get(app: ASGIApp) -> None:
    for method in ("GET", "HEAD"):
        assert call(app, method, "/examples/cron/actions/any", SAME_ORIGIN).status == 405


def test_the_console_listens_only_on_this_machine() -> None:
    with command._listening_socket(0) as listener:
        assert listener.getsockname()[0] == "127.0.0.1"
        with command._listening_socket(listener.getsockname()[1]) as other:  # the port is in use
            assert other.getsockname()[0] == "127.0.0.1"


def test_the_policy_allows_only_the_console_itself(app: ASGIApp) -> None:
    policy = dict(
        part.strip().split(" ", 1) for part in get(app, "/lessons/cron").headers["content-security-policy"].split(";")
    )
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["form-action"] == "'self'"
