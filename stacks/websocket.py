"""A live board: a WebSocket API, functions and tables. A DynamoDB stream broadcasts each message to a room."""

from collections.abc import Mapping
from typing import Any

from aws_cdk import CfnOutput, Duration, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from stacks._alarms import alarm_topic, notify
from stacks._functions import METRICS_NAMESPACE, python_function
from stacks._stores import dead_letter_queue, on_demand_table, removal_policy
from stacks.websocket_api import add_access_log, board_api
from stacks.websocket_broadcast import MANAGEMENT_ENDPOINT, allow_sending, broadcast
from stacks.websocket_watch import add_alarms

MEMORY_MB = 512
"""This memory gives a function 0.29 of a vCPU, which is enough, because a function mostly waits for AWS."""
ROUTE_SECONDS, BROADCAST_SECONDS = 20, 60
"""Time limits of the functions. API Gateway waits for 29 seconds for an answer, and nobody waits for a broadcast."""
EXPERIMENT = "The data in a sandbox are only experiments, so nobody needs to restore them."


class WebsocketStack(Stack):
    """A WebSocket API, four functions, tables for tickets, connections and messages, a dead-letter queue and alarms."""

    def __init__(  # noqa: PLR0913 - each setting is a keyword argument
        self,
        scope: Construct,
        id: str,  # noqa: A002 - CDK uses this name
        *,
        retain_data: bool,
        log_retention: logs.RetentionDays,
        access_log: bool = False,
        watch_closely: bool = False,
        alarm_email: str | None = None,
        **stack_parameters: Any,
    ) -> None:
        """Add the resources of the example.

        `access_log` needs a role in the settings of the account. `watch_closely` adds alarms on work that Lambda will
        try again.
        """
        description = "API Gateway: a live board over WebSockets, on Lambda and DynamoDB"
        super().__init__(scope, id, description=description, **stack_parameters)
        removal = removal_policy(retain_data=retain_data)
        self._log_settings: dict[str, Any] = {"log_retention": log_retention, "removal": removal}

        tickets = self._table("Tickets", "ticket", retain_data=retain_data)
        connections = self._table("Connections", "room", "connection_id", retain_data=retain_data)
        stream = dynamodb.StreamViewType.NEW_IMAGE
        messages = self._table("Messages", "room", "key", retain_data=retain_data, stream=stream)
        dead_letters = dead_letter_queue(self, "DeadLetters", removal=removal)

        authorizer = self._function("Authorizer", "authorizer", {"TICKETS_TABLE": tickets.table_name})
        tickets.grant(authorizer, "dynamodb:DeleteItem")
        tables = {"CONNECTIONS_TABLE": connections.table_name, "MESSAGES_TABLE": messages.table_name}
        routes = self._function("Routes", "handler", tables)
        connections.grant(routes, "dynamodb:PutItem", "dynamodb:DeleteItem")
        messages.grant(routes, "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:Query")

        stage = board_api(self, "Api", authorizer, routes)
        if access_log:
            add_access_log(stage, **self._log_settings)
        issuer_environment = {"TICKETS_TABLE": tickets.table_name, "API_URL": stage.url}
        issuer = self._function("Issuer", "tickets", issuer_environment)
        tickets.grant(issuer, "dynamodb:PutItem")
        environment = {
            "CONNECTIONS_TABLE": connections.table_name,
            MANAGEMENT_ENDPOINT: stage.callback_url,
            "POWERTOOLS_METRICS_NAMESPACE": METRICS_NAMESPACE,
        }
        broadcaster = self._function("Broadcaster", "broadcast", environment, seconds=BROADCAST_SECONDS)
        connections.grant(broadcaster, "dynamodb:Query", "dynamodb:DeleteItem")
        allow_sending(broadcaster, stage)
        broadcast(messages, broadcaster, dead_letters)

        alarms = add_alarms(self, authorizer, routes, broadcaster, dead_letters, early_warnings=watch_closely)
        notify(alarms, alarm_topic(self, alarm_email))

        CfnOutput(self, "ApiUrl", value=stage.url)
        CfnOutput(self, "IssuerName", value=issuer.function_name)
        CfnOutput(self, "ConnectionsTableName", value=connections.table_name)
        CfnOutput(self, "MessagesTableName", value=messages.table_name)
        CfnOutput(self, "DeadLetterQueueUrl", value=dead_letters.queue_url)

    def _table(
        self,
        id_: str,
        partition_key: str,
        sort_key: str | None = None,
        *,
        retain_data: bool,
        stream: dynamodb.StreamViewType | None = None,
    ) -> dynamodb.Table:
        return on_demand_table(
            self,
            id_,
            partition_key=partition_key,
            sort_key=sort_key,
            time_to_live_attribute="expires_at",
            retain_data=retain_data,
            why_no_recovery=EXPERIMENT,
            stream=stream,
        )

    def _function(
        self, id_: str, module: str, environment: Mapping[str, str], seconds: int = ROUTE_SECONDS
    ) -> lambda_.Function:
        # X-Ray does not trace WebSocket APIs, so these functions have no traces.
        return python_function(
            self,
            id_,
            "websocket",
            module=module,
            prefix=id_,
            tracing=False,
            memory_size=MEMORY_MB,
            timeout=Duration.seconds(seconds),
            environment=environment,
            **self._log_settings,
        )
