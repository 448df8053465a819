"""What the ecs_ec2 stack means to be, beside what both stacks of the web service are (test_web_stacks.py)."""

from typing import Any

import pytest

from tests.support.apps import properties_of, templates
from tools.templates import resources

SANDBOX = templates("sandbox")["ecs_ec2"]
PRODUCTION = templates("production")["ecs_ec2"]
both = pytest.mark.parametrize("template", [SANDBOX, PRODUCTION], ids=["sandbox", "production"])


def launched(template: dict[str, Any]) -> dict[str, Any]:
    return dict(properties_of(template, "AWS::EC2::LaunchTemplate")["LaunchTemplateData"])


@both
def test_the_service_runs_on_the_capacity_provider_that_is_there(template: dict[str, Any]) -> None:
    (provider,) = resources(template, "AWS::ECS::CapacityProvider")
    strategy = properties_of(template, "AWS::ECS::Service")["CapacityProviderStrategy"]
    assert strategy == [{"CapacityProvider": {"Ref": provider}, "Weight": 1}]
    associated = properties_of(template, "AWS::ECS::ClusterCapacityProviderAssociations")["CapacityProviders"]
    assert associated == [{"Ref": provider}]
    assert properties_of(template, "AWS::ECS::TaskDefinition")["RequiresCompatibilities"] == ["EC2"]


@both
def test_ecs_scales_and_drains_the_instances_and_protects_none(template: dict[str, Any]) -> None:
    (group,) = resources(template, "AWS::AutoScaling::AutoScalingGroup")
    assert properties_of(template, "AWS::ECS::CapacityProvider")["AutoScalingGroupProvider"] == {
        "AutoScalingGroupArn": {"Ref": group},
        "ManagedScaling": {"Status": "ENABLED", "TargetCapacity": 100},
        "ManagedDraining": "ENABLED",
        "ManagedTerminationProtection": "DISABLED",  # or no deletion of the stack comes to its end
    }
    instances = properties_of(template, "AWS::AutoScaling::AutoScalingGroup")
    assert instances["NewInstancesProtectedFromScaleIn"] is False
    assert (instances["MinSize"], instances["MaxSize"]) == ("2", "7")
    assert "DesiredCapacity" not in instances, "each deployment would take back what scaling has added"


@both
def test_the_first_instances_are_ecss_too(template: dict[str, Any]) -> None:
    tags = properties_of(template, "AWS::AutoScaling::AutoScalingGroup")["Tags"]
    assert {"Key": "AmazonECSManaged", "Value": "true", "PropagateAtLaunch": True} in tags


@both
def test_the_capacity_provider_waits_for_nothing_that_the_instances_do_not_wait_for(template: dict[str, Any]) -> None:
    (provider,) = resources(template, "AWS::ECS::CapacityProvider").values()
    assert "DependsOn" not in provider, "instances that are in the cluster before it is may get no tasks"


@both
def test_a_new_machine_image_is_rolled_out_one_instance_at_a_time(template: dict[str, Any]) -> None:
    (group,) = resources(template, "AWS::AutoScaling::AutoScalingGroup").values()
    update = group["UpdatePolicy"]["AutoScalingRollingUpdate"]
    assert (update["MaxBatchSize"], update["MinInstancesInService"]) == (1, 2)


@both
def test_instances_are_started_when_there_is_a_way_out(template: dict[str, Any]) -> None:
    (group,) = resources(template, "AWS::AutoScaling::AutoScalingGroup").values()
    subnets = [one["Ref"] for one in group["Properties"]["VPCZoneIdentifier"]]
    routes = {
        name
        for name, route in resources(template, "AWS::EC2::Route").items()
        if any(
            name.startswith(subnet.split("Subnet")[0] + "Subnet" + subnet.split("Subnet")[1][0]) for subnet in subnets
        )
    }
    assert len(routes) == 2
    assert routes <= {*group["DependsOn"]}


@both
def test_instances_are_current_and_closed(template: dict[str, Any]) -> None:
    launch = launched(template)
    image = template["Parameters"][launch["ImageId"]["Ref"]]
    assert image["Default"] == "/aws/service/ecs/optimized-ami/amazon-linux-2023/arm64/recommended/image_id"
    assert launch["InstanceType"] == "t4g.micro"
    assert launch["MetadataOptions"] == {"HttpTokens": "required", "HttpPutResponseHopLimit": 1}
    assert "KeyName" not in launch
    (disk,) = launch["BlockDeviceMappings"]
    assert disk["Ebs"] == {"Encrypted": True, "VolumeType": "gp3", "VolumeSize": 30, "DeleteOnTermination": True}
    assert launch["CreditSpecification"] == {"CpuCredits": "unlimited"}, "or it starts on a fifth of a vCPU"


@both
def test_an_instance_may_do_what_its_agents_do(template: dict[str, Any]) -> None:
    (policy,) = [
        one["Properties"]["PolicyDocument"]
        for name, one in resources(template, "AWS::IAM::Policy").items()
        if name.startswith("InstanceRole")
    ]
    everywhere = {
        action
        for statement in policy["Statement"]
        if statement["Resource"] == "*" and "Condition" not in statement
        for action in statement["Action"]
    }
    assert everywhere == {
        "ecs:DiscoverPollEndpoint",
        "ssm:UpdateInstanceInformation",  # Session Manager, and no more of SSM
        "ssmmessages:CreateControlChannel",
        "ssmmessages:CreateDataChannel",
        "ssmmessages:OpenControlChannel",
        "ssmmessages:OpenDataChannel",
    }
    (role,) = [one for name, one in resources(template, "AWS::IAM::Role").items() if name.startswith("InstanceRole")]
    assert "ManagedPolicyArns" not in role["Properties"]


@both
def test_tasks_are_spread_over_zones_and_then_packed(template: dict[str, Any]) -> None:
    assert properties_of(template, "AWS::ECS::Service")["PlacementStrategies"] == [
        {"Type": "spread", "Field": "attribute:ecs.availability-zone"},
        {"Type": "binpack", "Field": "MEMORY"},
    ]


@both
def test_several_tasks_share_an_instance_by_ports_of_its_own(template: dict[str, Any]) -> None:
    task = properties_of(template, "AWS::ECS::TaskDefinition")
    assert task["NetworkMode"] == "bridge"
    (container,) = task["ContainerDefinitions"]
    assert container["PortMappings"] == [{"ContainerPort": 8080, "HostPort": 0, "Protocol": "tcp"}]
    assert container["Memory"] == 256
    assert container["Cpu"] == 256
