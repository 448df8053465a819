"""The deployed server: its address, its firewall, and the page that its launch script made."""

import socket
from dataclasses import dataclass
from typing import Any, Self

import pytest
import requests

from tests.support.deployment import Deployment
from tests.support.waiting import wait_for

pytestmark = pytest.mark.timeout(900)  # it may just be starting
LAUNCH_SECONDS = 600
"""A minute to start, and some to install, on a processor of which 5 % are ours once its burst is spent."""


@dataclass
class Example:
    """The server as Lightsail describes it."""

    lightsail: Any
    outputs: dict[str, str]

    @classmethod
    def of(cls, deployment: Deployment) -> Self:
        client = deployment.client("lightsail")
        if not client.meta.endpoint_url.endswith(".amazonaws.com"):
            pytest.skip("the local AWS only records Lightsail: there is no server")
        return cls(client, deployment.outputs("lightsail"))

    def server(self) -> dict[str, Any]:
        return dict(self.lightsail.get_instance(instanceName=self.outputs["InstanceName"])["instance"])

    def sources(self) -> dict[int, set[str]]:
        """Who may connect, by port."""
        states = self.lightsail.get_instance_port_states(instanceName=self.outputs["InstanceName"])["portStates"]
        return {one["fromPort"]: {*one.get("cidrs", []), *one.get("ipv6Cidrs", [])} for one in states}

    def page(self) -> requests.Response | None:
        """What the server answers, once it does."""
        try:
            answer = requests.get(self.outputs["Url"], timeout=5)
        except requests.RequestException:
            return None
        return answer if answer.ok else None


@pytest.fixture
def example(deployment: Deployment) -> Example:
    return Example.of(deployment)


def test_the_address_is_static(example: Example) -> None:
    server = example.server()
    assert server["isStaticIp"] is True
    assert server["publicIpAddress"] == example.outputs["StaticIp"]
    assert example.outputs["Url"] == f"http://{example.outputs['StaticIp']}/"


def test_the_server_serves_its_page(example: Example) -> None:
    page = wait_for(example.page, f"a page at {example.outputs['Url']}", seconds=LAUNCH_SECONDS)
    server = example.server()
    if server["blueprintId"] == "ubuntu_24_04":
        for fact in (server["blueprintId"], server["bundleId"], server["location"]["availabilityZone"]):
            assert f"<dd>{fact}</dd>" in page.text


def test_the_web_is_open_to_everybody_and_nothing_else(example: Example) -> None:
    sources = example.sources()
    everybody = {"0.0.0.0/0", "::/0"}
    assert {port for port, who in sources.items() if who & everybody} == {80, 443}
    assert set(sources) <= {22, 80, 443}
    if 22 not in sources:
        with pytest.raises(TimeoutError), socket.create_connection((example.outputs["StaticIp"], 22), timeout=5):
            pass


def test_the_server_is_saved_every_day(example: Example) -> None:
    (add_on,) = example.server()["addOns"]
    assert (add_on["name"], add_on["status"]) == ("AutoSnapshot", "Enabled")


def test_its_blueprint_and_bundle_are_still_offered(example: Example) -> None:
    """Lightsail retires them in time: those that exist go on, new ones cannot be made."""
    server = example.server()
    blueprints = example.lightsail.get_paginator("get_blueprints").paginate().build_full_result()["blueprints"]
    bundles = example.lightsail.get_paginator("get_bundles").paginate().build_full_result()["bundles"]
    assert server["blueprintId"] in {one["blueprintId"] for one in blueprints if one["isActive"]}
    assert server["bundleId"] in {one["bundleId"] for one in bundles if one["isActive"]}
