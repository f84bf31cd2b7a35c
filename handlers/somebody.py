"""Who somebody is, for those who are responsible for them and for those who serve beside them: never by name."""

from __future__ import annotations

from sqlmodel import Session

from config.texts import _
from handlers.here import here
from models.alert import is_deleted
from models.person import Person, address_form
from models.volunteer import volunteer_of
from models.wards import first_ward


def who(session: Session, person_id: str) -> str:
    """Somebody by volunteer number alone, which every platform may carry."""
    registered = volunteer_of(session, person_id)
    if registered is not None:
        return _("志愿者 {number}").format(number=registered.number)
    ward = first_ward(session, person_id)
    if ward is not None:
        return _("志愿者 {number} 的监护人").format(number=ward.number)
    return _("已删除资料的人") if is_deleted(session, person_id) else _("还没有注册的人")


def called(session: Session, person_id: str) -> str:
    """By form of address and number; by the number alone where the platform carries no more."""
    number = who(session, person_id)
    somebody = session.get(Person, person_id) if here(session).sensitive_in_chat else None
    form = address_form(session, somebody) if somebody else None
    return _("{what}（{number}）").format(what=form, number=number) if form else number
