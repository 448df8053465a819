"""Each function here makes a mistake in a template, or returns a `Change` that makes one. mutations.py uses them."""

from collections.abc import Callable
from typing import Any

from tests.contracts.network import NOBODY
from tools.templates import Template, resources

Change = Callable[[Template], None]
"""A function that modifies the template that it gets."""
NO_EGRESS = {"CidrIp": NOBODY, "IpProtocol": "icmp", "FromPort": 252, "ToPort": 86}
"""CDK's egress rule for a security group that allows no connections."""
DNS = {"CidrIp": "0.0.0.0/0", "IpProtocol": "udp", "FromPort": 53, "ToPort": 53}
SSH = {"CidrIp": "0.0.0.0/0", "IpProtocol": "tcp", "FromPort": 22, "ToPort": 22}


def drop(kind: str) -> Change:
    """Return a change that removes every resource of a type."""

    def change(template: Template) -> None:
        for name in resources(template, kind):
            del template["Resources"][name]

    return change


def put(kind: str, path: str, value: Any) -> Change:
    """Return a change that sets a property of every resource of a type.

    A path such as `AutoScalingGroupProvider.ManagedDraining` names a property inside another property.
    """
    *parents, key = path.split(".")

    def change(template: Template) -> None:
        for resource in resources(template, kind).values():
            holder = resource["Properties"]
            for parent in parents:
                holder = holder.setdefault(parent, {})
            holder[key] = value

    return change


def unset(kind: str, key: str) -> Change:
    """Return a change that removes a property from every resource of a type."""

    def change(template: Template) -> None:
        for resource in resources(template, kind).values():
            resource["Properties"].pop(key, None)

    return change


def set_policy(kind: str, key: str, value: str) -> Change:
    """Return a change that sets `DeletionPolicy` or `UpdateReplacePolicy` of every resource of a type."""

    def change(template: Template) -> None:
        for resource in resources(template, kind).values():
            resource[key] = value

    return change


def add(kind: str, **properties: Any) -> Change:
    """Return a change that adds a resource with the id `Added`."""

    def change(template: Template) -> None:
        template["Resources"]["Added"] = {"Type": kind, "Properties": properties}

    return change


# -- networks


def close_load_balancer(template: Template) -> None:
    """Leave only the rules that CDK writes if ecs_ec2 does not call `service.connections.add_security_group`."""
    drop("AWS::EC2::SecurityGroupEgress")(template)
    drop("AWS::EC2::SecurityGroupIngress")(template)
    for name, group in resources(template, "AWS::EC2::SecurityGroup").items():
        if name.startswith("LoadBalancer"):
            group["Properties"]["SecurityGroupEgress"] = [NO_EGRESS]


def open_ssh(template: Template) -> None:
    for name, group in resources(template, "AWS::EC2::SecurityGroup").items():
        if not name.startswith("LoadBalancer"):
            group["Properties"]["SecurityGroupIngress"] = [SSH]


def remove_public_addresses(template: Template) -> None:
    put("AWS::EC2::Subnet", "MapPublicIpOnLaunch", value=False)(template)
    for service in resources(template, "AWS::ECS::Service").values():
        if "NetworkConfiguration" in service["Properties"]:
            service["Properties"]["NetworkConfiguration"]["AwsvpcConfiguration"]["AssignPublicIp"] = "DISABLED"
    for name, route in resources(template, "AWS::EC2::Route").items():
        if "NatGatewayId" in route["Properties"]:
            del template["Resources"][name]


def move_nat_gateway_into_private_subnet(template: Template) -> None:
    private_subnet = next(name for name in resources(template, "AWS::EC2::Subnet") if "Private" in name)
    put("AWS::EC2::NatGateway", "SubnetId", {"Ref": private_subnet})(template)


def use_port_80(template: Template) -> None:
    for kind in ("Ingress", "Egress"):
        for rule in resources(template, f"AWS::EC2::SecurityGroup{kind}").values():
            rule["Properties"]["ToPort"] = rule["Properties"]["FromPort"] = 80


def swap_target_type(template: Template) -> None:
    for target_group in resources(template, "AWS::ElasticLoadBalancingV2::TargetGroup").values():
        properties = target_group["Properties"]
        properties["TargetType"] = "ip" if properties["TargetType"] == "instance" else "instance"


def use_function_in_network(template: Template) -> None:
    """Add a Lambda function in the network. Its role is the execution role of the tasks.

    With this role, a function calls ECR and CloudWatch Logs.
    """
    role = next(name for name in resources(template, "AWS::IAM::Role") if "ExecutionRole" in name)
    network = {
        "SubnetIds": [{"Ref": name} for name in resources(template, "AWS::EC2::Subnet") if "Public" in name],
        "SecurityGroupIds": [{"Ref": name} for name in resources(template, "AWS::EC2::SecurityGroup")],
    }
    add("AWS::Lambda::Function", VpcConfig=network, Role={"Fn::GetAtt": [role, "Arn"]})(template)


# -- logs, stores, tags


def put_into_containers(key: str, value: Any) -> Change:
    """Return a change that sets a property of each container of every task."""

    def change(template: Template) -> None:
        for task in resources(template, "AWS::ECS::TaskDefinition").values():
            for container in task["Properties"]["ContainerDefinitions"]:
                container[key] = value

    return change


def create_log_groups(template: Template) -> None:
    for task in resources(template, "AWS::ECS::TaskDefinition").values():
        for container in task["Properties"]["ContainerDefinitions"]:
            container["LogConfiguration"]["Options"]["awslogs-create-group"] = "true"


def allow(action: str) -> Change:
    """Return a change that makes every policy of the stack allow an action on every resource."""

    def change(template: Template) -> None:
        for policy in resources(template, "AWS::IAM::Policy").values():
            policy["Properties"]["PolicyDocument"]["Statement"].append(
                {"Effect": "Allow", "Action": action, "Resource": "*"}
            )

    return change


def attach_managed_policy(policy_name: str) -> Change:
    """Return a change that attaches one of AWS's managed policies to every role."""
    arn = {"Fn::Join": ["", ["arn:", {"Ref": "AWS::Partition"}, f":iam::aws:policy/{policy_name}"]]}
    return put("AWS::IAM::Role", "ManagedPolicyArns", [arn])


def remove_tag(template: Template) -> None:
    for resource in template["Resources"].values():
        tags = resource.get("Properties", {}).get("Tags", [])
        if isinstance(tags, dict):
            del tags["profile"]
        else:
            tags[:] = [tag for tag in tags if tag["Key"] != "profile"]


def export_outputs(template: Template) -> None:
    for name, output in template["Outputs"].items():
        output["Export"] = {"Name": name}


def require_parameter(template: Template) -> None:
    template["Parameters"]["Vpc"] = {"Type": "AWS::EC2::VPC::Id"}


def mix_instance_types(template: Template) -> None:
    """Let the Auto Scaling group choose among several instance types."""
    for scaling_group in resources(template, "AWS::AutoScaling::AutoScalingGroup").values():
        launch = scaling_group["Properties"].pop("LaunchTemplate")
        scaling_group["Properties"]["MixedInstancesPolicy"] = {
            "LaunchTemplate": {"LaunchTemplateSpecification": launch}
        }


def use_amazon_linux_2(template: Template) -> None:
    for parameter in template["Parameters"].values():
        parameter["Default"] = parameter["Default"].replace("amazon-linux-2023", "amazon-linux-2")


# -- order and updates


def put_update(key: str, value: int | None) -> Change:
    """Return a change that sets a value in the rolling update of every Auto Scaling group. None means no value."""

    def change(template: Template) -> None:
        for group in resources(template, "AWS::AutoScaling::AutoScalingGroup").values():
            group["UpdatePolicy"]["AutoScalingRollingUpdate"][key] = value

    return change


def drop_dependencies(kind: str) -> Change:
    """Return a change that removes `DependsOn` from every resource of a type."""

    def change(template: Template) -> None:
        for resource in resources(template, kind).values():
            resource.pop("DependsOn", None)

    return change


# -- retries


def change_retry_strategies(change: Callable[[list[Any]], object]) -> Change:
    """Return a change of every job's list of retry strategies."""

    def change_template(template: Template) -> None:
        for job in resources(template, "AWS::Batch::JobDefinition").values():
            change(job["Properties"]["RetryStrategy"]["EvaluateOnExit"])

    return change_template


# -- permissions of roles


def forbid(action: str) -> Change:
    """Return a change that removes an action from every policy of the stack."""

    def change(template: Template) -> None:
        for statement in _statements(template, "AWS::IAM::Policy"):
            actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
            statement["Action"] = [allowed for allowed in actions if allowed != action]

    return change


def allow_on_everything(template: Template) -> None:
    for statement in _statements(template, "AWS::IAM::Policy"):
        statement["Resource"] = "*"


def allow_every_action_of(service: str) -> Change:
    """Return a change that adds grants: a statement that allows one action of a service then allows all of them."""

    def change(template: Template) -> None:
        for statement in _statements(template, "AWS::IAM::Policy"):
            if service in str(statement["Action"]):
                statement["Action"] = f"{service}:*"

    return change


def allow_all_but(action: str) -> Change:
    """Return a change that allows every role everything except an action."""
    statement = {"Effect": "Allow", "NotAction": action, "Resource": "*"}
    return put("AWS::IAM::Role", "Policies", [{"PolicyName": "More", "PolicyDocument": {"Statement": [statement]}}])


def allow_all_in_bucket_policy(template: Template) -> None:
    for statement in _statements(template, "AWS::S3::BucketPolicy"):
        if statement["Effect"] == "Allow":
            statement["Action"] = "s3:*"


def _statements(template: Template, kind: str) -> list[Any]:
    return [
        statement
        for policy in resources(template, kind).values()
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
    ]
