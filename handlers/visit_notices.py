"""What is sent about visits: reminders, the evening before, how it was, what is overdue, somebody who cannot go.

Each is made when it is sent, and is nothing any more once it is no longer true.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlmodel import Session, col, select

from config.texts import _
from handlers.days import with_weekday
from handlers.message import Option, Reply
from handlers.relay_ways import LeaveFacts, substitute_options
from handlers.served_facts import when
from handlers.served_words import served, volunteer
from handlers.visit_ways import (
    answer_options,
    behalf_options,
    booked_options,
    called,
    hold_option,
    report_option,
    served_by_visit,
)
from models import visit_days, visit_ladder, visiting
from models.database import now_of
from models.pairing import LEAD, OPEN, Stint
from models.person import Person, family, local_now
from models.served import decides, served_of
from models.stints import keeping_of
from models.turn import plan_of, today
from models.turns import turns_on
from models.visit import MADE, OWED, STANDING, Booking, Visit
from models.visit_reminders import is_overtaken, told_by

SHOWN = 5  # of those that are overdue, in one message


def _reminder(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    """None once it is made, booked or somebody else's, or a later reminder stands for it."""
    visit_id, step = told_by(str(params["key"]))
    visit = session.get(Visit, visit_id)
    if visit is None or visit.state != OWED or (step.isdecimal() and visit.steps > int(step) + 1):
        return None
    if not step.isdecimal() and is_overtaken(session, visit, str(params["key"]), person.id):
        return None
    booked = select(Booking.id).where(Booking.visit_id == visit.id, Booking.state == STANDING)
    if session.exec(booked).first() is not None:
        return None
    stint = session.get(Stint, visit.stint_id) if visit.stint_id else None
    if stint is None:
        return _kept(session, person, visit)
    if not _goes(session, person, stint):
        return _nobody(session, person, visit, stint)
    who, due = served(session, person, served_of(session, stint)), with_weekday(visit.due_on)
    lines = [_when(session, visit, who, due)]
    form = _last_form(session, visit)
    if form:
        lines.append(form)
    lines.append(_("能去吗？选一项，或者直接写时间，例如“周六下午三点”。"))
    return Reply("\n".join(lines), answer_options(session, person, visit, stint, who))


def _goes(session: Session, person: Person, stint: Stint) -> bool:
    """Whether they make the visits: where a team takes turns, whoever's turn it is by now."""
    if plan_of(session, stint.id) is None:
        return visiting.may_go(session, stint, person.id)
    going = turns_on(session, [stint], today(session)).get(stint.id)
    return going is not None and going.how != "specialist" and going.person_id in family(session, person.id)


def _nobody(session: Session, person: Person, visit: Visit, stint: Stint) -> Reply | None:
    """For whoever answers for it, where nobody of the team can go."""
    going = turns_on(session, [stint], today(session)).get(stint.id)
    if going is None or going.how != "specialist" or not decides(session, person.id, stint):
        return None
    text = _("{who}的探访，团队里现在没有人能去，{day}以前要有人去看一次。请找人替，或者联系队长重新排班。")
    said = text.format(who=called(session, person, served_of(session, stint)), day=with_weekday(visit.due_on))
    options = behalf_options(session, person, visit)
    return Reply(said, (*_substitute(session, person, visit, stint), *options, Option("m:turns", _("轮流排班"))))


def _when(session: Session, visit: Visit, who: str, due: str) -> str:
    now = visit_days.day_in_china(now_of(session))
    days = (visit.due_on - now).days
    if days < 0:
        text = _("{who}的探访已经过了说好的 {day}。忙也没关系，定个时间就好。")
    elif days == 0:
        text = _("今天（{day}）是探访{who}的最后一天。")
    elif visit.opens_on > now:
        text = _("{who}的探访：{first} 到 {day}之间去看一次。")
        return text.format(who=who, day=due, first=with_weekday(visit.opens_on))
    else:
        text = _("{who}的探访：{day}以前去看一次（还有 {days} 天）。")
        return text.format(who=who, day=due, days=days)
    return text.format(who=who, day=due)


def _last_form(session: Session, visit: Visit) -> str:
    """How the year's other visit was made: two of a year are to differ."""
    mine = Visit.beneficiary_id == visit.beneficiary_id
    if visit.institution_id is not None:
        mine = Visit.institution_id == visit.institution_id
    query = select(Visit.form).where(mine, Visit.year == visit.year, Visit.state == MADE, Visit.id != visit.id)
    form = session.exec(query).first()
    if form is None:
        return ""
    face = form in ("home", "institution", "together")
    return _("今年已经去过一次，这次最好换一种方式。") if face else _("今年上次没有见面，这次请当面去一次。")


def _kept(session: Session, person: Person, visit: Visit) -> Reply | None:
    """For whoever keeps somebody while nobody is paired."""
    somebody = served_by_visit(session, visit)
    if person.id not in visit_ladder.told_at(session, visit, 1) and not _keeps(session, person, visit):
        return None
    text = _("{who}现在由你照看，{day}以前要有人去看一次。可以找人结对，也可以记下谁去过了。")
    said = text.format(who=called(session, person, somebody), day=with_weekday(visit.due_on))
    return Reply(said, (*behalf_options(session, person, visit), Option("m:unpaired", _("待结对"))))


def _keeps(session: Session, person: Person, visit: Visit) -> bool:
    kept = keeping_of(session, visit.beneficiary_id) if visit.beneficiary_id else None
    return kept is not None and kept.person_id in family(session, person.id)


# --- what is booked ---


def _booking(session: Session, person: Person, params: dict[str, Any]) -> tuple[Booking, Stint] | None:
    row = session.get(Booking, str(params["booking"]))
    stint = session.get(Stint, row.stint_id) if row is not None else None
    if row is None or stint is None or row.state != STANDING or stint.state != OPEN:
        return None
    return (row, stint) if row.person_id in family(session, person.id) else None


def _evening(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    """With what is needed to go. The address is behind “我的结对”: in its time, and on a page where the chat may not
    carry it."""
    found = _booking(session, person, params)
    if found is None or found[0].at <= now_of(session):
        return None
    row, stint = found
    who = served(session, person, served_of(session, stint))
    lines = [
        _("提醒：{time}，去看{who}。").format(time=when(person, row.at), who=who),
        _("地址和电话在“我的结对”里看；出门前先打个电话。记得：不喂药，不收礼，未经同意不拍照，不和孩子单独相处。"),
    ]
    options = booked_options(session, person, row, "move", "cancel")
    return Reply("\n".join(lines), (Option("m:pairings", _("我的结对")), *options))


def _how(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    found = _booking(session, person, params)
    if found is None:
        return None
    row, stint = found
    who = served(session, person, served_of(session, stint))
    text = _("{time} 约好去看{who}，去成了吗？").format(time=when(person, row.at), who=who)
    options = (*report_option(session, person, row), *booked_options(session, person, row, "vain", "move", "cancel"))
    return Reply(text, options)


# --- whoever answers for it ---


def _overdue(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    """None once all of them are made, excused or in somebody's hands. Counts, where no case may be named."""
    ids = [str(one) for one in params["visits"]]
    now = visit_days.day_in_china(now_of(session))
    query = select(Visit).where(col(Visit.id).in_(ids), Visit.state == OWED, Visit.due_on < now)
    rows = [one for one in session.exec(query.order_by(col(Visit.due_on), col(Visit.id))) if one.held_until is None]
    if not rows:
        return None
    days = (now - rows[0].due_on).days
    head = _("有 {count} 户的探访过期了，最久的 {days} 天。").format(count=len(rows), days=days)
    if int(params["step"]) >= 4:
        return Reply(head + _("请督促所在区县安排。"), (Option("m:nobody_dropped", _("一户不落")),))
    lines = [head]
    for row in rows[:SHOWN]:
        late = (now - row.due_on).days
        who = called(session, person, served_by_visit(session, row))
        lines.append(_("{who}：过期 {days} 天").format(who=who, days=late))
    if len(rows) > SHOWN:
        lines.append(_("还有 {count} 户，在“一户不落”里看。").format(count=len(rows) - SHOWN))
    lines.append(_("选“收到，我来处理”，7 天内不再往上报；只回“收到”不算。"))
    own = behalf_options(session, person, rows[0]) if len(rows) == 1 else ()
    return Reply("\n".join(lines), (*hold_option(session, person, [one.id for one in rows]), *own))


def _cannot(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    """None once it is made, or booked by somebody else."""
    visit = session.get(Visit, str(params["visit"]))
    stint = session.get(Stint, visit.stint_id) if visit is not None and visit.stint_id else None
    if visit is None or stint is None or visit.state != OWED or not decides(session, person.id, stint):
        return None
    if session.exec(select(Booking.id).where(Booking.visit_id == visit.id, Booking.state == STANDING)).first():
        return None
    who, due = called(session, person, served_of(session, stint)), with_weekday(visit.due_on)
    lines = [
        _("{volunteer}这次去不了{who}的探访（{why}），要在 {day}以前有人去。").format(
            volunteer=volunteer(session, str(params["by"])), who=who, why=_why(str(params["why"])), day=due
        )
    ]
    if params.get("asked"):
        lines.append(_("已经去问同组的志愿者了，没有人去再告诉你。"))
    options = _substitute(session, person, visit, stint)
    return Reply("\n".join(lines), (*options, *behalf_options(session, person, visit)))


def _substitute(session: Session, person: Person, visit: Visit, stint: Stint) -> tuple[Option, ...]:
    """Looking for somebody who stands in until then."""
    if stint.beneficiary_id is None or stint.part != LEAD:
        return ()
    day = local_now(session, person).date()
    until = max(visit.due_on, day + timedelta(days=7))
    facts = LeaveFacts(stint=stint.id, until=until.isoformat(), today=day.isoformat())
    return substitute_options(session, person.id, facts)


def _why(why: str) -> str:
    words = {
        "time": _("时间不合适"),
        "health": _("身体或家里有事"),
        "far": _("太远，去不方便"),
        "stop": _("以后都去不了了"),
    }
    return words.get(why, _("没有说原因"))


def _turn(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    """To the next one who may go. None once it is booked, made, or not theirs to make."""
    visit = session.get(Visit, str(params["visit"]))
    stint = session.get(Stint, visit.stint_id) if visit is not None and visit.stint_id else None
    if visit is None or stint is None or visit.state != OWED or not visiting.may_go(session, stint, person.id):
        return None
    if session.exec(select(Booking.id).where(Booking.visit_id == visit.id, Booking.state == STANDING)).first():
        return None
    who = served(session, person, served_of(session, stint))
    text = _("和你一起的志愿者这次去不了{who}的探访，{day}以前要有人去看一次。你能去吗？不方便也没关系。")
    said = text.format(who=who, day=with_weekday(visit.due_on))
    return Reply(said, answer_options(session, person, visit, stint, who))


NOTICES = {
    "notice.visit": _reminder,
    "notice.visit_eve": _evening,
    "notice.visit_how": _how,
    "notice.visits_overdue": _overdue,
    "notice.visit_cannot": _cannot,
    "notice.visit_turn": _turn,
}
