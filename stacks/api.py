"""A versioned REST API for notes. API Gateway invokes a function, and the function reads and writes a table."""

from typing import Any

from aws_cdk import CfnOutput, Duration, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct

from stacks._alarms import alarm_topic, notify
from stacks._cdk_helpers import add_helper_log_groups
from stacks._functions import python_function
from stacks._stores import on_demand_table, removal_policy
from stacks.api_access_logs import add_access_logs
from stacks.api_gateway import add_key, add_routes, rest_api
from stacks.api_problems import add_problems
from stacks.api_watch import add_alarms, add_dashboard

MEMORY_MB = 512
"""This memory gives the function 0.29 of a vCPU, which is enough, because a request mostly waits for DynamoDB."""


class ApiStack(Stack):
    """API Gateway (with an API key, limits and an access log), a function, a table, alarms and a dashboard."""

    def __init__(  # noqa: PLR0913 - each setting is a keyword argument
        self,
        scope: Construct,
        id: str,  # noqa: A002 - CDK uses this name
        *,
        retain_data: bool,
        log_retention: logs.RetentionDays,
        allowed_origin: str,
        watch_closely: bool = False,
        alarm_email: str | None = None,
        **stack_parameters: Any,
    ) -> None:
        """Add the resources of the example. `watch_closely` adds alarms on latency and throttles, and the dashboard."""
        description = "API Gateway: a REST API for notes, with keys, throttling and a dashboard, on Lambda and DynamoDB"
        super().__init__(scope, id, description=description, **stack_parameters)
        removal = removal_policy(retain_data=retain_data)

        notes = self._table("Notes", retain_data=retain_data)
        function = python_function(
            self,
            "Function",
            "api",
            memory_size=MEMORY_MB,
            # Enough for two DynamoDB calls with two tries each. API Gateway waits for 29 seconds.
            timeout=Duration.seconds(20),
            initial_policy=_table_access(notes),
            environment={"NOTES_TABLE": notes.table_name, "ALLOWED_ORIGIN": allowed_origin},
            log_retention=log_retention,
            removal=removal,
        )
        access_logs = add_access_logs(self, "AccessLogs", same_retention_as=function.log_group, removal=removal)
        api = rest_api(self, "Api", access_logs)
        add_routes(api, function, allowed_origin)
        add_problems(api, allowed_origin)
        key = add_key(api)

        alarms = add_alarms(self, api, function, early_warnings=watch_closely)
        notify(alarms, alarm_topic(self, alarm_email))
        if watch_closely:
            add_dashboard(self, "Dashboard", api, function, notes, alarms)
        add_helper_log_groups(self, retention=log_retention)

        CfnOutput(self, "ApiUrl", value=api.url)
        CfnOutput(self, "ApiKeyId", value=key.key_id)
        CfnOutput(self, "TableName", value=notes.table_name)

    def _table(self, id_: str, *, retain_data: bool) -> dynamodb.Table:
        table = on_demand_table(
            self,
            id_,
            partition_key="id",  # ids are random, so DynamoDB spreads the notes over all partitions
            # DynamoDB deletes an item after the time in this attribute. Only idempotency keys have it, so notes remain.
            time_to_live_attribute="expires_at",
            retain_data=retain_data,
            why_no_recovery="The notes in a sandbox are only experiments, so nobody needs to restore them.",
        )
        # This index contains all notes in one partition, in the order of their creation. So one query reads one page. A
        # partition accepts 1,000 write units a second. The index needs only one unit for a note, because it does not
        # contain the bodies of notes.
        table.add_global_secondary_index(
            index_name="newest",
            partition_key=dynamodb.Attribute(name="collection", type=dynamodb.AttributeType.STRING),
            sort_key=dynamodb.Attribute(name="created", type=dynamodb.AttributeType.STRING),
            projection_type=dynamodb.ProjectionType.INCLUDE,
            non_key_attributes=["title", "tags", "created_at", "updated_at", "version"],
        )
        return table


def _table_access(notes: dynamodb.Table) -> list[iam.PolicyStatement]:
    # CDK's grant_read_write_data() would also allow the function to scan the whole table.
    return [
        iam.PolicyStatement(
            actions=["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"],
            resources=[notes.table_arn],
        ),
        iam.PolicyStatement(actions=["dynamodb:Query"], resources=[f"{notes.table_arn}/index/newest"]),
    ]
