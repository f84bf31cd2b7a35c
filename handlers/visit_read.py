"""看最近的探访记录: whoever answers for the county reads what a visit's report says; every reading is written down.

On a platform that must not carry it only a one-time page shows it (programme §12)."""

from __future__ import annotations

from dataclasses import dataclass

from sqlmodel import Session

from config.texts import _
from handlers.dialogue import Ask, Choice, Dialogue, Talk
from handlers.here import here
from handlers.message import Link, Option, Reply, Written
from handlers.served_facts import when
from handlers.served_words import by_name, volunteer
from handlers.visit_ways import READ, ReadFacts, answer_labels, forms
from models import visit_reporting
from models.beneficiary import Beneficiary
from models.page import issue_page
from models.person import Person


@dataclass(frozen=True, slots=True)
class Read:
    """Which report."""

    report: str


def _facts(session: Session, person: Person) -> ReadFacts:
    return ReadFacts()


def _talk(facts: ReadFacts) -> Talk:
    if not facts.report:
        return None
    yield Ask("go", _("要看最近的探访记录吗？"), (Choice("read", _("看最近的探访记录")),))
    return Read(facts.report)


def _perform(session: Session, person: Person, command: Read) -> Reply:
    back, place = (Option("m:nobody_dropped", _("一户不落")), Option("m:unvisited", _("未探访"))), here(session)
    if not visit_reporting.may_read(session, person.id, command.report):
        return Reply(_("这一位现在不归你负责，探访记录不能看。"), back)
    if place.sensitive_in_chat:
        return Reply(_written(session, person, command.report), back)
    if not place.public_url:
        return Reply(_("探访记录不在这里显示，请到微信里看。"), back)
    token = issue_page(session, person.id, "data", {"visit_report": command.report}, door_id=place.door_id)
    link = Link(place.page(token), _("打开看探访记录"))
    return Reply(_("探访记录在网页上看，只给你自己看，不要转发；看过会留下记录。"), back, links=(link,))


def _written(session: Session, person: Person, report: str) -> str:
    found = visit_reporting.read(session, person.id, report)
    if found is None:
        raise ValueError("not theirs to read")
    row, answers = found
    somebody = session.get_one(Beneficiary, str(row.beneficiary_id))
    item = _("{item}：{value}")
    head = _("{time}，{volunteer}探访{who}，方式：{form}。")
    lines = [
        head.format(
            time=when(person, row.at),
            volunteer=volunteer(session, row.person_id),
            who=by_name(session, person, somebody),
            form=forms()[row.form],
        )
    ]
    usual = {"good": _("挺好"), "fair": _("一般"), "bad": _("不太好"), "unseen": _("没看出来")}
    for key, label in answer_labels().items():
        if key in answers:
            lines.append(item.format(item=label, value=usual.get(answers[key], answers[key])))
    if row.worrying:
        lines.append(_("担心的事：有，已经告诉值班的同事"))
    return "\n".join([*lines, _("看过会留下记录，请不要转发。")])


def report_page(session: Session, reader: str, report: str, *, reading: bool) -> Written | None:
    """The same on a page; None for anybody else. `reading` = it is shown now, which is logged."""
    person = session.get(Person, reader)
    if person is None or not visit_reporting.may_read(session, reader, report):
        return None
    return Written(_("探访记录"), _written(session, person, report) if reading else "", _("请不要转发。"))


VISIT_READ = Dialogue(READ, ReadFacts, _facts, _talk, _perform, repeats=True)
