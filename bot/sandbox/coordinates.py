"""WGS-84 (GPS, Telegram) to GCJ-02 (maps and WeChat inside China): the public approximation everybody uses."""

from __future__ import annotations

from math import cos, pi, sin, sqrt

AXIS = 6378245.0  # metres, Krasovsky 1940
ECCENTRICITY = 0.00669342162296594323


def to_gcj02(latitude: float, longitude: float) -> tuple[float, float]:
    """Degrees in, degrees out; outside China's rectangle nothing is shifted."""
    if not (0.8293 < latitude < 55.8271 and 72.004 < longitude < 137.8347):
        return latitude, longitude
    x, y = longitude - 105.0, latitude - 35.0
    wave = (20.0 * sin(6.0 * x * pi) + 20.0 * sin(2.0 * x * pi)) * 2.0 / 3.0
    north = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * sqrt(abs(x)) + wave
    north += (20.0 * sin(y * pi) + 40.0 * sin(y / 3.0 * pi)) * 2.0 / 3.0
    north += (160.0 * sin(y / 12.0 * pi) + 320.0 * sin(y * pi / 30.0)) * 2.0 / 3.0
    east = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * sqrt(abs(x)) + wave
    east += (20.0 * sin(x * pi) + 40.0 * sin(x / 3.0 * pi)) * 2.0 / 3.0
    east += (150.0 * sin(x / 12.0 * pi) + 300.0 * sin(x / 30.0 * pi)) * 2.0 / 3.0
    radians = latitude / 180.0 * pi
    flattening = 1 - ECCENTRICITY * sin(radians) ** 2
    north = north * 180.0 / (AXIS * (1 - ECCENTRICITY) / (flattening * sqrt(flattening)) * pi)
    east = east * 180.0 / (AXIS / sqrt(flattening) * cos(radians) * pi)
    return latitude + north, longitude + east
