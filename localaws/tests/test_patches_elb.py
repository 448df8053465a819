"""Tests of the patches of load balancers that need no engine."""

import pytest

from localaws.patches import elb


def test_two_load_balancers_take_turns_independently(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two clients whose requests alternate must each reach all tasks of their own load balancer."""
    tasks = {"first": [("127.0.0.1", 1), ("127.0.0.1", 2)], "second": [("127.0.0.1", 3), ("127.0.0.1", 4)]}
    health = {
        arn: {(str(port), port): elb.Health(address=(host, port), state="healthy") for host, port in addresses}
        for arn, addresses in tasks.items()
    }
    monkeypatch.setattr(elb, "_health", health)
    monkeypatch.setattr(elb, "_request_numbers", {})
    reached: dict[str, set[elb.Address | None]] = {"first": set(), "second": set()}
    for _ in range(2):
        for arn, addresses in reached.items():
            addresses.add(elb._next_address(arn))
    assert reached == {arn: set(addresses) for arn, addresses in tasks.items()}
