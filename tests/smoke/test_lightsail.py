"""These tests check the deployed server: its address, its firewall, its snapshots, and its page.

They run only in an account, because the local AWS runs no Lightsail server.
"""

import socket
from dataclasses import dataclass
from typing import Any, Self

import pytest
import requests

from tests.support.deployment import Deployment
from tests.support.waiting import wait_for

pytestmark = pytest.mark.timeout(900)  # the server may still be starting
LAUNCH_SECONDS = 600
"""The server starts within a minute. Then it installs packages. After the burst capacity is used up, this is
slow, because the server then gets only 5 % of a processor."""


@dataclass
class LightsailExample:
    """The deployed server, and methods that read its state."""

    lightsail: Any
    outputs: dict[str, str]

    @classmethod
    def of(cls, deployment: Deployment) -> Self:
        client = deployment.client("lightsail")
        if not client.meta.endpoint_url.endswith(".amazonaws.com"):
            pytest.skip("the local AWS only stores Lightsail resources and runs no server")
        return cls(client, deployment.outputs("lightsail"))

    def server(self) -> dict[str, Any]:
        return dict(self.lightsail.get_instance(instanceName=self.outputs["InstanceName"])["instance"])

    def allowed_sources(self) -> dict[int, set[str]]:
        """Return the networks that may connect, by open port."""
        states = self.lightsail.get_instance_port_states(instanceName=self.outputs["InstanceName"])["portStates"]
        return {one["fromPort"]: {*one.get("cidrs", []), *one.get("ipv6Cidrs", [])} for one in states}

    def page(self) -> requests.Response | None:
        """Return the page of the server, or None if the server has no page yet."""
        try:
            response = requests.get(self.outputs["Url"], timeout=5)
        except requests.RequestException:
            return None
        return response if response.ok else None


@pytest.fixture
def example(deployment: Deployment) -> LightsailExample:
    return LightsailExample.of(deployment)


def test_the_server_has_a_static_address(example: LightsailExample) -> None:
    server = example.server()
    assert server["isStaticIp"] is True
    assert server["publicIpAddress"] == example.outputs["StaticIp"]
    assert example.outputs["Url"] == f"http://{example.outputs['StaticIp']}/"


def test_the_server_shows_its_page(example: LightsailExample) -> None:
    page = wait_for(example.page, f"a page at {example.outputs['Url']}", seconds=LAUNCH_SECONDS)
    server = example.server()
    if server["blueprintId"] == "ubuntu_24_04":
        for fact in (server["blueprintId"], server["bundleId"], server["location"]["availabilityZone"]):
            assert f"<dd>{fact}</dd>" in page.text


def test_only_http_and_https_are_open_to_everybody(example: LightsailExample) -> None:
    sources = example.allowed_sources()
    everybody = {"0.0.0.0/0", "::/0"}
    assert {port for port, networks in sources.items() if networks & everybody} == {80, 443}
    assert set(sources) <= {22, 80, 443}
    if 22 not in sources:
        with pytest.raises(TimeoutError), socket.create_connection((example.outputs["StaticIp"], 22), timeout=5):
            pass


def test_lightsail_makes_a_snapshot_every_day(example: LightsailExample) -> None:
    (add_on,) = example.server()["addOns"]
    assert (add_on["name"], add_on["status"]) == ("AutoSnapshot", "Enabled")


def test_lightsail_still_offers_the_blueprint_and_the_bundle(example: LightsailExample) -> None:
    """Lightsail retires old blueprints and bundles. Existing servers continue, but no new server can be created."""
    server = example.server()
    blueprints = example.lightsail.get_paginator("get_blueprints").paginate().build_full_result()["blueprints"]
    bundles = example.lightsail.get_paginator("get_bundles").paginate().build_full_result()["bundles"]
    assert server["blueprintId"] in {blueprint["blueprintId"] for blueprint in blueprints if blueprint["isActive"]}
    assert server["bundleId"] in {bundle["bundleId"] for bundle in bundles if bundle["isActive"]}
