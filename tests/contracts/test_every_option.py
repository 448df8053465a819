"""Stacks also follow the contracts when every optional setting is on, such as a certificate or a second disk."""

from pathlib import Path

import pytest

from config import PROFILES
from tests.contracts.test_contracts import CONTRACTS, profiles_of
from tools.templates import synthesize, templates_in

OPTIONS = {
    "alarm_email": "me@example.com",
    "web_certificate_arn": "arn:aws:acm:us-east-1:000000000000:certificate/0f",
    "availability_zones": "us-east-1a,us-east-1b",
    "thumbnail_concurrency": "50",
    "batch_instance_types": "c7g.large",
    "batch_monthly_budget": "5",
    "batch_schedule": "cron(0 3 * * ? *)",
    "lightsail_ssh_cidr": "192.0.2.44/32",
    "lightsail_disk": "true",
    "lightsail_database": "postgres_16",
    "lightsail_bucket": "true",
}
EXPECTED_FAULT = "the account 000000000000"
"""The contract `reproducible` reports this account, because the certificate in OPTIONS belongs to it."""


@pytest.mark.slow
@pytest.mark.parametrize("profile", PROFILES)
def test_stacks_follow_the_contracts_with_every_option(tmp_path: Path, profile: str) -> None:
    synthesize(tmp_path, profile=profile, **OPTIONS)
    faults = {
        f"{stem}: {name}: {fault}"
        for stem, template in templates_in(tmp_path).items()
        for name, contract in CONTRACTS.items()
        if profile in profiles_of(contract)
        for fault in contract.faults(template)
    }
    assert {fault for fault in faults if not fault.endswith(EXPECTED_FAULT)} == set()
