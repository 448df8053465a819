"""Translate URLs of API Gateway and load balancers into URLs of the engine."""

import re

HOSTS = {
    r"https://([a-z0-9]+)[.]execute-api[.][a-z0-9-]+[.]amazonaws[.]com": r"/_aws/execute-api/\1",
    r"http://([a-zA-Z0-9-]+)-[a-z0-9]+[.][a-z0-9-]+[.]elb[.]amazonaws[.]com": r"/_alb/\1",
}
"""Each key is a regular expression for the beginning of an AWS URL, in a syntax for Python and `sed -E`. The value is
the path at which the engine answers."""


def local_url(url: str, endpoint: str) -> str:
    """Return the engine's URL for the URL of an API or load balancer. Return any other URL unchanged."""
    if url.startswith("wss://"):  # a WebSocket API
        local = local_url(url.replace("wss://", "https://", 1), endpoint)
        return local.replace("http://", "ws://", 1) if local.startswith("http://") else url
    for host, path in HOSTS.items():
        url = re.sub(f"^{host}", f"{endpoint}{path}", url)
    return url
