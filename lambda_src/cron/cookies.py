"""Keeps the cookies of one check. Some sites set a cookie and redirect to the same page until the cookie comes back.

The rules are those of browsers (RFC 6265, section 5). Python's http.cookiejar follows older rules. For example, it
sends a cookie with the domain `local` to other hosts, and reads the year 70 of a cookie's expiry as 2070.
"""

import ipaddress
import re
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from email.utils import mktime_tz, parsedate_tz

import can_ada

MAX_COOKIES = 180
"""Maximum number of cookies of a check. Chrome keeps as many for a domain. The oldest ones are removed."""
MAX_LENGTH = 4096
"""Maximum length of a cookie's name and value (characters). Browsers ignore longer cookies."""

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_SHARED_SUFFIX = re.compile(r"(?:ac|co|com|edu|gob|gov|go|mil|ne|net|nom|or|org|sch)\.[a-z]{2}")
"""Names such as co.uk, under which different owners have their domains. A short list is enough here: the cookies do not
contain secrets of the function, and only the sites in one chain of redirects could see each other's cookies."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Cookie:
    name: str
    value: str
    domain: str
    host_only: bool
    path: str
    secure: bool

    def belongs_to(self, url: can_ada.URL) -> bool:
        subdomain = not self.host_only and url.hostname.endswith(f".{self.domain}")
        folder = self.path.removesuffix("/") + "/"
        return (
            (url.hostname == self.domain or subdomain)
            and (url.pathname == self.path or url.pathname.startswith(folder))
            and (url.protocol == "https:" or not self.secure)
        )


class Cookies:
    """The cookies of one check. A request gets only the cookies of its own host, or of a domain of this host."""

    def __init__(self) -> None:
        self._cookies: dict[tuple[str, str, str], _Cookie] = {}

    def store(self, url: str, lines: Iterable[str]) -> None:
        """Store the cookies in the Set-Cookie headers of an answer from this URL. Remove the expired cookies."""
        source = can_ada.parse(url)
        for line in deque(lines, maxlen=MAX_COOKIES):  # a server may send thousands
            pair, *attributes = line.split(";")
            values = {name.strip().lower(): value.strip() for name, _, value in (a.partition("=") for a in attributes)}
            cookie = _parse_cookie(pair, values, source)
            if cookie is None or _CONTROL.search(line):
                continue
            key = (cookie.name, cookie.domain, cookie.path)
            if _is_expired(values):
                self._cookies.pop(key, None)
                continue
            self._cookies[key] = cookie
            if len(self._cookies) > MAX_COOKIES:
                del self._cookies[next(iter(self._cookies))]

    def header_for(self, url: str) -> str | None:
        """Return the Cookie header for a request to this URL, or None if the URL gets no cookie."""
        target = can_ada.parse(url)
        cookies = [cookie for cookie in self._cookies.values() if cookie.belongs_to(target)]
        cookies.sort(key=lambda cookie: -len(cookie.path))
        return "; ".join(f"{cookie.name}={cookie.value}".removeprefix("=") for cookie in cookies) or None


def _parse_cookie(pair: str, attributes: dict[str, str], source: can_ada.URL) -> _Cookie | None:
    name, equals, value = (part.strip() for part in pair.partition("="))
    if not equals:  # a cookie without a name
        name, value = "", name
    host, secure = source.hostname, "secure" in attributes
    domain = attributes.get("domain", "").lower().removeprefix(".")
    shared = _may_share(host, domain)
    if domain not in ("", host) and not shared:
        return None
    if not 0 < len(name + value) <= MAX_LENGTH or (secure and source.protocol != "https:"):
        return None
    path = attributes.get("path", "")
    if not path.startswith("/"):  # without a path, a cookie belongs to the folder of its page
        path = source.pathname.rpartition("/")[0] or "/"
    return _Cookie(name=name, value=value, domain=domain or host, host_only=not shared, path=path, secure=secure)


def _may_share(host: str, domain: str) -> bool:
    """Whether a host may set a cookie for all hosts of a domain."""
    if "." not in domain or _SHARED_SUFFIX.fullmatch(domain) or _is_ip_address(host):
        return False
    return host == domain or host.endswith(f".{domain}")


def _is_ip_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def _is_expired(attributes: dict[str, str]) -> bool:
    seconds = attributes.get("max-age", "")
    if re.fullmatch("-?[0-9]{1,18}", seconds):
        return int(seconds) <= 0
    expires = parsedate_tz(attributes.get("expires", ""))
    try:
        return expires is not None and mktime_tz(expires) <= time.time()
    except (OverflowError, ValueError):  # a date that does not exist
        return False
