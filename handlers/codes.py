"""One-time codes as people type them, and what to say about those that do not count."""

from __future__ import annotations

import re

from sqlmodel import Session

from config.catalogue import rules
from config.texts import _
from handlers.dialogue import Invalid, Refused
from models.code import count_wrong, normal
from models.person import Person

_BARE = re.compile(r"[2-9A-HJ-NP-Z](?:[ -]?[2-9A-HJ-NP-Z]){7}", re.IGNORECASE)


def bare_code(words: str) -> str:
    """The code that a whole message is, by its shape: 8 of the characters that codes are made of, digits and letters
    among them. Empty for anything else."""
    code = normal(words) if _BARE.fullmatch(words) else ""
    return "" if code.isalpha() or code.isdigit() else code


def code_shape(words: str) -> str:
    """A code: 8 letters and digits, with or without spaces and dashes. Raises Invalid."""
    code = normal(words)
    if len(code) != 8 or len(words) > 24:
        raise Invalid(_("码是 8 位字母和数字，例如 7KQ2 M9XA；大小写和空格都没关系。"))
    return code


def bad_code(key: str, person: Person, verdict: str, *, renew: str, counts: bool = True) -> Refused:
    """Ask for the code again under `key`; wrong ones are counted, unless `counts` says that this one is no guess.
    `renew` says how to get another one."""
    limits = rules().doors
    text = {
        "wrong": _("没有这个码，请对照收到的消息再输一次。"),
        "used": _("这个码已经用过了，每个码只能用一次。") + renew,
        "expired": _("这个码过期了（{minutes} 分钟内有效）。").format(minutes=limits.code_minutes) + renew,
        "replaced": _("这个码已经换成新的，旧的不能用了，请用最新的那个。"),
        "own": _("这个码是你自己拿的，要到另一个账号里输入；已经绑在一起的账号不用再绑。"),
        "pause": _("输错太多次了，请过 {minutes} 分钟再试；着急的话回复“联系专员”。").format(
            minutes=limits.code_pause_minutes
        ),
    }[verdict]
    person_id = person.id

    def count(session: Session) -> None:
        count_wrong(session, person_id)

    return Refused(key, text, then=count if verdict == "wrong" and counts else None)
