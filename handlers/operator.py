"""Who answers for this deployment: said before anybody gives personal data (PIPL art. 17), in help and in 我的数据."""

from __future__ import annotations

from config.texts import _


def who_is_responsible(name: str, contact: str) -> str:
    """One line with the body's name and how to reach it; where nobody wrote them down it says so."""
    if name and contact:
        return _("谁负责：{name}，联系方式：{contact}。").format(name=name, contact=contact)
    if name:
        return _("谁负责：{name}，还没有写明联系方式。").format(name=name)
    if contact:
        return _("谁负责：还没有写明名称，联系方式：{contact}。").format(contact=contact)
    return _("谁负责：运行这个服务的单位还没有写明名称和联系方式。")
