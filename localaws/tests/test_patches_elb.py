"""Tests of the patches of load balancers that need no engine."""

from typing import Any

import pytest
from ministack.services import s3

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


@pytest.mark.parametrize(("prefix", "folder"), [(None, ""), ("", ""), ("web/logs", "web/logs/")])
def test_the_key_of_the_test_file_begins_with_the_prefix_of_the_log(
    monkeypatch: pytest.MonkeyPatch, prefix: str | None, folder: str
) -> None:
    files: list[tuple[str, str]] = []

    def put_object(bucket: str, key: str, *_: Any) -> None:
        files.append((bucket, key))

    monkeypatch.setattr(s3, "_put_object", put_object)
    attributes = {"enabled": "true", "bucket": "logs", **({} if prefix is None else {"prefix": prefix})}
    pairs = [{"Key": f"access_logs.s3.{name}", "Value": value} for name, value in attributes.items()]
    elb._write_into_log_bucket({"LoadBalancerAttributes": pairs}, "arn")
    assert files == [("logs", f"{folder}AWSLogs/000000000000/ELBAccessLogTestFile")]
