"""Patches of EC2: CloudFormation can create more network resources, and find machine images."""

import itertools
from typing import Any

from ministack.services import ec2, ssm
from ministack.services.cloudformation import provisioners

from localaws.patches.cloudformation import Properties, add_stored_type, add_type

ECS_IMAGE = "ami-0123456789abcdef0"
"""The id of every ECS-optimized machine image. The image does not exist, because the engine starts no EC2 instance."""
_RULE_PROPERTIES = (
    *("GroupId", "GroupName", "IpProtocol", "FromPort", "ToPort", "CidrIp", "CidrIpv6"),
    *("SourceSecurityGroupId", "SourcePrefixListId", "DestinationSecurityGroupId", "DestinationPrefixListId"),
)
"""Create-only properties of security group rules. AWS can change only the description of a rule."""
_FLOW_LOG_PROPERTIES = (
    *("ResourceId", "ResourceType", "TrafficType", "LogDestination", "LogDestinationType", "LogFormat", "LogGroupName"),
    *("DeliverLogsPermissionArn", "DeliverCrossAccountRole", "DestinationOptions", "MaxAggregationInterval"),
)
"""Create-only properties of flow logs. AWS can change only the tags of a flow log."""
_rule_numbers = itertools.count(1)


def add_network_types() -> None:
    """Add security group rules, NAT gateways, elastic IP addresses and flow logs to CloudFormation.

    Stock engine: rejects a template that contains these types ("Unrecognized resource types").
    AWS: creates these resources. With this patch, the EC2 API describes the rules, gateways and addresses. Flow logs
    are only stored: they write nothing.
    Upstream issue: none known.
    """
    _add_rule_type("AWS::EC2::SecurityGroupIngress", "IpPermissions")
    _add_rule_type("AWS::EC2::SecurityGroupEgress", "IpPermissionsEgress")
    add_type(
        "AWS::EC2::EIP",
        _allocate_address,
        _release_address,
        _update_address,
        create_only=("Address", "IpamPoolId", "NetworkBorderGroup", "TransferAddress"),
    )
    add_type(
        "AWS::EC2::NatGateway",
        _create_nat_gateway,
        lambda gateway, _: ec2._nat_gateways.pop(gateway, None),
        _update_nat_gateway,
        create_only=("AllocationId", "ConnectivityType", "PrivateIpAddress", "SubnetId", "VpcId"),
    )
    add_stored_type("AWS::EC2::FlowLog", prefix="fl-", create_only=_FLOW_LOG_PROPERTIES, attributes=("Id",))


def add_machine_images() -> None:
    """Add the public SSM parameters with the id of the newest ECS-optimized machine image.

    There is one parameter for x86 processors and one for ARM processors.

    Stock engine: has public parameters only for other machine images, so a template that reads these parameters fails.
    AWS: returns the id of the newest machine image.
    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/retrieve-ecs-optimized_AMI.html
    Upstream issue: none known.
    """
    for processor in ("", "arm64/"):
        name = f"/aws/service/ecs/optimized-ami/amazon-linux-2023/{processor}recommended/image_id"
        ssm._PUBLIC_AMI_PARAMETERS[name] = ECS_IMAGE


def _add_rule_type(resource_type: str, field: str) -> None:
    def rule(properties: Properties) -> Any:
        (ip_permission,) = provisioners._ec2_sg_permissions([properties])
        return ip_permission

    def create(_logical_id: str, properties: Properties, _stack: str) -> tuple[str, Properties]:
        ec2._security_groups[properties["GroupId"]].setdefault(field, []).append(rule(properties))
        rule_id = f"sgr-{next(_rule_numbers):017x}"
        return rule_id, {"Id": rule_id}

    def delete(_rule_id: str, properties: Properties) -> None:
        rules = ec2._security_groups.get(properties["GroupId"], {}).get(field, [])
        if rule(properties) in rules:
            rules.remove(rule(properties))

    def update(rule_id: str, old: Properties, new: Properties, _stack: str) -> tuple[str, Properties]:
        delete(rule_id, old)
        ec2._security_groups[new["GroupId"]].setdefault(field, []).append(rule(new))
        return rule_id, {"Id": rule_id}

    add_type(resource_type, create, delete, update, create_only=_RULE_PROPERTIES)


def _allocate_address(_logical_id: str, properties: Properties, _stack: str) -> tuple[str, Properties]:
    ids_before = set(ec2._addresses)
    ec2._allocate_address({"Domain": properties.get("Domain", "vpc")})
    (allocation_id,) = set(ec2._addresses) - ids_before
    provisioners._ec2_apply_tags(allocation_id, properties)
    address = ec2._addresses[allocation_id]["PublicIp"]
    return address, {"AllocationId": allocation_id, "PublicIp": address}


def _update_address(address: str, old: Properties, new: Properties, _stack: str) -> tuple[str, Properties]:
    (allocation_id,) = [name for name, record in ec2._addresses.items() if record["PublicIp"] == address]
    provisioners._ec2_apply_tags(allocation_id, new, old)
    return address, {"AllocationId": allocation_id, "PublicIp": address}


def _release_address(address: str, _properties: Properties) -> None:
    for allocation_id, record in list(ec2._addresses.items()):
        if record["PublicIp"] == address:
            ec2._release_address({"AllocationId": allocation_id})


def _create_nat_gateway(_logical_id: str, properties: Properties, _stack: str) -> tuple[str, Properties]:
    ids_before = set(ec2._nat_gateways)
    ec2._create_nat_gateway({key: str(value) for key, value in properties.items() if key != "Tags"})
    (gateway_id,) = set(ec2._nat_gateways) - ids_before
    provisioners._ec2_apply_tags(gateway_id, properties)
    return gateway_id, {"NatGatewayId": gateway_id}


def _update_nat_gateway(gateway_id: str, old: Properties, new: Properties, _stack: str) -> tuple[str, Properties]:
    provisioners._ec2_apply_tags(gateway_id, new, old)
    return gateway_id, {"NatGatewayId": gateway_id}
