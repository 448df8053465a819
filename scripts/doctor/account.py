"""Read-only questions to the AWS account. If AWS does not answer a question, its method raises UnansweredError."""

import re
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import boto3
from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.type_defs import StackTypeDef

Parameters = ParamSpec("Parameters")
Answer = TypeVar("Answer")

STANDARD_FAMILIES = re.compile("(?!dl|hpc|inf|mac|trn)[acdhimrtz]")
"""The pattern of the instance types that share the quota for standard instances.
https://docs.aws.amazon.com/ec2/latest/instancetypes/ec2-instance-quotas.html"""


class UnansweredError(Exception):
    """AWS gave no answer. For example, a permission is missing, or the region does not have the service."""

    def __init__(self, error: BotoCoreError | ClientError) -> None:
        super().__init__(error.response["Error"]["Code"] if isinstance(error, ClientError) else str(error))
        self.error = error


def _question(method: Callable[Parameters, Answer]) -> Callable[Parameters, Answer]:
    @wraps(method)
    def ask(*arguments: Parameters.args, **options: Parameters.kwargs) -> Answer:
        try:
            return method(*arguments, **options)
        except (BotoCoreError, ClientError) as error:
            raise UnansweredError(error) from error

    return ask


class Account:
    """The account and region of the person's credentials."""

    def __init__(self, session: boto3.Session) -> None:
        self._session = session

    def _client(self, service: str, region: str | None = None) -> Any:
        return self._session.client(service, region_name=region)  # type: ignore[call-overload] # any service

    def _pages(self, service: str, operation: str, key: str, **options: Any) -> list[Any]:
        paginator = self._client(service).get_paginator(operation)
        return [entry for page in paginator.paginate(**options) for entry in page[key]]

    @property
    def region(self) -> str | None:
        """The region of the credentials, or None if none is set."""
        return self._session.region_name

    @_question
    def identity(self) -> tuple[str, str]:
        """Return the account id, and the ARN of the user or role."""
        answer = self._client("sts").get_caller_identity()
        return answer["Account"], answer["Arn"]

    @_question
    def bootstrap_version(self) -> int | None:
        """Return the version of CDK's bootstrap stack, or None if the stack does not exist."""
        ssm = self._client("ssm")
        try:
            parameter = ssm.get_parameter(Name="/cdk-bootstrap/hnb659fds/version")["Parameter"]
        except ssm.exceptions.ParameterNotFound:
            return None
        return int(parameter["Value"])

    @_question
    def has_free_plan(self) -> bool:
        """Whether the account has AWS's Free plan, which allows only some instance types."""
        plan = self._client("freetier", "us-east-1").get_account_plan_state()
        return str(plan["accountPlanType"]) == "FREE"

    @_question
    def free_plan_types(self) -> set[str]:
        """Return the instance types that the Free plan allows in the region."""
        only_eligible = [{"Name": "free-tier-eligible", "Values": ["true"]}]
        instance_types = self._pages("ec2", "describe_instance_types", "InstanceTypes", Filters=only_eligible)
        return {each["InstanceType"] for each in instance_types}

    @_question
    def vcpus(self, instance_type: str) -> int:
        """Return the number of vCPUs of an instance type."""
        (description,) = self._client("ec2").describe_instance_types(InstanceTypes=[instance_type])["InstanceTypes"]
        return int(description["VCpuInfo"]["DefaultVCpus"])

    @_question
    def zones(self) -> list[str]:
        """Return the Availability Zones that Fn::GetAZs returns. CDK's VPC uses the first two.

        These are the zones with a default subnet, or all zones if no zone has one. AWS does not guarantee their order.
        https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference-getavailabilityzones.html
        """
        only_zones = [
            {"Name": "zone-type", "Values": ["availability-zone"]},
            {"Name": "state", "Values": ["available"]},
        ]
        zones = self._client("ec2").describe_availability_zones(Filters=only_zones)["AvailabilityZones"]
        names = {each["ZoneName"] for each in zones}
        default = [{"Name": "default-for-az", "Values": ["true"]}]
        subnets = self._pages("ec2", "describe_subnets", "Subnets", Filters=default)
        return sorted(names & {each["AvailabilityZone"] for each in subnets} or names)

    @_question
    def zones_with(self, instance_type: str) -> set[str]:
        """Return the Availability Zones that offer an instance type."""
        only_this_type = [{"Name": "instance-type", "Values": [instance_type]}]
        offerings = self._pages(
            "ec2",
            "describe_instance_type_offerings",
            "InstanceTypeOfferings",
            LocationType="availability-zone",
            Filters=only_this_type,
        )
        return {each["Location"] for each in offerings}

    @_question
    def quota(self, service: str, code: str) -> float:
        """Return the value of a quota in this account. If the account has no own value, return the default of AWS."""
        quotas = self._client("service-quotas")
        try:
            answer = quotas.get_service_quota(ServiceCode=service, QuotaCode=code)
        except quotas.exceptions.NoSuchResourceException:
            answer = quotas.get_aws_default_service_quota(ServiceCode=service, QuotaCode=code)
        return float(answer["Quota"]["Value"])

    @_question
    def count(self, service: str, operation: str, key: str, **options: Any) -> int:
        """Return the number of resources that a paginated operation lists under a key of its answer."""
        return len(self._pages(service, operation, key, **options))

    @_question
    def addresses(self) -> int:
        """Return the number of Elastic IP addresses. The operation has no pages."""
        return len(self._client("ec2").describe_addresses()["Addresses"])

    @_question
    def load_balancers(self) -> int:
        """Return the number of Application Load Balancers."""
        balancers = self._pages("elbv2", "describe_load_balancers", "LoadBalancers")
        return sum(each["Type"] == "application" for each in balancers)

    @_question
    def running_vcpus(self, *, spot: bool) -> int:
        """Return the number of vCPUs of the running standard instances: either all Spot or all on-demand ones."""
        active = [{"Name": "instance-state-name", "Values": ["pending", "running"]}]
        reservations = self._pages("ec2", "describe_instances", "Reservations", Filters=active)
        instances = [instance for reservation in reservations for instance in reservation["Instances"]]
        return sum(
            instance["CpuOptions"]["CoreCount"] * instance["CpuOptions"]["ThreadsPerCore"]
            for instance in instances
            if STANDARD_FAMILIES.match(instance["InstanceType"])
            and (instance.get("InstanceLifecycle") == "spot") is spot
        )

    @_question
    def concurrency(self) -> tuple[int, int]:
        """Return two numbers of concurrent executions: the account's limit, and the executions that nobody reserved."""
        limits = self._client("lambda").get_account_settings()["AccountLimit"]
        return limits["ConcurrentExecutions"], limits["UnreservedConcurrentExecutions"]

    @_question
    def has_role(self, name: str) -> bool:
        """Whether an IAM role exists."""
        iam = self._client("iam")
        try:
            iam.get_role(RoleName=name)
        except iam.exceptions.NoSuchEntityException:
            return False
        return True

    @_question
    def stacks(self) -> dict[str, "StackTypeDef"]:
        """Return the description of every CloudFormation stack, by the name of the stack."""
        return {stack["StackName"]: stack for stack in self._pages("cloudformation", "describe_stacks", "Stacks")}

    @_question
    def is_protected(self, stack_name: str) -> bool:
        """Whether a stack is protected from deletion. AWS says it only for a single stack (boto3 #2907)."""
        (stack,) = self._client("cloudformation").describe_stacks(StackName=stack_name)["Stacks"]
        return bool(stack.get("EnableTerminationProtection"))
