"""Where the engine answers for host names that lead to AWS."""

import re

HOSTS = {
    r"https://([a-z0-9]+)[.]execute-api[.][a-z0-9-]+[.]amazonaws[.]com": r"/_aws/execute-api/\1",
    r"http://([a-zA-Z0-9-]+)-[a-z0-9]+[.][a-z0-9-]+[.]elb[.]amazonaws[.]com": r"/_alb/\1",
}
"""What the URLs of APIs and of load balancers begin with, and the engine's path for them: for Python and for sed."""


def reached_at(url: str, endpoint: str) -> str:
    """Where the URL of an API or of a load balancer is reached in the engine; any other URL as it is."""
    for host, path in HOSTS.items():
        url = re.sub(f"^{host}", f"{endpoint}{path}", url)
    return url
