"""Distances on the globe."""

from __future__ import annotations

from math import asin, cos, radians, sin, sqrt

EARTH_KM = 6_371.0


def kilometres(latitude: float, longitude: float, other_latitude: float, other_longitude: float) -> float:
    """Between two points in degrees (WGS-84), along a great circle."""
    a, b = radians(latitude), radians(other_latitude)
    half = sin((b - a) / 2) ** 2 + cos(a) * cos(b) * sin(radians(other_longitude - longitude) / 2) ** 2
    return 2 * EARTH_KM * asin(sqrt(half))
