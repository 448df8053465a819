"""uvicorn, with limits that fit a load balancer in front, and a stop that loses no request.

uvicorn and Starlette: both well kept, both pure Python in all that is installed here, so one lock serves every
processor. One process, for a task of a quarter of a virtual CPU has no use for a second.
"""

import os
from types import FrameType

import uvicorn

from web.app import MAX_HEADER_BYTES, create_app
from web.drain import Drain
from web.logs import configure_logging

QUIET_SECONDS = 5.0
"""Without a request for so long, the load balancer has noticed. Its health checks should come as often."""
LIMIT_SECONDS = 15.0
FINISH_SECONDS = 8
"""For what is in flight then. With LIMIT_SECONDS 23 s, below the 30 s after which ECS kills the task."""
KEEP_ALIVE_SECONDS = 75
"""Longer than the 60 s of an Application Load Balancer: the side that sends must be the one that closes, or a request
meets a connection that is just being closed, and the client sees a 502."""
MAX_CONNECTIONS = 900
"""Below the 1024 open files that a container has by default."""


class Server(uvicorn.Server):
    """uvicorn's server, which drains before it stops."""

    def __init__(self, config: uvicorn.Config, drain: Drain) -> None:
        super().__init__(config)
        self._drain = drain

    def handle_exit(self, _sig: int, _frame: FrameType | None) -> None:
        """Begin to drain; stop at the second signal.

        uvicorn's own would close at once, and raise the signal again in the end, so that the exit status is not 0.
        """
        if self._drain.begun:
            self.should_exit = True
        else:
            self._drain.begin()

    async def on_tick(self, counter: int) -> bool:
        """Whether to stop (asked by uvicorn ten times a second)."""
        return await super().on_tick(counter) or self._drain.over


def serve() -> None:
    """Serve until a signal comes and nobody asks any more.

    HOST (default 127.0.0.1), PORT (8080), DRAIN_QUIET_SECONDS and DRAIN_LIMIT_SECONDS may be set in the environment.
    """
    configure_logging()
    drain = Drain(
        quiet=float(os.environ.get("DRAIN_QUIET_SECONDS", QUIET_SECONDS)),
        limit=float(os.environ.get("DRAIN_LIMIT_SECONDS", LIMIT_SECONDS)),
    )
    Server(configuration(drain), drain).run()


def configuration(drain: Drain) -> uvicorn.Config:
    """How uvicorn is set up."""
    return uvicorn.Config(
        create_app(drain, os.environ.get("ECS_CONTAINER_METADATA_URI_V4")),
        host=os.environ.get("HOST", "127.0.0.1"),
        port=int(os.environ.get("PORT", "8080")),
        loop="asyncio",
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,  # web.logs writes it
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=FINISH_SECONDS,
        limit_concurrency=MAX_CONNECTIONS,
        h11_max_incomplete_event_size=MAX_HEADER_BYTES,
    )
