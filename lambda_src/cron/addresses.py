"""Resolves names, and decides to which IP addresses the function is allowed to send requests.

An attacker can give the function a URL of a private service that only the function can reach: Lambda's runtime API, a
link-local metadata service, or a server in a private network. So this module resolves a name once and checks its
addresses, and the function connects to a checked address. If the name were resolved a second time, the answer could be
another address ("DNS rebinding").
"""

import ipaddress
import socket
import threading
from concurrent.futures import Future
from dataclasses import dataclass

NON_HOST_NETWORKS = tuple(map(ipaddress.IPv4Network, ("192.0.0.0/24", "192.88.99.0/24", "224.0.0.0/4")))
"""Networks without public hosts, although at least one Python version counts their addresses as global: protocol
assignments, the 6to4 relay, multicast. https://www.iana.org/assignments/iana-ipv4-special-registry"""
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
"""IPv6 addresses whose last 32 bits are the IPv4 address of the target (RFC 6052)."""
DOCUMENTATION = ipaddress.IPv6Network("3fff::/20")
"""Addresses for examples in documents (RFC 9637). Before version 3.13, Python counts them as global."""
GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
"""This network contains all public IPv6 addresses that are assigned so far.
https://www.iana.org/assignments/ipv6-address-space"""
MAX_ADDRESSES = 8
"""Maximum number of addresses that are tried for one name."""


class ForbiddenError(Exception):
    """The function is not allowed to request this URL. The message says why."""


@dataclass(frozen=True, slots=True)
class Address:
    """An IP address and port, in the form that a socket needs to connect."""

    family: socket.AddressFamily
    sockaddr: tuple[str, int] | tuple[str, int, int, int]


def allowed_addresses(host: str, port: int, *, seconds: float, allow_private: bool) -> list[Address]:
    """Return the allowed addresses of a host, in the resolver's order: all addresses, or only the public ones.

    Raises ForbiddenError if no address is allowed, TimeoutError if resolving takes longer than `seconds`, and OSError
    or UnicodeError if the name does not resolve.
    """
    addresses = _resolve(host, port, seconds)
    allowed = [address for address in addresses if allow_private or is_public(address.sockaddr[0])]
    if not allowed:
        raise ForbiddenError(f"{host} is at {addresses[0].sockaddr[0]}, and that is not a public address")
    return allowed[:MAX_ADDRESSES]


def is_public(address: str) -> bool:
    """Whether an IP address can belong to a host on the public Internet.

    If an IPv6 address contains the IPv4 address of its target, the result is for the IPv4 address.
    Addresses of tunnels (6to4, Teredo) are never public.
    """
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv4Address):
        return ip.is_global and not any(ip in network for network in NON_HOST_NETWORKS)
    if ip.ipv4_mapped:
        return is_public(str(ip.ipv4_mapped))
    if ip in NAT64:
        return is_public(str(ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF)))
    return ip in GLOBAL_UNICAST and ip.is_global and ip.sixtofour is None and ip not in DOCUMENTATION


def _resolve(host: str, port: int, seconds: float) -> list[Address]:
    # getaddrinfo has no timeout, so it runs in a thread. After `seconds`, the function no longer waits for the thread.
    # The thread ends when getaddrinfo returns.
    answer: Future[list[Address]] = Future()

    def resolve() -> None:
        try:
            infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            answer.set_result([Address(family, sockaddr) for family, _, _, _, sockaddr in infos])  # type: ignore[arg-type]
        except Exception as error:  # noqa: BLE001 - result() raises it in the caller's thread
            answer.set_exception(error)

    threading.Thread(target=resolve, daemon=True).start()
    return answer.result(timeout=seconds)
