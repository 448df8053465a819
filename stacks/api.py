"""A REST API for notes in two versions. API Gateway invokes a function, and the function reads and writes a table.

Version 1 has API keys, and one table for all clients. In version 2 people sign in, and have their own notes. Each
version has a function and a table of its own. A third function exports the notes of version 2 for programs.
"""

from collections.abc import Sequence
from typing import Any

from aws_cdk import CfnOutput, Duration, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from stacks._alarms import alarm_topic, notify
from stacks._cdk_helpers import add_helper_log_groups
from stacks._functions import python_function
from stacks._stores import on_demand_table, removal_policy
from stacks.api_access import access_of_people, access_of_programs, access_with_key
from stacks.api_access_logs import add_access_logs
from stacks.api_domain import add_domain
from stacks.api_gateway import add_key, add_routes, rest_api
from stacks.api_problems import add_problems
from stacks.api_sign_in import DEFAULT_CALLBACK_URLS, add_clients, add_sign_in_page, export_role, user_pool
from stacks.api_watch import add_alarms, add_dashboard

MEMORY_MB = 512
"""This memory gives the function 0.29 of a vCPU, which is enough, because a request mostly waits for DynamoDB."""
LISTED_ATTRIBUTES = ["title", "tags", "created_at", "updated_at", "version"]
"""The attributes in the index of a table: all attributes of a note except the body."""


class ApiStack(Stack):
    """API Gateway, a user pool, three functions, two tables, alarms and a dashboard."""

    def __init__(  # noqa: PLR0913 - each setting is a keyword argument
        self,
        scope: Construct,
        id: str,  # noqa: A002 - CDK uses this name
        *,
        retain_data: bool,
        log_retention: logs.RetentionDays,
        allowed_origin: str,
        self_sign_up: bool = False,
        callback_urls: Sequence[str] = DEFAULT_CALLBACK_URLS,
        domain_name: str | None = None,
        certificate_arn: str | None = None,
        base_path: str | None = None,
        watch_closely: bool = False,
        alarm_email: str | None = None,
        **stack_parameters: Any,
    ) -> None:
        """Add the resources of the example. `watch_closely` adds alarms on latency and throttles, and the dashboard."""
        description = "API Gateway: a REST API for notes, with API keys and sign-in, on Lambda, Cognito and DynamoDB"
        super().__init__(scope, id, description=description, **stack_parameters)
        removal = removal_policy(retain_data=retain_data)

        notes, own_notes = self._shared_notes(retain_data=retain_data), self._own_notes(retain_data=retain_data)

        def function(prefix: str, table: dynamodb.Table, policy: list[iam.PolicyStatement]) -> lambda_.Function:
            return python_function(
                self,
                f"{prefix}Function",
                "api",
                prefix=prefix,
                memory_size=MEMORY_MB,
                # Enough for two DynamoDB calls with two tries each. API Gateway waits for 29 seconds.
                timeout=Duration.seconds(20),
                initial_policy=policy,
                environment={"NOTES_TABLE": table.table_name, "ALLOWED_ORIGIN": allowed_origin},
                log_retention=log_retention,
                removal=removal,
            )

        # Each function has a role of its own, so a mistake in one version cannot reach the notes of the other one.
        version_1 = function("", notes, _table_access(notes))
        version_2 = function("V2", own_notes, _table_access(own_notes))
        export = function("Export", own_notes, [_scan(own_notes)])
        access_logs = add_access_logs(self, "AccessLogs", same_retention_as=version_1.log_group, removal=removal)
        api = rest_api(self, "Api", access_logs)
        users = user_pool(self, "Users", retain_data=retain_data, self_sign_up=self_sign_up)
        add_routes(
            api,
            {
                "ApiKey": access_with_key(version_1),
                "SignedIn": access_of_people(version_2, users),
                "Signature": access_of_programs(export),
            },
            allowed_origin,
        )
        add_problems(api, allowed_origin)
        key = add_key(api)
        exporter = export_role(self, "Exporter", api)
        clients = add_clients(users, callback_urls)
        sign_in_page = add_sign_in_page(users)
        if domain_name is not None and certificate_arn is not None:
            add_domain(api, domain_name=domain_name, certificate_arn=certificate_arn, base_path=base_path)

        alarms = add_alarms(self, api, version_1, early_warnings=watch_closely)
        notify(alarms, alarm_topic(self, alarm_email))
        if watch_closely:
            functions = {
                "Function of version 1": version_1,
                "Function of version 2": version_2,
                "Function of the export": export,
            }
            tables = {"Table of version 1": notes, "Table of version 2": own_notes}
            add_dashboard(self, "Dashboard", api, functions, tables, alarms)
        add_helper_log_groups(self, retention=log_retention)

        CfnOutput(self, "ApiUrl", value=api.url)
        CfnOutput(self, "ApiKeyId", value=key.key_id)
        CfnOutput(self, "TableName", value=notes.table_name)
        CfnOutput(self, "OwnNotesTableName", value=own_notes.table_name)
        CfnOutput(self, "UserPoolId", value=users.user_pool_id)
        CfnOutput(self, "AppClientId", value=clients.app.user_pool_client_id)
        CfnOutput(self, "ScriptClientId", value=clients.script.user_pool_client_id)
        CfnOutput(self, "SignInPage", value=sign_in_page.base_url())
        CfnOutput(self, "ExportRoleArn", value=exporter.role_arn)

    def _shared_notes(self, *, retain_data: bool) -> dynamodb.Table:
        table = on_demand_table(
            self,
            "Notes",
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
            non_key_attributes=LISTED_ATTRIBUTES,
        )
        return table

    def _own_notes(self, *, retain_data: bool) -> dynamodb.Table:
        table = on_demand_table(
            self,
            "OwnNotes",
            # The notes of a person are one partition. DynamoDB refuses a key without an owner, so a mistake in the code
            # cannot read a note by its id alone.
            partition_key="owner",
            sort_key="id",
            time_to_live_attribute="expires_at",
            retain_data=retain_data,
            why_no_recovery="The notes in a sandbox are only experiments, so nobody needs to restore them.",
        )
        # A local index has the same partitions as the table. It allows consistent reads, so a person sees a new note in
        # the list at once. With a local index, a partition has at most 10 GB, which are 25,000 of the largest notes.
        table.add_local_secondary_index(
            index_name="newest",
            sort_key=dynamodb.Attribute(name="created", type=dynamodb.AttributeType.STRING),
            projection_type=dynamodb.ProjectionType.INCLUDE,
            non_key_attributes=LISTED_ATTRIBUTES,
        )
        return table


def _scan(notes: dynamodb.Table) -> iam.PolicyStatement:
    return iam.PolicyStatement(actions=["dynamodb:Scan"], resources=[notes.table_arn])


def _table_access(notes: dynamodb.Table) -> list[iam.PolicyStatement]:
    # CDK's grant_read_write_data() would also allow the function to scan the whole table.
    return [
        iam.PolicyStatement(
            actions=["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"],
            resources=[notes.table_arn],
        ),
        iam.PolicyStatement(actions=["dynamodb:Query"], resources=[f"{notes.table_arn}/index/newest"]),
    ]
