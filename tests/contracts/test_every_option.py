"""This test checks the contracts again, with every optional setting, such as a certificate or a second disk.

A contract is a rule that tests check on every template.
"""

import re
from pathlib import Path

import pytest

from tests.contracts.test_contracts import CONTRACTS, faults_of, profiles_of
from tests.support.apps import STACKS
from tools.templates import synthesize, templates_in

OPTIONS = {
    "alarm_email": "me@example.com",
    "organization_rules": "true",
    "web_certificate_arn": "arn:aws:acm:us-east-1:000000000000:certificate/0f",
    "api_domain_name": "api.example.com",
    "api_certificate_arn": "arn:aws:acm:us-east-1:000000000000:certificate/0f",
    "api_base_path": "shop",
    "thumbnail_concurrency": "50",
    "websocket_access_log": "true",
    "batch_instance_types": "c7g.large",
    "batch_monthly_budget": "5",
    "batch_schedule": "cron(0 3 * * ? *)",
    "lightsail_ssh_cidr": "192.0.2.44/32",
    "lightsail_disk": "true",
    "lightsail_database": "postgres_16",
    "lightsail_bucket": "true",
}
ID = r"(?:vpc|subnet)-[0-9a-f]{8}"
PUBLIC_SUBNETS = "us-east-1a:subnet-0aaaaaaa,us-east-1b:subnet-0bbbbbbb"
PRIVATE_SUBNETS = "us-east-1a:subnet-0ccccccc,us-east-1b:subnet-0ddddddd"
NETWORKS = {
    "zones": {"availability_zones": "us-east-1a,us-east-1b"},
    "public": {"vpc": f"vpc-0aaaaaaa/{PUBLIC_SUBNETS}"},
    "private": {"vpc": f"vpc-0aaaaaaa/{PUBLIC_SUBNETS}/{PRIVATE_SUBNETS}"},
}
"""Settings of the network. The setting `vpc` names an existing VPC."""
EXPECTED_FAULTS = ("the account 000000000000", *(f"the network {id_}" for id_ in re.findall(ID, str(NETWORKS))))
"""The contract `reproducible` reports these ids, because a certificate and an existing VPC belong to one account."""


def _faults(folder: Path, profile: str, network: str) -> set[str]:
    synthesize(folder, profile=profile, **OPTIONS, **NETWORKS[network])
    faults = {
        f"{stem}: {name}: {fault}"
        for stem, template in templates_in(folder).items()
        for name, contract in CONTRACTS.items()
        if profile in profiles_of(contract)
        for fault in contract.faults(template)
    }
    return {fault for fault in faults if not fault.endswith(EXPECTED_FAULTS)} - _faults_without_options()


def _faults_without_options() -> set[str]:
    # test_contracts.py reports these faults.
    return {f"{stem}: {name}: {fault}" for name in CONTRACTS for stem in STACKS for fault in faults_of(name, stem)}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("profile", "network"),
    [("sandbox", "zones"), ("production", "zones"), ("sandbox", "public"), ("production", "private")],
)
def test_stacks_follow_the_contracts_with_every_option(tmp_path: Path, profile: str, network: str) -> None:
    assert _faults(tmp_path, profile, network) == set()
