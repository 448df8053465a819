"""Health check for Docker and ECS: `python -m web.healthcheck` exits with 0 if the server answers, else with 1."""

import http.client
import os
import sys

TIMEOUT_SECONDS = 3
"""Time limit of the request. It is less than 5 seconds, because a check of 5 seconds fails on ECS and on Docker."""


def is_healthy(port: int) -> bool:
    """Whether the server on this machine's `port` answers that it is alive."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(not is_healthy(int(os.environ.get("PORT", "8080"))))
