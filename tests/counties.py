"""Every county, and how regions are named in the tests."""

from config import regions

LEAVES = [region for region in regions.every() if regions.leaf(region.code)]


def names(found):
    return [region.full_name for region in found]
