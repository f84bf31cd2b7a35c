"""What both sides of 联系专员 share: who somebody is, and where words are read that this platform must not carry."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlmodel import Session

from config.catalogue import rules
from config.texts import _
from handlers.here import here
from handlers.message import Link, Option, Reply, Written
from models.alert import Alert
from models.contact import ContactMessage, may_read, read_words, words_of
from models.contact_routes import SERVED, concerns
from models.database import now_of
from models.page import issue_page
from models.person import Person, address_form
from models.volunteer import volunteer_of


def elsewhere(session: Session, person: Person, row: ContactMessage, text: str, options: tuple[Option, ...]) -> Reply:
    """What a person wrote never passes through this platform: it is read on a page, or in another chat."""
    place, hours = here(session), rules().doors.message_page_hours
    if not place.public_url:
        lines = [text, _("内容不在这里显示，请到微信里看。"), *([how_to_answer()] if row.by_asker else [])]
        return Reply("\n".join(lines), options)
    token = issue_page(
        session, person.id, "data", {"message": row.id}, door_id=place.door_id, lasts=timedelta(hours=hours)
    )
    where = _("内容不在这里显示，请点链接在网页上看（{hours} 小时内有效，只给你自己看，不要转发）。")
    lines = [text, where.format(hours=hours)]
    lines.append(how_to_answer() if row.by_asker else _("过期了可以回复“我的数据”看。"))
    return Reply("\n".join(lines), options, links=(Link(place.page(token), _("看写了什么")),))


def how_to_answer() -> str:
    """Said to whoever answers: what is typed without the button goes to nobody."""
    return _("要答复，请先选“回复”，再写要说的话。")


def written(session: Session, reader: str, message: str, *, reading: bool = False) -> Written | None:
    """What a page with one message shows to its reader; None where it is gone or no longer theirs to read. `reading` =
    it is shown now, after which its asker cannot take it back."""
    row = session.get(ContactMessage, message)
    if row is None or not may_read(session, row, reader):
        return None
    words = read_words(session, row.id, reader) if reading and row.by_asker else words_of(session, row)
    if words is None:
        return None
    title = _("来自{who}").format(who=who(session, row.asker_id)) if row.by_asker else _("负责的同事的回复")
    return Written(title, words)


def who(session: Session, person_id: str) -> str:
    """The asker by form of address and volunteer number; never by name or phone."""
    asker = session.get(Person, person_id)
    form = address_form(session, asker) if asker else None
    called = number(session, person_id)
    return _("{what}（{number}）").format(what=form, number=called) if form else called


def number(session: Session, person_id: str) -> str:
    """The asker by volunteer number alone, or as the family of a case, which every platform may carry."""
    registered = volunteer_of(session, person_id)
    if registered:
        return _("志愿者 {number}").format(number=registered.number)
    served = next((each.about for each in concerns(session, person_id) if each.about.startswith(SERVED)), "")
    return _("本人或家里人（档案 {mark}）").format(mark=served[-6:].upper()) if served else _("还没有注册的人")


def age(session: Session, row: ContactMessage | Alert) -> str:
    """How long ago a message or a cry for help came, in words."""
    return age_of(session, row.at)


def age_of(session: Session, at: datetime) -> str:
    """How long ago something was, in words."""
    since = now_of(session) - at
    if since < timedelta(minutes=1):
        return _("刚刚")
    if since < timedelta(hours=1):
        return _("{count} 分钟前").format(count=since // timedelta(minutes=1))
    if since < timedelta(days=1):
        return _("{count} 小时前").format(count=since // timedelta(hours=1))
    return _("{count} 天前").format(count=since.days)
