"""What the two talks about a guardian's consent share: who the guardian is, and why a consent cannot stand."""

from __future__ import annotations

from config.texts import _
from handlers.checks import other_number, person_name
from handlers.dialogue import Ask, Choice, Refused, Talk
from handlers.message import Reply
from models.guardian import Guardian, GuardianError


def about_guardian(name_text: str, relation_text: str, phone_text: str, child_phone: str) -> Talk:
    """Ask for name, relation and mobile number, another than the child's (`child_phone`, a digest)."""
    name = yield Ask("guardian_name", name_text, check=person_name, sensitive=True)
    relation = yield Ask("relation", relation_text, _relations())
    phone = yield Ask("guardian_phone", phone_text, check=other_number(child_phone, same_phone()), sensitive=True)
    return Guardian(name=name, relation=relation, phone=phone)


def same_phone() -> str:
    """The one mistake that can be mended at once."""
    return _("监护人的手机号不能和孩子的一样，请写监护人自己的号码。")


def not_agreed(error: GuardianError, called: str) -> Reply:
    """Why the consent does not stand; the one thing that can be mended at once is asked again."""
    if error.reason == "phone":
        raise Refused("guardian_phone", same_phone()) from None
    if error.reason == "minor":
        text = _("监护人要年满 18 岁。按您的注册资料，您还未满 18 岁，请让{called}的监护人来操作。")
        return Reply(text.format(called=called))
    if error.reason == "scope":
        return Reply(_("这位志愿者现在不在你负责的地区，没有登记。"))
    return Reply(own_code() if error.reason == "own" else gone())


def _relations() -> tuple[Choice, ...]:
    return (
        Choice("father", _("父亲"), words=(_("爸爸"),)),
        Choice("mother", _("母亲"), words=(_("妈妈"),)),
        Choice("grandparent", _("祖父母或外祖父母")),
        Choice("sibling", _("成年的兄姐")),
        Choice("other", _("其他监护人")),
    )


def own_code() -> str:
    """Whoever acts is, or once was, the minor."""
    return _("这是你自己的监护码，不能自己用。请转发给监护人，由监护人在他（她）自己的手机上操作。")


def gone() -> str:
    """Nobody waits for this consent."""
    return _("这份注册现在不需要监护人同意，或者已经不在了。")
