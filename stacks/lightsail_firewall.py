"""The open ports of the server."""

import ipaddress

from aws_cdk import aws_lightsail as lightsail

Port = lightsail.CfnInstance.PortProperty


def open_ports(ssh_cidr: str | None) -> list[Port]:
    """Return the open ports: HTTP and HTTPS for everybody, and SSH for the network `ssh_cidr` if there is one.

    The list replaces Lightsail's default, which opens port 22 to everybody.
    """
    ports = [_port(number, "0.0.0.0/0", "::/0") for number in (80, 443)]
    return [*ports, _port(22, ssh_cidr)] if ssh_cidr else ports


def _port(number: int, *sources: str) -> Port:
    # Lightsail has separate firewalls for IPv4 and IPv6.
    by_version: dict[int, list[str]] = {4: [], 6: []}
    for source in sources:
        by_version[ipaddress.ip_network(source).version].append(source)
    return Port(
        from_port=number,
        to_port=number,
        protocol="tcp",
        cidrs=by_version[4] or None,
        ipv6_cidrs=by_version[6] or None,
    )
