"""The deployed server: its address, its firewall, its snapshots, and the page that its launch script wrote."""

import socket
from dataclasses import dataclass
from typing import Any, Self

import pytest
import requests

from tests.support.deployment import Deployment
from tests.support.waiting import wait_for

pytestmark = pytest.mark.timeout(900)  # the server may be starting
LAUNCH_SECONDS = 600
"""The server starts within a minute. Then it installs packages, with 5 % of a processor once its burst is used up."""


@dataclass
class Example:
    """The server as Lightsail describes it."""

    lightsail: Any
    outputs: dict[str, str]

    @classmethod
    def of(cls, deployment: Deployment) -> Self:
        client = deployment.client("lightsail")
        if not client.meta.endpoint_url.endswith(".amazonaws.com"):
            pytest.skip("the local AWS only records Lightsail resources: there is no server")
        return cls(client, deployment.outputs("lightsail"))

    def server(self) -> dict[str, Any]:
        return dict(self.lightsail.get_instance(instanceName=self.outputs["InstanceName"])["instance"])

    def allowed_sources(self) -> dict[int, set[str]]:
        """Return the networks that may connect, by port."""
        states = self.lightsail.get_instance_port_states(instanceName=self.outputs["InstanceName"])["portStates"]
        return {one["fromPort"]: {*one.get("cidrs", []), *one.get("ipv6Cidrs", [])} for one in states}

    def page(self) -> requests.Response | None:
        """Return the server's page, or None as long as there is none."""
        try:
            response = requests.get(self.outputs["Url"], timeout=5)
        except requests.RequestException:
            return None
        return response if response.ok else None


@pytest.fixture
def example(deployment: Deployment) -> Example:
    return Example.of(deployment)


def test_address_is_static(example: Example) -> None:
    server = example.server()
    assert server["isStaticIp"] is True
    assert server["publicIpAddress"] == example.outputs["StaticIp"]
    assert example.outputs["Url"] == f"http://{example.outputs['StaticIp']}/"


def test_server_serves_its_page(example: Example) -> None:
    page = wait_for(example.page, f"a page at {example.outputs['Url']}", seconds=LAUNCH_SECONDS)
    server = example.server()
    if server["blueprintId"] == "ubuntu_24_04":
        for fact in (server["blueprintId"], server["bundleId"], server["location"]["availabilityZone"]):
            assert f"<dd>{fact}</dd>" in page.text


def test_only_http_and_https_are_open_to_everybody(example: Example) -> None:
    sources = example.allowed_sources()
    everybody = {"0.0.0.0/0", "::/0"}
    assert {port for port, networks in sources.items() if networks & everybody} == {80, 443}
    assert set(sources) <= {22, 80, 443}
    if 22 not in sources:
        with pytest.raises(TimeoutError), socket.create_connection((example.outputs["StaticIp"], 22), timeout=5):
            pass


def test_lightsail_makes_a_snapshot_every_day(example: Example) -> None:
    (add_on,) = example.server()["addOns"]
    assert (add_on["name"], add_on["status"]) == ("AutoSnapshot", "Enabled")


def test_blueprint_and_bundle_are_still_offered(example: Example) -> None:
    """Lightsail retires them from time to time. Existing servers continue, but nobody can create a new one."""
    server = example.server()
    blueprints = example.lightsail.get_paginator("get_blueprints").paginate().build_full_result()["blueprints"]
    bundles = example.lightsail.get_paginator("get_bundles").paginate().build_full_result()["bundles"]
    assert server["blueprintId"] in {one["blueprintId"] for one in blueprints if one["isActive"]}
    assert server["bundleId"] in {one["bundleId"] for one in bundles if one["isActive"]}
