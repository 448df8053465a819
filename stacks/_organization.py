"""Changes of the stacks for an organization whose rules cost money. They are the setting `organization_rules`.

The rules are proactive controls of AWS Control Tower: CloudFormation refuses a resource that does not follow them.
docs/security.md lists the controls that the stacks then follow, and the cost.
"""

from collections.abc import Callable, Mapping
from typing import Any, cast

from aws_cdk import App, CfnResource, Duration, RemovalPolicy, Stack
from aws_cdk import aws_autoscaling as autoscaling
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3

MIN_RETENTION = logs.RetentionDays.ONE_YEAR
"""The shortest time for which a log group may keep its events."""
VERSION_DAYS = 30
"""Days after which S3 deletes an overwritten or deleted object. Only buckets that had no versions before get this rule.

The rule also removes delete markers. S3 writes such a marker when somebody deletes an object, and keeps it otherwise.
"""
KEY_WAITS = Duration.days(7)
"""The shortest time between the deletion of a stack and the deletion of its key. A waiting key costs nothing."""


def long_retention(retention: logs.RetentionDays) -> logs.RetentionDays:
    """Return the retention, or MIN_RETENTION if it is longer."""
    return max(retention, MIN_RETENTION, key=list(logs.RetentionDays).index)  # the members are in ascending order


def follow_organization_rules(app: App, *, removal: RemovalPolicy) -> None:
    """Change the resources of every stack. Call this function after all stacks are complete.

    `removal` is the removal policy of the new keys. A retained log group needs its key.
    """
    for stack in (child for child in app.node.children if isinstance(child, Stack)):
        resources = [each for each in stack.node.find_all() if isinstance(each, CfnResource)]
        for resource in resources:
            change = CHANGES.get(resource.cfn_resource_type)
            if change is not None:
                change(stack, resource)
        log_groups = [each for each in resources if isinstance(each, logs.CfnLogGroup)]
        if log_groups:
            key = _log_key(stack, removal)
            for log_group in log_groups:
                log_group.kms_key_id = key.key_arn


def _log_key(stack: Stack, removal: RemovalPolicy) -> kms.Key:
    key = kms.Key(
        stack,
        "LogKey",
        description=f"{stack.stack_name}: the logs",
        enable_key_rotation=True,
        removal_policy=removal,
        pending_window=KEY_WAITS,
    )
    only_logs_of_account = {"kms:EncryptionContext:aws:logs:arn": stack.format_arn(service="logs", resource="*")}
    only_for_others = {"kms:GrantIsForAWSResource": "false", "aws:PrincipalIsAWSService": "false"}
    for statement in (
        # https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html
        iam.PolicyStatement(
            principals=[iam.ServicePrincipal(f"logs.{stack.region}.amazonaws.com")],
            actions=["kms:Encrypt*", "kms:Decrypt*", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"],
            resources=["*"],  # in the policy of a key, this is the key itself
            conditions={"ArnLike": only_logs_of_account},
        ),
        # Only AWS services may give others access to the key. CT.KMS.PR.3 requires exactly this statement.
        iam.PolicyStatement(
            effect=iam.Effect.DENY,
            principals=[iam.AnyPrincipal()],
            actions=["kms:CreateGrant"],
            resources=["*"],
            conditions={"BoolIfExists": only_for_others},
        ),
    ):
        key.add_to_resource_policy(statement)
    return key


def _change_bucket(stack: Stack, bucket: Any) -> None:
    if not any(isinstance(each, elbv2.CfnLoadBalancer) for each in stack.node.find_all()):
        # This is the key aws/s3 of the account. Its policy allows everybody who may use the bucket.
        # A load balancer cannot write its log with a key in KMS.
        # https://docs.aws.amazon.com/elasticloadbalancing/latest/application/enable-access-logging.html
        bucket.add_property_override(
            "BucketEncryption.ServerSideEncryptionConfiguration",
            [{"BucketKeyEnabled": True, "ServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}],
        )
    if bucket.versioning_configuration is None:
        bucket.versioning_configuration = s3.CfnBucket.VersioningConfigurationProperty(status="Enabled")
        # This is a rule of its own. AWS refuses a rule that removes delete markers and also deletes objects by age.
        # https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-s3-bucket-rule.html
        cast("s3.Bucket", bucket.node.scope).add_lifecycle_rule(
            noncurrent_version_expiration=Duration.days(VERSION_DAYS), expired_object_delete_marker=True
        )
    if bucket.node.scope.node.try_find_child("Notifications") is None:
        # CDK's custom resource would overwrite this property of a bucket that starts a function. The events are billed.
        bucket.add_property_override("NotificationConfiguration.EventBridgeConfiguration", {"EventBridgeEnabled": True})


def _change_table(_stack: Stack, table: Any) -> None:
    # This is the key aws/dynamodb of the account. It needs no permissions of the roles.
    table.sse_specification = dynamodb.CfnTable.SSESpecificationProperty(sse_enabled=True)


def _change_launch_template(_stack: Stack, template: Any) -> None:
    template.add_property_override("LaunchTemplateData.Monitoring", {"Enabled": True})


def _change_auto_scaling_group(stack: Stack, group: Any) -> None:
    vpc = cast("ec2.IVpc", stack.node.find_child("Vpc"))
    group.availability_zones = vpc.availability_zones  # the zones of its subnets


CHANGES: Mapping[str, Callable[[Stack, Any], None]] = {
    autoscaling.CfnAutoScalingGroup.CFN_RESOURCE_TYPE_NAME: _change_auto_scaling_group,
    dynamodb.CfnTable.CFN_RESOURCE_TYPE_NAME: _change_table,
    ec2.CfnLaunchTemplate.CFN_RESOURCE_TYPE_NAME: _change_launch_template,
    s3.CfnBucket.CFN_RESOURCE_TYPE_NAME: _change_bucket,
}
"""For each CloudFormation type, the function that changes its resources. Log groups also get the key of their stack."""
