"""These tests open the page of the example lightsail in a browser, and check what a change of a property does."""

import re
import urllib.request
from typing import Any

import pytest
from playwright.sync_api import expect

from console.pages.lightsail import INSTANCE, properties
from console.schemas import schema
from tests.local.console.conftest import OpenPage
from tests.support.browser import needs_browser

SERVER: dict[str, Any] = {
    "Properties": {
        "InstanceName": "server",
        "BlueprintId": "ubuntu",
        "BundleId": {"Ref": "Bundle"},
        "UserData": "#!/bin/sh\necho 1\n",
        "Networking": {"Ports": [{"FromPort": 80, "Cidrs": ["0.0.0.0/0", "192.0.2.0/24"]}]},
        "Tags": [{"Key": "<b>", "Value": "x"}],
    }
}


@needs_browser
def test_the_frame_shows_the_page_of_the_launch_script(open_page: OpenPage) -> None:
    page = open_page("/examples/lightsail")
    frame = page.frame_locator("iframe.page")
    expect(frame.get_by_role("heading", name="A virtual server, ready")).to_be_visible()
    expect(frame.get_by_text("ubuntu_24_04")).to_be_visible()
    expect(page.get_by_text("systemctl enable --now nginx")).to_be_visible()


@needs_browser
def test_the_page_shows_the_firewall_the_alarms_and_the_changes_that_need_a_new_server(open_page: OpenPage) -> None:
    page = open_page("/examples/lightsail")
    for port in ("80", "443"):
        expect(page.get_by_role("row", name=f"{port} tcp everybody (0.0.0.0/0, ::/0)")).to_be_visible()
    expect(page.get_by_role("row", name=re.compile("StatusCheckFailed at least 1 for 10 minutes"))).to_be_visible()
    for name, value in {"BlueprintId": "ubuntu_24_04", "BundleId": "nano_3_0"}.items():
        row = page.locator(f"#property-{name}")
        expect(row).to_contain_text(value)
        expect(row.locator(".state")).to_have_text("new server")
    expect(page.locator("#property-Networking")).to_contain_text("in place")
    expect(page.locator("#property-Networking .state")).to_have_count(0)


def test_the_page_of_the_server_runs_no_script(console_url: str) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"{console_url}/examples/lightsail/server-page", timeout=10) as response:
        policy = response.headers["Content-Security-Policy"]
    assert policy.startswith("sandbox; default-src 'none'")
    assert "allow" not in policy
    assert "script-src" not in policy


@pytest.mark.parametrize(
    ("name", "value", "needs_new_server", "effect"),
    [
        ("AvailabilityZone", "not set", True, "CloudFormation refuses this while InstanceName stays the same"),
        ("BlueprintId", "ubuntu", True, "CloudFormation refuses this while InstanceName stays the same"),
        ("BundleId", '{"Ref": "Bundle"}', True, "CloudFormation refuses this while InstanceName stays the same"),
        ("InstanceName", "server", True, "deletes the old one with its data"),
        ("Networking", "FromPort: 80, Cidrs: 0.0.0.0/0 and 192.0.2.0/24", False, "in place"),
        ("Tags", "<b> = x", False, "in place"),
        ("UserData", "a script of 2 lines", False, "Nothing happens"),
    ],
)
def test_what_a_change_of_a_property_does(name: str, value: str, needs_new_server: bool, effect: str) -> None:  # noqa: FBT001
    (found,) = [row for row in properties(SERVER, schema(INSTANCE)) if row.name == name]
    assert (found.value, found.needs_new_server) == (value, needs_new_server)
    assert effect in found.effect


def test_a_production_server_stays_outside_the_stack_if_its_name_changes() -> None:
    rows = properties({**SERVER, "UpdateReplacePolicy": "Retain"}, schema(INSTANCE))
    assert "keeps the old one outside the stack" in next(row.effect for row in rows if row.name == "InstanceName")


def test_without_a_name_a_change_replaces_the_server() -> None:
    rows = properties({"Properties": {"BundleId": "nano"}}, schema(INSTANCE))
    assert "creates a new, empty server" in next(row.effect for row in rows if row.name == "BundleId")
