"""Addresses that only the function or its network can reach are never requested."""

import ipaddress
import socket
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cron.addresses import NAT64, ForbiddenError, allowed_addresses, is_public
from tests.handlers.cron.conftest import Resolve

PRIVATE = [
    "0.0.0.0",  # noqa: S104 - nothing is bound
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.0.1",
    "169.254.169.254",  # EC2's metadata
    "169.254.100.1",  # Lambda's runtime API
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.8",
    "192.88.99.1",
    "192.0.2.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.7",
    "203.0.113.9",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::8.8.8.8",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::a00:1",  # 10.0.0.1 through NAT64
    "64:ff9b::a9fe:a9fe",  # 169.254.169.254 through NAT64
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",  # Teredo
    "2001:db8::1",
    "2002:a00:1::1",  # 10.0.0.1 through 6to4
    "2002:808:808::1",
    "3fff::1",  # for documentation
    "fc00::1",
    "fd00:ec2::254",  # EC2's metadata
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "4000::1",
]
PUBLIC = ["8.8.8.8", "93.184.215.14", "::ffff:8.8.8.8", "64:ff9b::808:808", "2606:4700:4700::1111", "2a00:1450::8a"]


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_outside_the_public_internet_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert is_public(address)


PRIVATE_IPV4 = st.sampled_from(
    [
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
        *("192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/4", "240.0.0.0/4"),
    ]
).flatmap(lambda network: st.ip_addresses(network=network))


@given(PRIVATE_IPV4)
def test_a_private_ipv4_address_inside_an_ipv6_address_is_not_public(address: ipaddress.IPv4Address) -> None:
    number = int(address)
    spellings = [
        address,
        ipaddress.IPv6Address(0xFFFF << 32 | number),
        ipaddress.IPv6Address(int(NAT64.network_address) | number),
        ipaddress.IPv6Address(0x2002 << 112 | number << 80),
        ipaddress.IPv6Address(number),
    ]
    assert not [spelling for spelling in spellings if is_public(str(spelling))]


@given(st.ip_addresses(v=6))
def test_a_public_ipv6_address_is_global_unicast(address: ipaddress.IPv6Address) -> None:
    if is_public(str(address)) and address not in NAT64 and not address.ipv4_mapped:
        assert 0x2000 <= int(address) >> 112 < 0x4000


def test_a_name_with_a_private_address_is_forbidden_unless_allowed(resolve: Resolve) -> None:
    resolve({"internal.example": ["10.1.2.3"]})
    with pytest.raises(ForbiddenError, match=r"internal\.example is at 10\.1\.2\.3, and that is not a public address"):
        allowed_addresses("internal.example", 80, seconds=5, allow_private=False)
    (found,) = allowed_addresses("internal.example", 80, seconds=5, allow_private=True)
    assert found.sockaddr == ("10.1.2.3", 80)


def test_only_the_public_addresses_of_a_name_are_used(resolve: Resolve) -> None:
    resolve({"both.example": ["127.0.0.1", "8.8.8.8", "fe80::1"]})
    found = allowed_addresses("both.example", 443, seconds=5, allow_private=False)
    assert [address.sockaddr[0] for address in found] == ["8.8.8.8"]


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "127.1", "017700000001"])
def test_unusual_spellings_of_a_private_address_are_forbidden(host: str) -> None:
    """The C library reads these spellings, so the check uses the address that it returns."""
    with pytest.raises(ForbiddenError, match=r"is at 127\.0\.0\.1"):
        allowed_addresses(host, 80, seconds=5, allow_private=False)


def test_a_resolver_that_hangs_is_a_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()

    def hang(*_: object, **__: object) -> list[object]:
        released.wait()
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    started = time.monotonic()
    with pytest.raises(TimeoutError):
        allowed_addresses("slow.example", 80, seconds=0.2, allow_private=False)
    assert time.monotonic() - started < 10
    released.set()
