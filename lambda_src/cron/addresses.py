"""Where a name leads, and whether one may go there.

A function that requests any URL it is told can be told to request what only it can reach: Lambda's own runtime API,
link-local metadata services, a private network. So names are resolved here, and the connection is made to the very
address that was judged: asking a second time could bring another answer ("DNS rebinding").
"""

import ipaddress
import socket
import threading
from concurrent.futures import Future
from dataclasses import dataclass

NOT_A_HOSTS = tuple(map(ipaddress.IPv4Network, ("192.0.0.0/24", "192.88.99.0/24", "224.0.0.0/4")))
"""What Python, or some version of it, counts as global: protocols' own addresses, the 6to4 relay, multicast.
https://www.iana.org/assignments/iana-ipv4-special-registry"""
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
"""IPv6 addresses whose last 32 bits are the IPv4 address meant (RFC 6052)."""
DOCUMENTATION = ipaddress.IPv6Network("3fff::/20")
"""For examples (RFC 9637); Python knows it from 3.13 on."""
GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
"""All that has been given out so far. https://www.iana.org/assignments/ipv6-address-space"""
MAX_ADDRESSES = 8
"""More of a name's addresses are not tried."""


class ForbiddenError(Exception):
    """The target may not be requested. The message says why."""


@dataclass(frozen=True, slots=True)
class Address:
    """What a socket connects to."""

    family: socket.AddressFamily
    sockaddr: tuple[str, int] | tuple[str, int, int, int]


def addresses(host: str, port: int, *, seconds: float, allow_private: bool) -> list[Address]:
    """The addresses of a host that may be connected to, in the resolver's order.

    Raises ForbiddenError when there is none such, TimeoutError when resolving takes longer than `seconds`, and
    OSError or UnicodeError when the name does not resolve.
    """
    found = _resolve(host, port, seconds)
    allowed = [address for address in found if allow_private or is_public(address.sockaddr[0])]
    if not allowed:
        raise ForbiddenError(f"{host} is at {found[0].sockaddr[0]}, and that is not a public address")
    return allowed[:MAX_ADDRESSES]


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the public Internet, and to one machine there.

    An IPv4 address inside an IPv6 address counts where it is meant; tunnels (6to4, Teredo) are refused altogether.
    """
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv4Address):
        return ip.is_global and not any(ip in network for network in NOT_A_HOSTS)
    if ip.ipv4_mapped:
        return is_public(str(ip.ipv4_mapped))
    if ip in NAT64:
        return is_public(str(ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF)))
    return ip in GLOBAL_UNICAST and ip.is_global and ip.sixtofour is None and ip not in DOCUMENTATION


def _resolve(host: str, port: int, seconds: float) -> list[Address]:
    # In a thread, because getaddrinfo takes no timeout: it is left behind when it hangs, and ends when the resolver
    # gives up.
    answer: Future[list[Address]] = Future()

    def ask() -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            answer.set_result([Address(family, sockaddr) for family, _, _, _, sockaddr in found])  # type: ignore[arg-type]
        except Exception as error:  # noqa: BLE001 - raised where it is waited for
            answer.set_exception(error)

    threading.Thread(target=ask, daemon=True).start()
    return answer.result(timeout=seconds)
