"""The entry point of the notes API: API Gateway sends every request to this one Lambda function.

The resolver (`app`) calls the function for the request's path and method. These functions are in routes.py.
errors.py turns every exception into a problem document, so that a client's mistake never causes a 5xx status.
"""

import os
from typing import Any

from aws_lambda_powertools import Logger, Tracer
from aws_lambda_powertools.event_handler import APIGatewayRestResolver, CORSConfig
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.utilities.typing import LambdaContext

from api import errors, routes
from api.request import path_without_base

logger = Logger()
tracer = Tracer(patch_modules=["botocore"])
app = APIGatewayRestResolver(
    cors=CORSConfig(
        allow_origin=os.environ["ALLOWED_ORIGIN"],
        expose_headers=["ETag", "Location", "Retry-After", "Idempotency-Replayed"],
    )
)
app.include_router(routes.router)
app.include_router(errors.router)


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_REST, clear_state=True)
@tracer.capture_lambda_handler(capture_response=False)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Return the answer to one request of API Gateway (Lambda proxy integration, payload version 1.0)."""
    return app.resolve({**event, "path": path_without_base(event)}, context)
