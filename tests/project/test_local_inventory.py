"""These tests check that the answers of AWS have the fields that the inventory of the local AWS reads.

A field with a wrong name would not cause an error, but the inventory would always be empty.
"""

from typing import Any

import boto3
import pytest

from local.inventory import LISTINGS
from tests.support.queries import unknown_fields


def _client(service: str) -> Any:
    return boto3.client(service, "us-east-1", aws_access_key_id="x", aws_secret_access_key="x")  # type: ignore[call-overload]


@pytest.mark.slow  # botocore loads a large description of each service
@pytest.mark.parametrize(("service", "operation", "names"), LISTINGS.values(), ids=LISTINGS)
def test_the_answer_has_the_fields_of_the_listing(service: str, operation: str, names: str) -> None:
    client = _client(service)
    model = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[operation])
    assert unknown_fields(names, model.output_shape) == []


@pytest.mark.slow
def test_an_unknown_field_is_reported() -> None:
    model = _client("ec2").meta.service_model.operation_model("DescribeVpcs")
    wrong_listing = LISTINGS["VPC"][2].replace("VpcId", "VpcName")
    assert unknown_fields(wrong_listing, model.output_shape) == ["VpcName"]
