"""Parses URLs as browsers do.

The rules are in the URL standard, https://url.spec.whatwg.org
Python's urllib follows an older standard. The library can_ada contains Ada, the URL parser of Node.js.
"""

import string
from urllib.parse import quote

import can_ada

from cron.addresses import ForbiddenError

PORTS = {"http": 80, "https": 443}


def parse_url(text: str) -> can_ada.URL:
    """Return the URL. Its host is in lower case and in ASCII, as the DNS needs it. Its path and query are quoted.

    Raises ForbiddenError if the function is not allowed to request the URL.
    """
    try:
        url = can_ada.parse(text)
    except ValueError:
        raise ForbiddenError(f"{text!r} is not a valid URL") from None
    scheme = url.protocol.removesuffix(":")
    if scheme not in PORTS:
        raise ForbiddenError(f"only http and https are requested, not {scheme[:20]!r}")
    if not url.hostname.strip(".") or url.has_credentials():
        raise ForbiddenError("a URL with a host and without a password is needed")
    return url


def join_location(url: str, location: str) -> str:
    """Return the URL to which a redirect leads. `location` is the header's value, decoded as Latin-1.

    Raises ForbiddenError if the location is not valid.
    """
    # Some servers do not quote non-ASCII letters. Like Chrome, quote their bytes. The parser decodes them in the host.
    quoted = quote(location.encode("latin-1"), safe=string.printable)
    try:
        target = can_ada.parse(url) + quoted
    except ValueError:
        raise ForbiddenError(f"it redirects to {location[:100]!r}, and that is not a valid URL") from None
    # Browsers send a name and a password only if the server asks for them with status 401.
    target.username = target.password = ""
    return target.href
