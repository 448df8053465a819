"""Runs uvicorn with limits that fit a load balancer. When the server has to stop, it first answers all requests.

uvicorn and Starlette are well maintained. All installed packages are pure Python, so one requirements.txt with exact
versions and hashes fits every processor. The server is a single process, because a task with a quarter of a vCPU would
not be faster with two processes.
"""

import os
from types import FrameType

import uvicorn

from web.app import MAX_HEADER_BYTES, create_app
from web.drain import Drain
from web.logs import configure_logging

QUIET_SECONDS = 5.0
"""The server ends after this time without a request, because the load balancer has then noticed that the task stops.
The load balancer must check the health at least as often."""
LIMIT_SECONDS = 15.0
"""The server stops accepting requests after this time, even if clients still send requests."""
FINISH_SECONDS = 8
"""At the end of the drain, the requests in progress have this time to finish.
The sum of this time and LIMIT_SECONDS is 23 seconds. ECS kills the task after 30 seconds."""
KEEP_ALIVE_SECONDS = 75
"""The server closes a connection that is idle for this time. An Application Load Balancer closes it earlier, after 60
seconds. If the server closed it first, just when the load balancer sends a request, the client would get a 502."""
MAX_CONNECTIONS = 900
"""Maximum number of connections. Each connection is an open file, and a container can open 1,024 files by default."""


class Server(uvicorn.Server):
    """A uvicorn server that drains before it stops."""

    def __init__(self, config: uvicorn.Config, drain: Drain) -> None:
        super().__init__(config)
        self._drain = drain

    def handle_exit(self, _sig: int, _frame: FrameType | None) -> None:
        """Begin to drain at the first signal, and stop at the second signal.

        The method of uvicorn stops immediately. It also raises the signal again, so the exit status would not be 0.
        """
        if self._drain.has_begun:
            self.should_exit = True
        else:
            self._drain.begin()

    async def on_tick(self, counter: int) -> bool:
        """Return True if the server has to stop now. uvicorn calls this method ten times a second."""
        return await super().on_tick(counter) or self._drain.is_over


def serve() -> None:
    """Run the server until the process gets SIGTERM or SIGINT and the drain is over.

    These environment variables change the defaults: HOST (127.0.0.1), PORT (8080), DRAIN_QUIET_SECONDS and
    DRAIN_LIMIT_SECONDS.
    """
    configure_logging()
    drain = Drain(
        quiet=float(os.environ.get("DRAIN_QUIET_SECONDS", QUIET_SECONDS)),
        limit=float(os.environ.get("DRAIN_LIMIT_SECONDS", LIMIT_SECONDS)),
    )
    Server(configuration(drain), drain).run()


def configuration(drain: Drain) -> uvicorn.Config:
    """Return the settings of uvicorn."""
    return uvicorn.Config(
        create_app(drain, os.environ.get("ECS_CONTAINER_METADATA_URI_V4")),
        host=os.environ.get("HOST", "127.0.0.1"),
        port=int(os.environ.get("PORT", "8080")),
        loop="asyncio",
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,  # web.logs writes the access log
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=FINISH_SECONDS,
        limit_concurrency=MAX_CONNECTIONS,
        h11_max_incomplete_event_size=MAX_HEADER_BYTES,
    )
