"""The regions of China: the tree, what a typed place means, what a shared location means, and what a place is called.

The one door for the rest of the house; the four parts are in their own files.
"""

from config.region_names import search, short_name
from config.region_places import near
from config.region_spoken import own_name, place_name, place_words
from config.region_tree import Region, children, every, get, leaf, path, within

__all__ = [
    "Region",
    "children",
    "every",
    "get",
    "leaf",
    "near",
    "own_name",
    "path",
    "place_name",
    "place_words",
    "search",
    "short_name",
    "within",
]
