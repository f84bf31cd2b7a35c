"""Who somebody is, for those who are responsible for them."""

from __future__ import annotations

from sqlmodel import Session

from config.texts import _
from models.alert import is_deleted
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
