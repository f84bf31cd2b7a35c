"""The offset of Chinese maps, there and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.coordinates import gcj02_to_wgs84, metres_between, wgs84_to_gcj02

CENTIMETRE = 1e-7  # degrees, about 1.1 cm
# Published pairs (WGS-84, GCJ-02) of the usual implementations.
KNOWN = [
    ((31.1774276, 121.5272106), (31.17530398364597, 121.531541859215)),
    ((22.543847, 113.912316), (22.540796131694766, 113.9171764808363)),
    ((39.911954, 116.377817), (39.91334545536069, 116.38404722455657)),
]


@pytest.mark.parametrize(("satellite", "chinese_map"), KNOWN)
def test_known_places_are_shifted_as_published_and_come_back(satellite, chinese_map):
    assert wgs84_to_gcj02(*satellite) == pytest.approx(chinese_map, abs=CENTIMETRE)
    assert gcj02_to_wgs84(*chinese_map) == pytest.approx(satellite, abs=CENTIMETRE)


@given(st.floats(18.0, 53.0), st.floats(74.0, 134.0))
def test_any_place_in_china_comes_back_to_within_a_centimetre_and_is_moved_by_less_than_a_kilometre(lat, lon):
    shifted = wgs84_to_gcj02(lat, lon)
    assert gcj02_to_wgs84(*shifted) == pytest.approx((lat, lon), abs=CENTIMETRE)
    assert 1 < metres_between(lat, lon, *shifted) < 1_500


@pytest.mark.parametrize("place", [(51.5, 0.0), (40.7, -74.0), (-33.9, 151.2), (0.0, 100.0), (60.0, 100.0)])
def test_places_outside_the_box_of_chinese_maps_stay_where_they_are(place):
    assert wgs84_to_gcj02(*place) == place
    assert gcj02_to_wgs84(*place) == place


@pytest.mark.parametrize("nonsense", [float("nan"), float("inf"), float("-inf")])
def test_nonsense_is_given_back_untouched_and_raises_nothing(nonsense):
    latitude, longitude = gcj02_to_wgs84(30.0, nonsense)
    assert latitude == 30.0
    assert repr(longitude) == repr(nonsense)
    latitude, longitude = wgs84_to_gcj02(nonsense, 110.0)
    assert repr(latitude) == repr(nonsense)
    assert longitude == 110.0


def test_a_minute_of_latitude_is_a_nautical_mile():
    assert metres_between(30.0, 110.0, 30.0 + 1 / 60, 110.0) == pytest.approx(1852, rel=0.005)
    assert metres_between(60.0, 110.0, 60.0, 110.0 + 1 / 60) == pytest.approx(926, rel=0.005)
