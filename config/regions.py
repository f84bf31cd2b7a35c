"""The regions of China: the tree, what a typed place means, and what a shared location means.

The one door for the rest of the house; the three parts are in their own files.
"""

from config.region_names import search, short_name
from config.region_places import near
from config.region_tree import Region, children, every, get, leaf, path, within

__all__ = ["Region", "children", "every", "get", "leaf", "near", "path", "search", "short_name", "within"]
