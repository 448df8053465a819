"""The way of a message to the clients: the stream of the messages table invokes a function, which calls API Gateway."""

import json
from typing import cast

from aws_cdk import Duration, Stack
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs

from stacks._nag import acknowledge

MANAGEMENT_ENDPOINT = "AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI"
"""The environment variable from which the SDKs read the address at which an API accepts messages for its clients.
https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html"""
BATCH_SIZE = 100
"""Maximum number of messages that one call of the function receives."""
MAX_AGE = Duration.minutes(5)
"""Time for which Lambda tries to broadcast a message. Clients ask for missed messages at least as often."""
RETRIES = 10
"""Maximum number of retries. Afterwards a dead letter says which messages were not broadcast."""
NEW_MESSAGE = {"eventName": ["INSERT"], "dynamodb": {"NewImage": {"key": {"S": [{"prefix": "message#"}]}}}}
"""The changes of the table for which Lambda invokes the function. The table also contains counters and ids."""


def allow_sending(function: lambda_.Function, stage: apigateway.WebSocketStage) -> None:
    """Allow the function to send messages to the clients of this API, and to close their connections."""
    stack = Stack.of(function)
    api_id = stack.get_logical_id(cast("apigateway.CfnApi", stage.api.node.default_child))
    for method in ("POST", "DELETE"):
        path = f"{stage.stage_name}/{method}/@connections/*"
        resource = stack.format_arn(service="execute-api", resource=stage.api.api_id, resource_name=path)
        function.add_to_role_policy(
            iam.PolicyStatement(actions=["execute-api:ManageConnections"], resources=[resource])
        )
        acknowledge(
            cast("iam.Role", function.role),
            "AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:execute-api:<AWS::Region>:<AWS::AccountId>:"
            f"<{api_id}>/{path}]",
            "API Gateway chooses the ids of connections, so they are not known in advance.",
        )


def broadcast(messages: dynamodb.Table, function: lambda_.Function, dead_letters: sqs.Queue) -> None:
    """Invoke the function for each new message of the table. Lambda sends what fails to the dead-letter queue."""
    stream = cast("str", messages.table_stream_arn)
    # https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-eventsourcemapping.html
    for actions, resource in (
        (["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"], stream),
        (["dynamodb:ListStreams"], "*"),
    ):
        function.add_to_role_policy(iam.PolicyStatement(actions=actions, resources=[resource]))
    acknowledge(
        cast("iam.Role", function.role),
        "AwsSolutions-IAM5[Resource::*]",
        "dynamodb:ListStreams cannot be limited to a resource.",
    )
    dead_letters.grant(function, "sqs:SendMessage")
    source = lambda_.CfnEventSourceMapping
    mapping = source(
        Stack.of(function),
        "Stream",
        event_source_arn=stream,
        function_name=function.function_name,
        starting_position="TRIM_HORIZON",
        batch_size=BATCH_SIZE,
        filter_criteria=source.FilterCriteriaProperty(
            filters=[source.FilterProperty(pattern=json.dumps(NEW_MESSAGE, separators=(",", ":")))]
        ),
        function_response_types=["ReportBatchItemFailures"],  # Lambda then retries only from the failed message on
        bisect_batch_on_function_error=True,
        maximum_record_age_in_seconds=int(MAX_AGE.to_seconds()),
        maximum_retry_attempts=RETRIES,
        destination_config=source.DestinationConfigProperty(
            on_failure=source.OnFailureProperty(destination=dead_letters.queue_arn)
        ),
    )
    mapping.node.add_dependency(cast("iam.Role", function.role))  # Lambda refuses the mapping without the permissions
