"""Which addresses are this machine's own."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit


def is_loopback(netloc: str) -> bool:
    """Whether `host[:port]` names this machine without asking a name server."""
    try:
        host = urlsplit(f"//{netloc}").hostname
    except ValueError:
        return False
    if not host or "@" in netloc:
        return False
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)  # a dual-stack socket says ::ffff:127.0.0.1
    return (mapped or address).is_loopback
