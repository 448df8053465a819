"""The function that copies a container image into the example's own repository.

Each deployment with a new image invokes the function once.
"""

import os
from typing import TYPE_CHECKING, Any

import boto3
import urllib3
from aws_lambda_powertools import Logger
from botocore.config import Config

from ecr.registry import Registry

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger()

_registry = Registry(
    boto3.client("ecr", config=Config(retries={"mode": "standard", "total_max_attempts": 5})),
    urllib3.PoolManager(retries=urllib3.Retry(5, backoff_factor=0.5), timeout=urllib3.Timeout(connect=5, read=30)),
)
_source = os.environ["SOURCE_REPOSITORY"]
_target = os.environ["TARGET_REPOSITORY"]
_tag = os.environ["IMAGE_TAG"]


@logger.inject_lambda_context
def handler(_event: dict[str, Any], _context: "LambdaContext") -> dict[str, str]:
    """Copy the image that the environment variables name, and return its digest. An error makes the deployment fail."""
    digest = _registry.copy(_source, _target, _tag)
    logger.info("copied", repository=_target, tag=_tag, digest=digest)
    return {"digest": digest}
