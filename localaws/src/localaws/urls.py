"""URLs of API Gateway and of load balancers, and the paths where the engine answers for them."""

import re

HOSTS = {
    r"https://([a-z0-9]+)[.]execute-api[.][a-z0-9-]+[.]amazonaws[.]com": r"/_aws/execute-api/\1",
    r"http://([a-zA-Z0-9-]+)-[a-z0-9]+[.][a-z0-9-]+[.]elb[.]amazonaws[.]com": r"/_alb/\1",
}
"""The beginning of such a URL, and the engine's path for it. The patterns are for Python and for `sed -E`."""


def local_url(url: str, endpoint: str) -> str:
    """Return the URL where the engine answers for an API or a load balancer; any other URL is returned unchanged."""
    for host, path in HOSTS.items():
        url = re.sub(f"^{host}", f"{endpoint}{path}", url)
    return url
