"""Words about hours that a platform must not carry: they are read on a page."""

from __future__ import annotations

from sqlmodel import Session

from config.catalogue import rules
from config.texts import _
from handlers.here import here
from handlers.message import Link, Option, Reply, Written
from models import hours_cases
from models.page import issue_page
from models.person import Person, family
from models.service import HoursCase


def elsewhere(session: Session, person: Person, case: str, text: str, options: tuple[Option, ...]) -> Reply:
    """Words that this platform must not carry are read on a page."""
    place = here(session)
    if not place.public_url:
        return Reply(text + "\n" + _("内容不在这里显示，请到微信里看。"), options)
    token = issue_page(session, person.id, "data", {"hours_case": case}, door_id=place.door_id)
    minutes = rules().doors.page_minutes
    said = _("内容在网页上看，{minutes} 分钟内有效，只给你自己看，不要转发。").format(minutes=minutes)
    return Reply(f"{text}\n{said}", options, (Link(place.page(token), _("看写了什么")),))


def written(session: Session, reader: str, case_id: str) -> Written | None:
    """What a page shows of a case to whoever may read it; None for anybody else."""
    case = session.get(HoursCase, case_id)
    if case is None:
        return None
    if case.person_id in family(session, reader):
        return Written(_("负责的同事的回复"), hours_cases.answer_of(session, case))
    if hours_cases.may_answer(session, reader, case):
        return Written(_("我的时长有误"), hours_cases.said(session, case))
    return None
