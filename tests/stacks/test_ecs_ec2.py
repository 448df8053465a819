"""These tests check the ecs_ec2 stack. test_web_stacks.py checks the properties that it shares with fargate."""

import pytest

from tests.support.apps import only_resource, properties_of, templates
from tools.templates import Template, resources

PROFILES = ("sandbox", "production")
in_both_profiles = pytest.mark.parametrize(
    "template", [templates(profile)["ecs_ec2"] for profile in PROFILES], ids=PROFILES
)


@in_both_profiles
def test_the_service_uses_the_capacity_provider_of_the_cluster(template: Template) -> None:
    (provider,) = resources(template, "AWS::ECS::CapacityProvider")
    strategy = properties_of(template, "AWS::ECS::Service")["CapacityProviderStrategy"]
    assert strategy == [{"CapacityProvider": {"Ref": provider}, "Weight": 1}]
    associations = properties_of(template, "AWS::ECS::ClusterCapacityProviderAssociations")
    assert associations["CapacityProviders"] == [{"Ref": provider}]


@in_both_profiles
def test_ecs_adds_drains_and_removes_instances(template: Template) -> None:
    provider = properties_of(template, "AWS::ECS::CapacityProvider")["AutoScalingGroupProvider"]
    assert provider["ManagedScaling"] == {"Status": "ENABLED", "TargetCapacity": 100}
    assert provider["ManagedDraining"] == "ENABLED"
    scaling_group = properties_of(template, "AWS::AutoScaling::AutoScalingGroup")
    assert (scaling_group["MinSize"], scaling_group["MaxSize"]) == ("2", "7")
    assert "DesiredCapacity" not in scaling_group, (
        "with a fixed number of instances, each deployment would undo the scaling"
    )


@in_both_profiles
def test_instances_have_the_tag_that_managed_scaling_needs(template: Template) -> None:
    """Without this tag, managed scaling counts the instances wrongly."""
    tags = properties_of(template, "AWS::AutoScaling::AutoScalingGroup")["Tags"]
    assert {"Key": "AmazonECSManaged", "Value": "true", "PropagateAtLaunch": True} in tags


@in_both_profiles
def test_instances_keep_their_permissions_until_they_end(template: Template) -> None:
    """When the stack is deleted, CloudFormation deletes the policy to join the cluster before it ends the instances.

    ECS removes an instance from the cluster only if its agent is still connected. The connection needs `ecs:Poll`.
    """
    policies = resources(template, "AWS::IAM::Policy")
    (registration_policy,) = [policy for policy in policies.values() if "DependsOn" in policy]
    assert [one["Action"] for one in registration_policy["Properties"]["PolicyDocument"]["Statement"]] == [
        "ecs:RegisterContainerInstance"
    ]


@pytest.mark.parametrize(("profile", "in_service"), [("sandbox", 1), ("production", 2)])
def test_a_new_ami_replaces_one_instance_at_a_time(profile: str, in_service: int) -> None:
    """tests/contracts/quotas.py checks that an update of the sandbox needs no higher quota than a new account has."""
    group = only_resource(templates(profile)["ecs_ec2"], "AWS::AutoScaling::AutoScalingGroup")
    update = group["UpdatePolicy"]["AutoScalingRollingUpdate"]
    assert (update["MaxBatchSize"], update["MinInstancesInService"]) == (1, in_service)


@pytest.mark.parametrize(("profile", "kind"), [("sandbox", "Public"), ("production", "Private")])
def test_instances_start_after_their_subnets_have_a_route_to_the_internet(profile: str, kind: str) -> None:
    template = templates(profile)["ecs_ec2"]
    group = only_resource(template, "AWS::AutoScaling::AutoScalingGroup")
    subnets = group["Properties"]["VPCZoneIdentifier"]
    assert all(subnet["Ref"].startswith(f"Vpc{kind}Subnet") for subnet in subnets)
    routes = {name for name in resources(template, "AWS::EC2::Route") if name.startswith(f"Vpc{kind}Subnet")}
    assert len(routes) == len(subnets) == 2
    assert routes <= {*group["DependsOn"]}


@in_both_profiles
def test_instances_have_the_newest_ami_and_no_ssh_key(template: Template) -> None:
    launch = properties_of(template, "AWS::EC2::LaunchTemplate")["LaunchTemplateData"]
    ami = template["Parameters"][launch["ImageId"]["Ref"]]
    assert ami["Default"] == "/aws/service/ecs/optimized-ami/amazon-linux-2023/arm64/recommended/image_id"
    assert launch["InstanceType"] == "t4g.micro"
    assert launch["MetadataOptions"] == {"HttpTokens": "required", "HttpPutResponseHopLimit": 1}
    assert "KeyName" not in launch, "Session Manager needs no key"
    (disk,) = launch["BlockDeviceMappings"]
    assert disk["Ebs"] == {"Encrypted": True, "VolumeType": "gp3", "VolumeSize": 30, "DeleteOnTermination": True}
    assert launch["CreditSpecification"] == {"CpuCredits": "unlimited"}, (
        "in standard mode, a new instance has only a fifth of a vCPU"
    )


@in_both_profiles
def test_ecs_spreads_tasks_over_zones_and_then_fills_instances(template: Template) -> None:
    assert properties_of(template, "AWS::ECS::Service")["PlacementStrategies"] == [
        {"Type": "spread", "Field": "attribute:ecs.availability-zone"},
        {"Type": "binpack", "Field": "MEMORY"},
    ]


@in_both_profiles
def test_several_tasks_share_an_instance(template: Template) -> None:
    task = properties_of(template, "AWS::ECS::TaskDefinition")
    (container,) = task["ContainerDefinitions"]
    assert task["NetworkMode"] == "bridge"
    assert container["PortMappings"] == [{"ContainerPort": 8080, "HostPort": 0, "Protocol": "tcp"}], (
        "0 means any free port"
    )
    assert (container["Memory"], container["Cpu"]) == (256, 256)
