"""What an invitation says: bands that identify nobody, in words (programme §5)."""

from __future__ import annotations

from typing import Any

from config.services import labels
from config.texts import _


def invitation_words(bands: dict[str, Any]) -> str:
    """One sentence of everything that may be said, e.g. “小学高年级，想要支教助学，步行 20 分钟内，大约每月一次”."""
    parts = [_age(str(bands.get("age", ""))), _needs(list(bands.get("needs", [])))]
    parts.append(near_words(str(bands.get("near", ""))))
    if "activities" in bands:
        parts.append(often_words(int(bands["activities"])))
    if "months" in bands:
        parts.append(_("先约定 {months} 个月").format(months=bands["months"]))
    return _("，").join(part for part in parts if part)


def short_words(bands: dict[str, Any]) -> list[str]:
    """The first of it: how old, and what is needed; as far as the bands have it."""
    return [part for part in (_age(str(bands.get("age", ""))), _needs(list(bands.get("needs", [])))) if part]


def _age(band: str) -> str:
    return {
        "small": _("学龄前"),
        "primary_low": _("小学低年级"),
        "primary_high": _("小学高年级"),
        "junior": _("初中年纪"),
        "senior": _("高中年纪"),
        "young": _("18–25 岁"),
        "grown": _("26 岁以上"),
        "old": _("60 岁以上"),
    }.get(band, "")


def _needs(needs: list[str]) -> str:
    return _("需要{needs}").format(needs=_("、").join(labels("service", needs))) if needs else _("想有人常去看看")


def near_words(near: str) -> str:
    """How far it is, as a band: “步行 20 分钟内”, “10 公里内”, “同一个街道或乡镇”."""
    if near.isdecimal():
        return _("{km} 公里内").format(km=near)
    return {
        "walk": _("步行 20 分钟内"),
        "town": _("同一个街道或乡镇"),
        "county": _("同一个区县"),
        "away": _("在对口帮扶的区县"),
    }.get(near, "")


def often_words(activities: int) -> str:
    """How often so many activities a year are."""
    if activities >= 50:
        return _("大约每周一次")
    if activities >= 24:
        return _("大约每两周一次")
    if activities >= 12:
        return _("大约每月一次")
    if activities >= 6:
        return _("大约每两个月一次")
    return _("一年至少 {count} 次").format(count=activities)


def service_words(services: list[str]) -> str:
    """Services by their labels."""
    return _("、").join(labels("service", services)) if services else _("陪伴和探访")
