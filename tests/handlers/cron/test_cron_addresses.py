"""The function never requests an address that only the function or its network can reach."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cron.addresses import NAT64, allowed_addresses, is_public
from tests.handlers.cron.conftest import Resolve

NOT_PUBLIC_ADDRESSES = {
    "this host": "0.0.0.0 0.1.2.3 127.0.0.1 127.255.255.254 :: ::1 ::127.0.0.1 ::8.8.8.8",
    "private networks": "10.0.0.1 100.64.0.1 100.127.255.255 172.16.0.1 172.31.255.255 192.168.1.1 fc00::1 fec0::1",
    "link-local": "169.254.0.1 fe80::1 fe80::1%eth0",
    "EC2's metadata": "169.254.169.254 fd00:ec2::254",
    "Lambda's runtime API": "169.254.100.1",
    "protocols": "192.0.0.8 192.88.99.1 198.18.0.1 100::1 2001::1",
    "examples in documents": "192.0.2.1 198.51.100.7 203.0.113.9 2001:db8::1 3fff::1",
    "multicast and broadcast": "224.0.0.1 239.255.255.250 255.255.255.255 ff02::1",
    "not assigned": "240.0.0.1 4000::1",
    "a private IPv4 address inside IPv6": "::ffff:10.0.0.1 ::ffff:169.254.169.254",
    "NAT64 of 10.0.0.1 and 169.254.169.254": "64:ff9b::a00:1 64:ff9b::a9fe:a9fe 64:ff9b:1::1",
    "tunnels (Teredo, 6to4)": "2001:0:4136:e378:8000:63bf:3fff:fdd2 2002:a00:1::1 2002:808:808::1",
}
PUBLIC_ADDRESSES = [
    "8.8.8.8",
    "93.184.215.14",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
    "2606:4700:4700::1111",
    "2a00:1450::8a",
]


@pytest.mark.parametrize("addresses", NOT_PUBLIC_ADDRESSES.values(), ids=NOT_PUBLIC_ADDRESSES)
def test_an_address_outside_the_public_internet_is_not_public(addresses: str) -> None:
    assert [address for address in addresses.split() if is_public(address)] == []


@pytest.mark.parametrize("address", PUBLIC_ADDRESSES)
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert is_public(address)


PRIVATE_IPV4_ADDRESSES = st.sampled_from(
    [
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
        *("192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/4", "240.0.0.0/4"),
    ]
).flatmap(lambda network: st.ip_addresses(network=network))


@given(PRIVATE_IPV4_ADDRESSES)
def test_a_private_ipv4_address_inside_an_ipv6_address_is_not_public(address: ipaddress.IPv4Address) -> None:
    number = int(address)
    prefixes = (0, 0xFFFF << 32, int(NAT64.network_address))
    ipv6_numbers = [*(prefix | number for prefix in prefixes), 0x2002 << 112 | number << 80]
    spellings = [str(address), *(str(ipaddress.IPv6Address(ipv6_number)) for ipv6_number in ipv6_numbers)]
    assert [spelling for spelling in spellings if is_public(spelling)] == []


def test_only_the_public_addresses_of_a_name_are_used(resolve: Resolve) -> None:
    resolve({"both.example": ["127.0.0.1", "8.8.8.8", "fe80::1"]})
    addresses = allowed_addresses("both.example", 443, seconds=5, allow_private=False)
    assert [address.sockaddr for address in addresses] == [("8.8.8.8", 443)]
