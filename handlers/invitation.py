"""What a minor reads who needs a guardian's word: a text to forward, with a page and a code in it."""

from __future__ import annotations

from sqlmodel import Session

from config.catalogue import rules
from config.texts import _
from handlers.here import here
from models.guardian import invite
from models.person import Person, address_form
from models.volunteer import Volunteer, name_of

# Surnames of two characters, so that what is left of a name is the given name.
_LONG_SURNAMES = (
    *("欧阳", "歐陽", "司马", "司馬", "上官", "诸葛", "諸葛", "司徒", "东方", "東方", "皇甫", "尉迟", "尉遲", "慕容"),
    *("令狐", "夏侯", "端木", "南宫", "南宮", "公孙", "公孫", "宇文", "长孙", "長孫", "闻人", "聞人"),
)


def invitation(session: Session, person: Person, volunteer: Volunteer) -> str:
    """The text, with a new code and page; earlier ones stop working. Called by `perform`, never by a talk."""
    label = called_gently(session, person, volunteer)
    ways = invite(session, volunteer, label)
    place = here(session)
    lines = [_("您好，我是{called}，想在暖阳当志愿者，帮助残疾人朋友，需要您同意。").format(called=label)]
    if place.public_url:
        lines.append(_("请打开这一页看说明：{page}").format(page=place.page(ways.page)))
    if place.platform == "telegram":
        way = _("再用您自己的手机打开微信公众号“暖阳”或 Telegram 机器人，哪个方便用哪个，回复：监护 {code}")
    else:
        way = _("再用您自己的手机关注微信公众号“暖阳”，回复：监护 {code}")
    lines.append(way.format(code=ways.code))
    days = rules().registration.guardian_link_days
    ends = _(
        "请把上面这段转发给监护人，{days} 天内有效。同意要由监护人本人操作，你不能替他（她）点。"
        "没有智能手机也可以：把书面同意书交给项目专员，并告诉专员你的编号。"
    ).format(days=days)
    if ways.replaces:
        ends = _("以前转发过的监护码和网页已经不能用了，请让监护人用这一段里的。") + "\n" + ends
    age = rules().registration.guardian_consent_below
    needed = _("还差一步：你未满 {age} 岁，要监护人同意才能开始服务。").format(age=age)
    return "\n\n".join((needed, "\n".join(lines), ends))


def called_gently(session: Session, person: Person, volunteer: Volunteer) -> str:
    """A minor's form of address, else the given name alone, in Latin letters the initials: what others may read of
    him or her, just enough for a guardian to know who it is."""
    chosen = address_form(session, person)
    if chosen:
        return chosen
    name = name_of(session, volunteer)
    given = given_name(name)
    return given if not _is_chinese(name) or "·" in name else _("{given}同学").format(given=given)


def given_name(name: str) -> str:
    """The given name alone; in Latin letters the initials."""
    if not _is_chinese(name):
        # Nothing tells which word is the surname: it comes first in “Lee Ka Yan” and last in “Mary Lee”.
        return " ".join(f"{word[0].upper()}." for word in name.split())
    if "·" in name:
        return name.split("·")[0]
    return name[2:] if name.startswith(_LONG_SURNAMES) and len(name) > 2 else name[1:] or name


def _is_chinese(name: str) -> bool:
    return not any(c.isalpha() and c < "\u2e80" for c in name)
