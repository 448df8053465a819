"""S3 invokes a function for each uploaded picture. The function writes a thumbnail to S3 and metadata to DynamoDB."""

from typing import Any

from aws_cdk import Stack
from aws_cdk import aws_logs as logs
from constructs import Construct

from stacks._alarms import alarm_topic, notify
from stacks._cdk_helpers import add_helper_log_groups
from stacks._functions import python_function
from stacks._stores import removal_policy
from stacks._thumbnails import connect, thumbnail_alarms, thumbnail_options, thumbnail_stores


class ThumbnailStack(Stack):
    """A bucket for uploads, a function, a bucket and a table for its results, and a queue for failed events."""

    def __init__(  # noqa: PLR0913 - each setting is a keyword argument
        self,
        scope: Construct,
        id: str,  # noqa: A002 - CDK uses this name
        *,
        retain_data: bool,
        log_retention: logs.RetentionDays,
        max_edge: int,
        concurrency: int | None = None,
        watch_closely: bool = False,
        alarm_email: str | None = None,
        **stack_parameters: Any,
    ) -> None:
        """Add the resources of the example. `watch_closely` adds alarms on events that Lambda will try again."""
        description = "Lambda: a picture put into S3 becomes a thumbnail in S3 and an item in DynamoDB"
        super().__init__(scope, id, description=description, **stack_parameters)

        stores = thumbnail_stores(self, retain_data=retain_data)
        function = python_function(
            self,
            "Function",
            "thumbnail",
            reserved_concurrent_executions=concurrency,
            log_retention=log_retention,
            removal=removal_policy(retain_data=retain_data),
            **thumbnail_options(stores, max_edge=max_edge),
        )
        connect(stores, function, retain_data=retain_data)
        alarms = thumbnail_alarms(stores, function, stem="thumbnail", early_warnings=watch_closely)
        notify(alarms, alarm_topic(self, alarm_email))
        add_helper_log_groups(self, retention=log_retention)
