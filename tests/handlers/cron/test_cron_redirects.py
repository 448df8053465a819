"""The check follows redirects as browsers do, with cookies. No redirect leads to a private address."""

import re
import socket

import pytest
import trustme

from cron.check import MAX_REDIRECTS
from cron.cookies import MAX_COOKIES, Cookies
from tests.handlers.cron.conftest import Resolve, Serve, check_in_time, server_context
from tests.handlers.cron.sites import OK, Behaviour, one_per_connection, redirect_to, send

SITE = "http://site.test/"
IDN = "xn--n-nga1b.test"
"""The name ünï.test in the form that the DNS needs."""


def redirect(*header_lines: str) -> Behaviour:
    """Return a behaviour that redirects with these headers, encoded as UTF-8. PORT stands for the port of the site."""

    def behave(connection: socket.socket) -> None:
        port = str(connection.getsockname()[1])
        lines = "".join(f"{line}\r\n".replace("PORT", port) for line in ("HTTP/1.1 302 Found", *header_lines, ""))
        connection.sendall(lines.encode())

    return behave


@pytest.mark.parametrize(
    ("location", "path", "host"),
    [
        ("http://other.test:PORT/x", "/x", "other.test"),
        ("HTTP://OTHER.test:PORT/x", "/x", "other.test"),
        ("//other.test:PORT/x", "/x", "other.test"),
        ("http:\\\\other.test:PORT\\x", "/x", "other.test"),
        ("http:///other.test:PORT/x", "/x", "other.test"),
        ("http://other.test.:PORT/x", "/x", "other.test"),
        ("http://user:secret@other.test:PORT/x", "/x", "other.test"),
        ("http://other.test:PORT", "/", "other.test"),
        ("http://other.test:PORT?x", "/?x", "other.test"),
        ("http://oth%65r.test:PORT/x", "/x", "other.test"),
        ("http://ünï.test:PORT/ü?ü", "/%C3%BC?%C3%BC", IDN),
        ("http://ÜNÏ.test:PORT/", "/", IDN),
        ("http://%C3%BCn%C3%AF.test:PORT/", "/", IDN),
        (f"http://{IDN}:PORT/", "/", IDN),
        ("http://faß.test:PORT/", "/", "xn--fa-hia.test"),
        ("http://❤.test:PORT/", "/", "xn--qei.test"),
        ("http://other。test:PORT/", "/", "other.test"),  # the full stop of Japanese and Chinese
        ("http://my_site.test:PORT/", "/", "my_site.test"),
        ("http://127.1:PORT/", "/", "127.0.0.1"),
        ("c", "/a/c", "site.test"),
        ("../c?d=e", "/c?d=e", "site.test"),
        ("?d", "/a/b?d", "site.test"),
        ("/c#part", "/c", "site.test"),
        ("http:c", "/a/c", "site.test"),
        ("/c d", "/c%20d", "site.test"),
        (" /c\t ", "/c", "site.test"),
        ("/c\td", "/cd", "site.test"),
        ("\\c", "/c", "site.test"),
        ("/c/./../%zz|\"<>{}'", "/%zz|%22%3C%3E%7B%7D'", "site.test"),
        ("/a,b", "/a,b", "site.test"),
    ],
)
def test_a_location_leads_to_the_same_url_as_in_a_browser(
    serve: Serve, resolve: Resolve, location: str, path: str, host: str
) -> None:
    names = ("site.test", "other.test", IDN, "xn--fa-hia.test", "xn--qei.test", "my_site.test")
    resolve({name: ["127.0.0.1"] for name in names})
    site = serve(one_per_connection(redirect(f"Location:{location}"), send(OK)))
    result = check_in_time(f"http://site.test:{site.port}/a/b")
    assert result.error is None
    lines = site.requests[1].decode().splitlines()
    assert (lines[0], lines[1]) == (f"GET {path} HTTP/1.1", f"Host: {host}:{site.port}")
    assert not [line for line in lines if line.startswith("Authorization")]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_equal_locations_are_one_location(serve: Serve, status: int) -> None:
    lines = f"HTTP/1.1 {status} Moved\r\nLocation: /x\r\nlocation:/x\r\nLOCATION: /x \r\n\r\n"
    site = serve(one_per_connection(send(lines.encode()), send(OK)))
    assert check_in_time(site.url).error is None
    assert site.requests[1].startswith(b"GET /x HTTP/1.1\r\n")


def test_a_site_may_redirect_as_often_as_browsers_allow(serve: Serve) -> None:
    site = serve(one_per_connection(*[redirect_to("/")] * MAX_REDIRECTS, send(OK)))
    assert check_in_time(site.url).error is None


@pytest.mark.usefixtures("public_localhost")
@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.2",
        "\uff11\uff12\uff17.0.0.2",
        "0x7f000002",
        "127.0.0.%32",
        "ünï.test",
        "user@127.0.0.2",
        "[::ffff:7f00:2]",
    ],
)
def test_no_spelling_of_a_private_address_is_requested(serve: Serve, resolve: Resolve, host: str) -> None:
    resolve({"site.test": ["127.0.0.1"], IDN: ["127.0.0.2"]})
    private_site = serve(send(OK))
    public_site = serve(redirect(f"Location: http://{host}:{private_site.port}/"))
    result = check_in_time(f"http://site.test:{public_site.port}/", allow_private=False)
    assert result.error is not None
    assert result.error.endswith("and that is not a public address")
    assert private_site.requests == []


# --- cookies ---


def test_a_site_may_redirect_to_itself_until_it_gets_its_cookie(serve: Serve) -> None:
    site = serve(
        one_per_connection(redirect("Set-Cookie: a=b; Path=/; HttpOnly", "Set-Cookie: c=d", "Location: /"), send(OK))
    )
    assert check_in_time(site.url).error is None
    assert b"Cookie" not in site.requests[0]
    assert b"\r\nCookie: a=b; c=d\r\n" in site.requests[1]


def test_no_cookie_remains_after_a_check(serve: Serve) -> None:
    site = serve(send(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n"))
    for _ in range(2):
        assert check_in_time(site.url).up
    assert b"Cookie" not in site.requests[1]


def test_another_host_does_not_get_the_cookies(serve: Serve, resolve: Resolve, authority: trustme.CA) -> None:
    resolve({"site.test": ["127.0.0.1"], "other.test": ["127.0.0.1"]})
    site = serve(
        one_per_connection(
            redirect("Location: http://other.test:PORT/"), redirect("Location: http://site.test:PORT/"), send(OK)
        )
    )
    secure_site = serve(
        redirect("Set-Cookie: secret=1; Secure", "Set-Cookie: a=b", f"Location: http://site.test:{site.port}/"),
        server_context(authority.issue_cert("site.test")),
    )
    assert check_in_time(f"https://site.test:{secure_site.port}/").error is None
    cookies = [re.findall(rb"(?m)^Cookie: ([^\r]*)", request) for request in site.requests]
    assert cookies == [[b"a=b"], [], [b"a=b"]], "other.test got a cookie, or a Secure cookie was sent without TLS"


@pytest.mark.parametrize(
    ("source", "line", "target", "header"),
    [
        (SITE, "a=b", "http://site.test:81/x", "a=b"),
        (SITE, "a=b", "http://www.site.test/", None),
        (SITE, "a=b; Domain=site.test", "http://www.site.test/", "a=b"),
        (SITE, "a=b; Domain=site.test", "http://my-site.test/", None),
        ("http://my-site.test/", "a=b; Domain=site.test", SITE, None),
        (SITE, "a=b; Domain=", SITE, "a=b"),
        ("http://www.site.test/", "a=b; domain=.SITE.test", SITE, "a=b"),
        ("http://www.site.test/", "a=b; Domain=other.test", "http://other.test/", None),
        (SITE, "a=b; Domain=www.site.test", "http://www.site.test/", None),
        (SITE, "a=b; Domain=test", "http://other.test/", None),
        ("http://x.co.uk/", "a=b; Domain=co.uk", "http://y.co.uk/", None),
        ("http://co.uk/", "a=b; Domain=co.uk", "http://y.co.uk/", None),
        ("http://co.uk/", "a=b; Domain=co.uk", "http://co.uk/", "a=b"),
        ("http://x.local/", "a=b; Domain=local", "http://y.local/", None),
        ("http://127.0.0.1/", "a=b; Domain=.0.0.1", "http://8.0.0.1/", None),
        ("http://127.0.0.1/", "a=b; Domain=127.0.0.1", "http://127.0.0.1/", "a=b"),
        ("http://[::1]/", "a=b", "http://[::1]/", "a=b"),
        ("http://localhost/", "a=b; Domain=localhost", "http://localhost/", "a=b"),
        (SITE, "a=b; Secure", "https://site.test/", None),
        ("https://site.test/", "a=b; Secure; SameSite=Strict", "https://site.test/", "a=b"),
        ("http://site.test/x/y", "a=b", "http://site.test/x/", "a=b"),
        ("http://site.test/x/y", "a=b", "http://site.test/xy", None),
        ("http://site.test/x/y", "a=b; Path=relative", "http://site.test/x", "a=b"),
        (SITE, "a=b; Path=/x", "http://site.test/x", "a=b"),
        (SITE, "a=b; Path=/x", "http://site.test/xy", None),
        (SITE, "a=b; Max-Age=0", SITE, None),
        (SITE, "a=b; Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT", SITE, "a=b"),
        (SITE, "a=b; Max-Age=soon", SITE, "a=b"),
        (SITE, "a=b; Expires=Thu, 01 Jan 1970 00:00:00 GMT", SITE, None),
        (SITE, "a=b; expires=Thu, 01-Jan-70 00:00:01 GMT", SITE, None),
        (SITE, "a=b; Expires=Thu, 01 Jan 2099 00:00:00 GMT", SITE, "a=b"),
        (SITE, "a=b; Expires=0", SITE, "a=b"),
        (SITE, ' a = "b c" ; Version=1; Port="99"', SITE, 'a="b c"'),
        (SITE, "a=b=c", SITE, "a=b=c"),
        (SITE, "a=", SITE, "a="),
        (SITE, "a", SITE, "a"),
        (SITE, "; Path=/", SITE, None),
        (SITE, "a=\xfc", SITE, "a=\xfc"),
        (SITE, "a=\0", SITE, None),
        (SITE, "a=" + "b" * 4095, SITE, "a=" + "b" * 4095),
        (SITE, "a=" + "b" * 4096, SITE, None),
    ],
)
def test_a_cookie_goes_to_the_same_urls_as_in_a_browser(
    source: str, line: str, target: str, header: str | None
) -> None:
    cookies = Cookies()
    cookies.store(source, [line])
    assert cookies.header_for(target) == header


def test_a_new_cookie_replaces_or_removes_the_old_one() -> None:
    cookies = Cookies()
    cookies.store(SITE, ["a=1", "b=1", "c=1; Path=/x", "a=2", "b=; Max-Age=0"])
    assert cookies.header_for("http://site.test/x") == "c=1; a=2"


def test_a_site_cannot_set_any_number_of_cookies() -> None:
    cookies = Cookies()
    for start in range(3):
        cookies.store(SITE, (f"{start}-{number}=x" for number in range(MAX_COOKIES)))
    header = cookies.header_for(SITE)
    assert header is not None
    assert header.split("; ") == [f"2-{number}=x" for number in range(MAX_COOKIES)]


def test_only_the_newest_cookies_of_an_answer_are_read() -> None:
    cookies = Cookies()
    cookies.store(SITE, ["old=x", *["a=b"] * MAX_COOKIES])
    assert cookies.header_for(SITE) == "a=b"
