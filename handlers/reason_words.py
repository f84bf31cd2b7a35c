"""Why somebody is proposed for somebody, or why nobody was found, in plain words: no name, no disability, kilometres
only where they are known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from config.services import Kind, labels
from config.texts import _

# What says where somebody is comes first, as one phrase: “同一街道 1.2 公里”.
_WHERE = ("same_town", "distance_km", "same_county", "team_area", "helping_region")


def reasons_words(reasons: Sequence[Sequence[Any]]) -> str:
    """All reasons of a proposal (models/proposal.py), as one phrase without a full stop."""
    told = {str(code): params for code, params in reasons}
    parts = [_place(told)] if any(code in told for code in _WHERE) else []
    parts += [_fit(code, params) for code, params in told.items() if code not in _WHERE]
    return _("，").join(part for part in parts if part)


def reason_words(code: str, params: dict[str, Any]) -> str:
    """One reason alone."""
    return reasons_words([(code, params)])


def count_words(code: str, count: int) -> str:
    """Why nobody was found, for a list of counts; a code that a later version made stands for itself."""
    words = {
        "no_volunteer_near": _("附近没有能来的志愿者"),
        "only_minors": _("附近只有未成年的志愿者"),
        "all_refused": _("附近的志愿者都问过或不合适了"),
        "no_sign_language_near": _("附近没有会手语的志愿者"),
        "no_language_near": _("附近没有会说对方语言的志愿者"),
        "sex_wanted": _("附近没有家里希望的性别的志愿者"),
        "no_clearance": _("附近的志愿者没有有效的未成年人服务审核"),
        "no_skill": _("附近没有具备所需专长的志愿者"),
        "all_full": _("合适的志愿者都已满额，或先提议给了别人"),
    }
    return _("{item}：{value}").format(item=words.get(code, code), value=count)


def _place(told: dict[str, dict[str, Any]]) -> str:
    helping = "helping_region" in told
    if "distance_km" in told:
        km = _number(told["distance_km"]["km"])
        where = _("同一街道 {km} 公里") if "same_town" in told else _("相距 {km} 公里")
        where = where.format(km=km)
        return _("，").join([where, _("来自帮扶地区")]) if helping else where
    if helping:
        return _("来自帮扶地区")
    if "same_town" in told:
        return _("同一街道（乡镇）")
    return _("在团队服务的地区") if "team_area" in told else _("同一区县")


def _fit(code: str, params: dict[str, Any]) -> str:
    if code in ("service", "skill"):
        kind: Kind = "service" if code == "service" else "skill"
        listed = _("、").join(labels(kind, params["keys"]))
        return (_("能做{what}") if code == "service" else _("有{what}专长")).format(what=listed)
    if code == "language":
        key = params["key"]
        return _("会手语") if key == "sign" else _("会说{language}").format(language=labels("language", [key])[0])
    if code == "continuity":
        return _("所在团队以前帮助过对方")
    if code == "load":
        count = params["count"]
        return _("现在结对 {count} 人").format(count=count) if count else _("现在没有结对")
    return _left(code, params)


def _left(code: str, params: dict[str, Any]) -> str:
    """Why nobody was found for one person; by the county where no distance was known."""
    near = _("附近 {km} 公里内").format(km=_number(params["km"])) if "km" in params else _("本区县")
    women, men = _("{near}其他方面合适的 {count} 位里没有女志愿者"), _("{near}其他方面合适的 {count} 位里没有男志愿者")
    words = {
        "no_volunteer_near": _("{near}没有能来的志愿者"),
        "only_minors": _("{near}只有未成年的志愿者"),
        "all_refused": _("{near}的 {count} 位志愿者都问过或不合适了"),
        "no_sign_language_near": _("{near}没有会手语的志愿者"),
        "no_language_near": _("{near}没有会说{language}的志愿者"),
        "sex_wanted": women if params.get("sex") == "female" else men,
        "no_clearance": _("{near}的 {count} 位志愿者没有有效的未成年人服务审核"),
        "no_skill": _("{near}的 {count} 位志愿者没有所需的专长"),
        "all_full": _("合适的 {count} 位志愿者都已满额，或先提议给了别人"),
    }
    language = labels("language", [params["key"]])[0] if "key" in params else ""
    return words.get(code, "").format(near=near, count=params.get("count", 0), language=language)


def _number(km: float) -> str:
    return f"{km:g}"
