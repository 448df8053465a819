"""The page of the websocket example: a board that works in the browser, and what the tables contain."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import anyio
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from console.account import ERRORS, LocalAccount
from console.examples import Example
from console.page import ExamplePage
from console.security import PAGE_POLICY
from scripts.board_client import RefusedError, ticket_url

MAX_CONNECTIONS = 50
"""The page shows this number of connections."""
ROOM = "lobby"


class Page(ExamplePage):
    """A client of the board. The browser connects to API Gateway itself, with a ticket that the console gets for it."""

    template = "websocket.html"

    def values(self, example: Example) -> Mapping[str, Any]:
        """Return the room that the form suggests."""
        del example
        return {"room": ROOM}

    def headers(self) -> Mapping[str, str]:
        """Allow the page to connect to the local API, and to nothing else."""
        if not isinstance(self.account, LocalAccount):
            return {}
        api = f"ws://{urlsplit(self.account.engine.endpoint).netloc}"
        return {"Content-Security-Policy": PAGE_POLICY.replace("connect-src 'self'", f"connect-src 'self' {api}")}

    def live(self, example: Example) -> Mapping[str, str]:
        """Return the connections, and the dead letters."""
        dynamodb, outputs = self.account.client("dynamodb"), example.outputs
        answer = dynamodb.scan(TableName=outputs["ConnectionsTableName"], Limit=MAX_CONNECTIONS)
        connections = sorted(
            (item["room"]["S"], item.get("user", {}).get("S", ""), item["connection_id"]["S"])
            for item in answer["Items"]
        )
        queue = self.account.client("sqs").get_queue_attributes(
            QueueUrl=outputs["DeadLetterQueueUrl"], AttributeNames=["ApproximateNumberOfMessages"]
        )
        return {
            "connections": self.render(
                "_websocket_connections.html",
                connections=connections,
                has_more="LastEvaluatedKey" in answer,
                dead_letters=int(queue["Attributes"]["ApproximateNumberOfMessages"]),
            )
        }

    def routes(self) -> Sequence[BaseRoute]:
        """Return the route that issues a ticket."""
        return [Route("/examples/websocket/ticket", self._ticket, methods=["POST"])]

    async def _ticket(self, request: Request) -> Response:
        if not isinstance(self.account, LocalAccount):
            return JSONResponse({"reason": "The console changes nothing in a real account."}, status_code=403)
        form = dict(parse_qsl((await request.body()).decode("utf-8", "replace")))
        try:
            url = await anyio.to_thread.run_sync(self._url, form.get("user", ""), form.get("room", ""))
        except RefusedError as error:
            return JSONResponse({"reason": str(error)})
        except ConnectionError as error:
            return JSONResponse({"reason": f"The function that issues tickets fails: {error}"})
        except ERRORS as error:
            return JSONResponse({"reason": self.account.explanation(error)}, status_code=503)
        return JSONResponse({"url": url})

    def _url(self, user: str, room: str) -> str:
        url = ticket_url(self.account.client("lambda"), self.outputs()["IssuerName"], user, room)
        return self.account.url(url)
