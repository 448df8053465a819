"""This test checks which region the commands of the Makefile use."""

import os
import subprocess

import pytest

from tests.support.folders import ROOT


@pytest.mark.parametrize(
    ("variables", "region"),
    [
        ({"AWS_REGION": "eu-west-1"}, "eu-west-1"),
        ({"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "us-east-1"}, "eu-west-1"),
        ({"AWS_DEFAULT_REGION": "us-east-1"}, "us-east-1"),
        ({}, "unset"),
    ],
)
def test_python_programs_use_the_region_of_the_cdk_cli(variables: dict[str, str], region: str) -> None:
    """The CDK CLI prefers AWS_REGION, but boto3 reads only AWS_DEFAULT_REGION."""
    run = subprocess.run(
        ["make", "-f", "Makefile", "-f", "-", "print-region"],
        input="print-region: ; @echo $${AWS_DEFAULT_REGION-unset}",
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout == f"{region}\n"
