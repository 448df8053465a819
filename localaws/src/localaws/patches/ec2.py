"""Types of EC2 that CloudFormation lacks: rules of security groups, NAT gateways and their addresses, flow logs."""

import itertools
from typing import Any

from ministack.services import ec2, ssm
from ministack.services.cloudformation import provisioners

from localaws.patches.cloudformation import Properties, add_type
from localaws.patches.recorded import add_recorded

ECS_IMAGE = "ami-0123456789abcdef0"
"""Stands for the machine image of ECS, of which nothing runs here."""
_numbers = itertools.count(1)


def add_network_types() -> None:
    """Rules stand in the groups that `aws ec2 describe-security-groups` shows. Flow logs are only recorded."""
    _add_rules("AWS::EC2::SecurityGroupIngress", "IpPermissions")
    _add_rules("AWS::EC2::SecurityGroupEgress", "IpPermissionsEgress")
    add_type("AWS::EC2::EIP", _allocate, _release)
    add_type("AWS::EC2::NatGateway", _open_gateway, lambda gateway, _: ec2._nat_gateways.pop(gateway, None))
    add_recorded("AWS::EC2::FlowLog", prefix="fl-", attributes=("Id",))


def know_machine_images() -> None:
    """Answer for the public parameters with the newest ECS-optimized image, for either processor."""
    for processor in ("", "arm64/"):
        name = f"/aws/service/ecs/optimized-ami/amazon-linux-2023/{processor}recommended/image_id"
        ssm._PUBLIC_AMI_PARAMETERS[name] = ECS_IMAGE


def _add_rules(resource_type: str, store: str) -> None:
    def rule(properties: Properties) -> Any:
        (permission,) = provisioners._ec2_sg_permissions([properties])
        return permission

    def create(_logical_id: str, properties: Properties, _stack: str) -> tuple[str, Properties]:
        ec2._security_groups[properties["GroupId"]].setdefault(store, []).append(rule(properties))
        rule_id = f"sgr-{next(_numbers):017x}"
        return rule_id, {"Id": rule_id}

    def delete(_rule_id: str, properties: Properties) -> None:
        rules = ec2._security_groups.get(properties["GroupId"], {}).get(store, [])
        if rule(properties) in rules:
            rules.remove(rule(properties))

    def update(rule_id: str, old: Properties, new: Properties, stack: str) -> tuple[str, Properties]:
        delete(rule_id, old)
        return create(rule_id, new, stack)

    add_type(resource_type, create, delete, update)


def _allocate(_logical_id: str, properties: Properties, _stack: str) -> tuple[str, Properties]:
    known = set(ec2._addresses)
    ec2._allocate_address({"Domain": properties.get("Domain", "vpc")})
    (allocation,) = set(ec2._addresses) - known
    provisioners._ec2_apply_tags(allocation, properties)
    address = ec2._addresses[allocation]["PublicIp"]
    return address, {"AllocationId": allocation, "PublicIp": address}


def _release(address: str, _properties: Properties) -> None:
    for allocation, record in list(ec2._addresses.items()):
        if record["PublicIp"] == address:
            ec2._release_address({"AllocationId": allocation})


def _open_gateway(_logical_id: str, properties: Properties, _stack: str) -> tuple[str, Properties]:
    known = set(ec2._nat_gateways)
    ec2._create_nat_gateway({key: str(value) for key, value in properties.items() if key != "Tags"})
    (gateway,) = set(ec2._nat_gateways) - known
    provisioners._ec2_apply_tags(gateway, properties)
    return gateway, {"NatGatewayId": gateway}
