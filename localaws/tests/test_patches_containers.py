"""The patches that container images and security groups need: the stock engine fails where the patched one works."""

import hashlib
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from conftest import Client

LAYER = b"a layer"
DIGEST = "sha256:" + hashlib.sha256(LAYER).hexdigest()


def upload(client: Client) -> Any:
    """Put an image of one layer into a repository by the API, and answer what is known of its layer."""
    ecr = client("ecr")
    ecr.create_repository(repositoryName="web", imageTagMutability="IMMUTABLE")
    upload = ecr.initiate_layer_upload(repositoryName="web")["uploadId"]
    ecr.upload_layer_part(
        repositoryName="web", uploadId=upload, partFirstByte=0, partLastByte=len(LAYER) - 1, layerPartBlob=LAYER
    )
    ecr.complete_layer_upload(repositoryName="web", uploadId=upload, layerDigests=[DIGEST])
    layer = {"digest": DIGEST, "size": len(LAYER)}
    ecr.put_image(repositoryName="web", imageTag="1", imageManifest=json.dumps({"config": layer, "layers": [layer]}))
    (image,) = ecr.describe_images(repositoryName="web")["imageDetails"]
    (known,) = ecr.batch_check_layer_availability(repositoryName="web", layerDigests=[DIGEST])["layers"]
    return known["layerAvailability"], image["imageSizeInBytes"]


def test_images_go_through_the_api(stock: Client, extended: Client) -> None:
    assert upload(stock)[0] == "UNAVAILABLE"
    assert upload(extended) == ("AVAILABLE", len(LAYER))


def test_an_image_that_is_not_there_is_an_error(stock: Client, extended: Client) -> None:
    for client in (stock, extended):
        client("ecr").create_repository(repositoryName="empty")
    missing = {"repositoryName": "empty", "imageIds": [{"imageTag": "none"}]}
    assert stock("ecr").describe_images(**missing)["imageDetails"] == []
    with pytest.raises(ClientError, match="ImageNotFoundException"):
        extended("ecr").describe_images(**missing)


def rules_of_a_stack(client: Client) -> Any:
    group = {"GroupId": {"Fn::GetAtt": ["Group", "GroupId"]}, "IpProtocol": "tcp", "CidrIp": "10.0.0.0/8"}
    resources = {
        "Group": {"Type": "AWS::EC2::SecurityGroup", "Properties": {"GroupDescription": "of a test"}},
        "Rule": {"Type": "AWS::EC2::SecurityGroupIngress", "Properties": {**group, "FromPort": 1, "ToPort": 2}},
    }
    cloudformation = client("cloudformation")
    cloudformation.create_stack(StackName="rules", TemplateBody=json.dumps({"Resources": resources}))
    cloudformation.get_waiter("stack_create_complete").wait(StackName="rules", WaiterConfig={"Delay": 1})
    groups = client("ec2").describe_security_groups()["SecurityGroups"]
    return [
        rule["ToPort"] for found in groups for rule in found["IpPermissions"] if found["Description"] == "of a test"
    ]


def test_rules_of_security_groups_stand_in_them(stock: Client, extended: Client) -> None:
    with pytest.raises(ClientError, match="Unrecognized resource types"):
        rules_of_a_stack(stock)
    assert rules_of_a_stack(extended) == [2]
