"""待审时长: the hours that wait for somebody to confirm them, singly or many at once; and the open 时长有误."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from sqlmodel import Session

from config.texts import _
from handlers import hours_words
from handlers.days import with_weekday
from handlers.dialogue import Ask, Choice, Dialogue, Talk
from handlers.here import here
from handlers.hours_pages import elsewhere
from handlers.hours_ways import RECORD, CaseFacts, RecordFacts, case_options
from handlers.late import asked
from handlers.message import Option, Reply
from handlers.paging import MORE, PAGE, Show, next_begin, onward, where
from handlers.served_words import by_name
from handlers.somebody import called
from models import hours_cases, serving
from models.beneficiary import Beneficiary
from models.confirming import answers_for
from models.person import Person, survivor
from models.service import CONFIRMED, REFUSED, WAITING, HoursCase, ServiceRecord

NAME = "hours_to_confirm"
AT_ONCE = 20  # confirmed in one message: what keeps others from writing for long is done in parts
SEEN = 500  # records that the list goes through
ALL = "all"


class ListFacts(BaseModel):
    """What is on the screen: `ids` are values of the choices, `first` the place of the first one in the list, `all` how
    many can be confirmed at once."""

    view: str = ""
    ids: tuple[str, ...] = ()
    first: int = 0
    all: int = 0


@dataclass(frozen=True, slots=True)
class Look:
    """`picked` is a choice of what was on the screen; empty = show the list."""

    facts: ListFacts
    picked: str = ""


def _facts(session: Session, person: Person) -> ListFacts:
    return ListFacts()


def _talk(facts: ListFacts) -> Talk:
    if not facts.ids:
        return Look(facts)
    choices = (*(Choice(key, key) for key in facts.ids), Choice(MORE, _("后面的"), words=(_("从头看"),)))
    picked = yield Ask("pick", _("想看哪一条？"), choices)
    if picked == ALL:
        text = _("一次确认 {count} 条？超过上限的不在里面，要单独看。").format(count=facts.all)
        if (yield Ask("sure", text, (Choice("yes", _("全部确认")), Choice("no", _("先不"))))) == "no":
            return Look(facts.model_copy(update={"ids": ()}))
    return Look(facts, picked)


def _look(session: Session, person: Person, command: Look) -> Reply:
    facts, (kind, _colon, value) = command.facts, command.picked.partition(":")
    if kind == "r":
        return _record(session, person, value)
    if kind == "c":
        return _case(session, person, value)
    if kind == "page":
        return _confirmed(session, person, [key.removeprefix("r:") for key in facts.ids if key.startswith("r:")])
    if kind == ALL:
        rows = serving.waiting_for(session, person.id, SEEN)
        return _confirmed(session, person, [row.id for row in rows if not row.over_cap][:AT_ONCE])
    if kind == "cases" or (kind == MORE and facts.view == "cases"):
        return _cases(session, person, Show(seen=facts.ids, first=facts.first) if kind == MORE else Show())
    return _list(session, person, Show(seen=facts.ids, first=facts.first) if kind == MORE else Show())


def _list(session: Session, person: Person, seen: Show, said: str = "") -> Reply:
    count = serving.count_waiting(session, person.id)
    cases = hours_cases.waiting_cases(session, person.id)
    rows = serving.waiting_for(session, person.id, SEEN) if count else []
    keys = [f"r:{row.id}" for row in rows]
    begin = next_begin(keys, seen)
    shown = rows[begin : begin + PAGE]
    lines = [said] if said else []
    if count:
        since = rows[0].waiting_since or rows[0].made_at
        lines.append(
            _("等你确认的时长：{count} 条，最早的从 {day} 等到现在。").format(count=count, day=f"{since:%Y-%m-%d}")
        )
    else:
        lines.append(_("现在没有等你确认的时长。"))
    lines += where(begin, len(keys))
    labels = [(f"r:{row.id}", f"{_whose(session, row)}：{hours_words.brief(person, row)}") for row in shown]
    labels += onward(begin, len(keys), _("后面的"))
    plain = [row for row in shown if not row.over_cap]
    if len(plain) > 1:
        labels.append(("page", _("确认这一页的 {count} 条").format(count=len(plain))))
    many = min(sum(not row.over_cap for row in rows), AT_ONCE)
    if many > len(plain):
        labels.append((ALL, _("一次确认 {count} 条").format(count=many)))
    if cases:
        labels.append(("cases", _("等答复的“时长有误”：{count} 件").format(count=len(cases))))
    return Reply("\n".join(lines), _buttons(session, person, ListFacts(all=many), labels, begin), numbered=True)


def _buttons(
    session: Session, person: Person, facts: ListFacts, labels: list[tuple[str, str]], begin: int
) -> tuple[Option, ...]:
    if not labels:
        return ()
    ids = tuple(key for key, _label in labels if key != MORE)
    shown = facts.model_copy(update={"ids": ids, "first": begin})
    return asked(session, person.id, NAME, "pick", shown, labels)


def _whose(session: Session, row: ServiceRecord) -> str:
    return called(session, survivor(session, row.person_id).id)


def _confirmed(session: Session, person: Person, records: list[str]) -> Reply:
    done, left = serving.confirm_many(session, person.id, records)
    lines = [_("确认了 {count} 条。").format(count=len(done))]
    whys = Counter(left.values())
    if whys["over"]:
        lines.append(
            _("{count} 条超过一天 8 小时或一周 24 小时的上限，没有确认，要打开来单独批准。").format(count=whys["over"])
        )
    others = sum(whys.values()) - whys["over"]
    if others:
        lines.append(_("{count} 条已经处理过、被撤回，或者不归你确认。").format(count=others))
    return _list(session, person, Show(), "\n".join(lines))


# --- one record ---


def _record(session: Session, person: Person, record_id: str, case: str = "") -> Reply:
    row = session.get(ServiceRecord, record_id)
    if row is None or not serving.may_confirm(session, person.id, row):
        return Reply(hours_words.cannot("scope"), (_back(),))
    lines = [f"{_whose(session, row)}：{hours_words.short(person, row)}"]
    lines.append(_("怎么记的：{way}").format(way=hours_words.way(row)))
    somebody = session.get(Beneficiary, row.beneficiary_id) if row.beneficiary_id else None
    place = by_name(session, person, somebody) if somebody is not None else hours_words.where(session, row)
    if place:
        lines.append(_("对象或地点：{where}").format(where=place))
    lines += _note(session, row)
    before = hours_words.first_told(person, row)
    if before:
        lines.append(_("改过，原来是：{before}").format(before=before))
    if row.state in (CONFIRMED, REFUSED):
        lines.append(_("现在：{state}").format(state=hours_words.state(row)))
        why = hours_words.why(session, row)
        lines += [_("原因：{why}").format(why=why)] if why else []
    if row.family_said is not None:
        lines.append(_("家里说：{words}").format(words=_opinion(row.family_said)))
    return Reply("\n".join(lines), (*_acts(session, person, row, case), _back()))


def _note(session: Session, row: ServiceRecord) -> list[str]:
    note = serving.note_of(session, row)
    if not note:
        return []
    return [_("备注：{note}").format(note=note) if here(session).sensitive_in_chat else _("有备注，请到微信里看。")]


def _opinion(said: str) -> str:
    return {"good": _("挺好"), "fair": _("一般"), "change": _("想换人")}[said]


def _acts(session: Session, person: Person, row: ServiceRecord, case: str) -> tuple[Option, ...]:
    leader = answers_for(session, person.id, row.county, row.team_id) is None
    facts = RecordFacts(
        record=row.id,
        zone=person.zone,
        starts_at=row.starts_at.isoformat(),
        ends_at=row.ends_at.isoformat() if row.ends_at is not None else "",
        content=row.content,
        state=row.state,
        over=row.over_cap,
        leader=leader,
        case=case,
    )
    labels = []
    if row.state == WAITING and not row.over_cap:
        labels.append(("confirm", _("确认")))
    if row.state == WAITING and row.over_cap and not leader:
        labels.append(("approve", _("批准超过上限，确认")))
    if row.state in (WAITING, CONFIRMED, REFUSED):
        labels.append(("change", _("改了再确认")))
    if row.state in (WAITING, CONFIRMED):
        labels.append(("refuse", _("不通过")))
    return asked(session, person.id, RECORD, "what", facts, labels) if labels else ()


def _back() -> Option:
    return Option(f"m:{NAME}", _("待审时长"))


# --- what volunteers say is wrong ---


def _cases(session: Session, person: Person, seen: Show) -> Reply:
    cases = hours_cases.waiting_cases(session, person.id)
    if not cases:
        return Reply(_("现在没有等答复的“时长有误”。"), (_back(),))
    keys = [f"c:{case.id}" for case in cases]
    begin = next_begin(keys, seen)
    labels = [(f"c:{case.id}", _case_label(session, case)) for case in cases[begin : begin + PAGE]]
    labels += onward(begin, len(keys), _("后面的"))
    lines = [_("等答复的“时长有误”：{count} 件，最急的在前面。").format(count=len(cases)), *where(begin, len(keys))]
    options = _buttons(session, person, ListFacts(view="cases"), labels, begin)
    return Reply("\n".join(lines), (*options, _back()), numbered=True)


def _case_label(session: Session, case: HoursCase) -> str:
    who = called(session, survivor(session, case.person_id).id)
    late = _("，已经过期") if case.due_on < hours_cases.today(session) else ""
    return _("{who}：最晚 {day} 答复").format(who=who, day=case.due_on.isoformat()) + late


def _case(session: Session, person: Person, case_id: str) -> Reply:
    case = session.get(HoursCase, case_id)
    if case is None or case.state != "open" or not hours_cases.may_answer(session, person.id, case):
        return Reply(_("这一件已经答复、被撤回，或者不归你答复。"), (_back(),))
    lines = [_("{who}说时长有误。").format(who=called(session, survivor(session, case.person_id).id))]
    record = session.get(ServiceRecord, case.record_id) if case.record_id is not None else None
    if record is not None:
        state = hours_words.state(record)
        lines.append(_("{record}；{state}").format(record=hours_words.short(person, record), state=state))
    elif case.month:
        lines.append(hours_words.month(case.month))
    lines.append(_("最晚 {day}答复。").format(day=with_weekday(case.due_on)))
    changeable = record is not None and record.state in (WAITING, CONFIRMED, REFUSED)
    facts = CaseFacts(case=case.id, record=record.id if record is not None and changeable else "")
    options = (*case_options(session, person.id, facts), _back())
    if here(session).sensitive_in_chat:
        lines.append(_("对方写的：{words}").format(words=hours_cases.said(session, case)))
        return Reply("\n".join(lines), options)
    return elsewhere(session, person, case.id, "\n".join(lines), options)


HOURS_TO_CONFIRM = Dialogue(NAME, ListFacts, _facts, _talk, _look, repeats=True)


# --- what is told ---


def _opened(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    """To whoever answers for the volunteer. None once somebody has answered it."""
    case = session.get(HoursCase, str(params["case"]))
    if case is None or case.state != "open" or not hours_cases.may_answer(session, person.id, case):
        return None
    return _case(session, person, case.id)


def _late(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    """To the county's organisers."""
    case = session.get(HoursCase, str(params["case"]))
    if case is None or case.state != "open" or not hours_cases.may_answer(session, person.id, case):
        return None
    text = _("过了期还没有人答复“时长有误”：{who}，应当在 {day} 以前答复。")
    said = text.format(who=called(session, survivor(session, case.person_id).id), day=case.due_on.isoformat())
    return Reply(said, (_back(),))


NOTICES = {"notice.hours_case": _opened, "notice.hours_case_late": _late}
