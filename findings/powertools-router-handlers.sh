#!/bin/sh
# Versions: aws-lambda-powertools 3.37.0, Python 3.11
# Expected: an exception handler of a Router handles the exceptions of this Router's own routes. The Router's prefix
#     limits its routes, so it also limits its handlers.
# Behaviour: `include_router` copies the handlers into the resolver. Each handler then serves the whole API, and the
#     router that is included last wins. A Router's handler for NotFoundError also answers unknown paths outside its
#     prefix.
# Output: "GET /books/1: handled by the users router"
#     "GET /users/1: handled by the users router"
#     "GET /none: not found, says the users router"
#     "GET /books/1 when the books router comes last: handled by the books router"
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check aws-lambda-powertools==3.37.0
cat > "$folder/routers.py" <<'PY'
import sys

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.router import APIGatewayHttpRouter


def make_router(name: str) -> APIGatewayHttpRouter:
    router = APIGatewayHttpRouter()

    @router.get("/<number>")
    def get_entry(number: str) -> None:
        raise ValueError(number)

    @router.exception_handler(ValueError)
    def handle_value_error(error: ValueError) -> Response:
        return Response(status_code=400, content_type="text/plain", body=f"handled by the {name} router")

    @router.exception_handler(NotFoundError)
    def handle_unknown_path(error: NotFoundError) -> Response:
        return Response(status_code=404, content_type="text/plain", body=f"not found, says the {name} router")

    return router


def get_body(names: list[str], path: str) -> str:
    """Return the body of a GET answer from an API that includes these routers in this order."""
    resolver = APIGatewayHttpResolver()
    for name in names:
        resolver.include_router(make_router(name), prefix=f"/{name}")
    request = {"http": {"method": "GET", "path": path}, "stage": "$default"}
    event = {"version": "2.0", "rawPath": path, "headers": {}, "requestContext": request}
    return resolver.resolve(event, None)["body"]


bodies = [get_body(["books", "users"], path) for path in ("/books/1", "/users/1", "/none")]
bodies.append(get_body(["users", "books"], "/books/1"))
labels = ["GET /books/1", "GET /users/1", "GET /none", "GET /books/1 when the books router comes last"]
for label, body in zip(labels, bodies, strict=True):
    print(f"{label}: {body}")
expected = ["handled by the users router"] * 2 + ["not found, says the users router", "handled by the books router"]
sys.exit(bodies != expected)
PY
"$folder/venv/bin/python" "$folder/routers.py"
