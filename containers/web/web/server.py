"""The server: uvicorn with limits for a load balancer in front of it, and a stop that loses no request.

uvicorn and Starlette are well kept. All that is installed of them is pure Python, so one lock file serves every
processor. There is one process, because a task of a quarter of a virtual CPU gains nothing from a second one.
"""

import os
from types import FrameType

import uvicorn

from web.app import MAX_HEADER_BYTES, create_app
from web.drain import Drain
from web.logs import configure_logging

QUIET_SECONDS = 5.0
"""After so long without a request the load balancer has noticed the stop. Its health checks should be as frequent."""
LIMIT_SECONDS = 15.0
FINISH_SECONDS = 8
"""Time for the requests in work at the end. With LIMIT_SECONDS it is 23 s, and ECS kills the task after 30 s."""
KEEP_ALIVE_SECONDS = 75
"""Longer than the 60 s of an Application Load Balancer, so that the load balancer closes idle connections. If the
server closed one just when a request arrived, the client would see a 502."""
MAX_CONNECTIONS = 900
"""Less than the 1024 open files that a container has by default."""


class Server(uvicorn.Server):
    """A uvicorn server that drains before it stops."""

    def __init__(self, config: uvicorn.Config, drain: Drain) -> None:
        super().__init__(config)
        self._drain = drain

    def handle_exit(self, _sig: int, _frame: FrameType | None) -> None:
        """Begin to drain at the first signal, and stop at the second.

        uvicorn's own method closes at once and raises the signal again at the end, so the exit status would not be 0.
        """
        if self._drain.begun:
            self.should_exit = True
        else:
            self._drain.begin()

    async def on_tick(self, counter: int) -> bool:
        """Whether to stop now. uvicorn calls this ten times a second."""
        return await super().on_tick(counter) or self._drain.over


def serve() -> None:
    """Serve until a signal to stop comes and the server has drained.

    The environment may set HOST (default 127.0.0.1), PORT (8080), DRAIN_QUIET_SECONDS and DRAIN_LIMIT_SECONDS.
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
        access_log=False,  # web.logs writes it
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=FINISH_SECONDS,
        limit_concurrency=MAX_CONNECTIONS,
        h11_max_incomplete_event_size=MAX_HEADER_BYTES,
    )
