"""WGS-84 (GPS, Telegram) and GCJ-02 (Chinese maps, WeChat) into each other; all numbers are degrees.

Chinese law has maps published with an offset of some hundred metres. Its formula is public knowledge: a shift along
each axis made of a few sine waves over the distance from 105° E, 35° N, scaled by the Krasovsky ellipsoid.
"""

from __future__ import annotations

from math import cos, hypot, isfinite, pi, radians, sin, sqrt

_AXIS = 6378245.0  # Krasovsky 1940: semi-major axis in metres
_ECCENTRICITY2 = 0.00669342162296594323
_WEST, _EAST, _SOUTH, _NORTH = 72.004, 137.8347, 0.8293, 55.8271


def wgs84_to_gcj02(latitude: float, longitude: float) -> tuple[float, float]:
    """(latitude, longitude) as a Chinese map shows them; unchanged outside the box in which maps are shifted."""
    if not _shifted(latitude, longitude):
        return latitude, longitude
    north, east = _shift(latitude, longitude)
    return latitude + north, longitude + east


def gcj02_to_wgs84(latitude: float, longitude: float) -> tuple[float, float]:
    """(latitude, longitude) as a satellite receiver shows them, to within a centimetre.

    The forward formula has no inverse, but the shift changes so slowly that going back by the error of the last
    guess gains about two digits a round.
    """
    if not _shifted(latitude, longitude):
        return latitude, longitude
    guess_latitude, guess_longitude = latitude, longitude
    for _ in range(6):
        north, east = _shift(guess_latitude, guess_longitude)
        guess_latitude, guess_longitude = latitude - north, longitude - east
    return guess_latitude, guess_longitude


def _shifted(latitude: float, longitude: float) -> bool:
    inside = _SOUTH <= latitude <= _NORTH and _WEST <= longitude <= _EAST
    return inside and isfinite(latitude) and isfinite(longitude)


def _shift(latitude: float, longitude: float) -> tuple[float, float]:
    """The offset northwards and eastwards in degrees."""
    x, y = longitude - 105.0, latitude - 35.0
    root = sqrt(abs(x))
    short = (20.0 * sin(6.0 * pi * x) + 20.0 * sin(2.0 * pi * x)) * 2.0 / 3.0
    north = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root + short
    north += (20.0 * sin(pi * y) + 40.0 * sin(pi / 3.0 * y)) * 2.0 / 3.0
    north += (160.0 * sin(pi / 12.0 * y) + 320.0 * sin(pi / 30.0 * y)) * 2.0 / 3.0
    east = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root + short
    east += (20.0 * sin(pi * x) + 40.0 * sin(pi / 3.0 * x)) * 2.0 / 3.0
    east += (150.0 * sin(pi / 12.0 * x) + 300.0 * sin(pi / 30.0 * x)) * 2.0 / 3.0

    magic = 1.0 - _ECCENTRICITY2 * sin(radians(latitude)) ** 2
    along_meridian = _AXIS * (1.0 - _ECCENTRICITY2) / (magic * sqrt(magic))
    along_parallel = _AXIS / sqrt(magic) * cos(radians(latitude))
    return north * 180.0 / (along_meridian * pi), east * 180.0 / (along_parallel * pi)


def flat_metres(
    latitude: float, longitude: float, other_latitude: float, other_longitude: float
) -> tuple[float, float]:
    """The second place as (metres east, metres north) of the first; good to 1 % within a few hundred kilometres."""
    degree = 111_195.0
    return (other_longitude - longitude) * degree * cos(radians(latitude)), (other_latitude - latitude) * degree


def metres_between(latitude: float, longitude: float, other_latitude: float, other_longitude: float) -> float:
    """The distance by the same reckoning."""
    return hypot(*flat_metres(latitude, longitude, other_latitude, other_longitude))
