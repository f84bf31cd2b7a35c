"""交接清单: the relays and leaves of one's region, what is due first in front; and what is done about one of them.

Names are read in the chat where it is private enough; elsewhere a case has a mark of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from sqlmodel import Session

from config import regions
from config.texts import _
from handlers.days import day_within, with_weekday
from handlers.dialogue import Ask, Choice, Dialogue, Refused, Talk
from handlers.here import here
from handlers.late import asked
from handlers.message import Option, Reply
from handlers.paging import PAGE, ListFacts, Show, next_begin, onward, pick, where
from handlers.relay_ways import HANDOVER as HANDOVER_NAME
from handlers.relay_ways import LeaveFacts, RelayFacts, note_option, substitute_options
from handlers.served_words import by_name, colleague, relay_reason, responsible, server
from models import leave, relaying, relaying_lists, silence
from models.beneficiary import Beneficiary
from models.institution import Institution
from models.leave import Leave
from models.pairing import OPEN, Stint
from models.person import Person, local_now
from models.relay import SEEKING, SILENCE
from models.relaying_lists import Handing
from models.served import Served, served_of
from models.stints import StintError, keeping_of

AWAY = "leave:"  # how the key of a leave begins on the list


def _list_facts(session: Session, person: Person) -> ListFacts:
    return ListFacts()


def _list_talk(facts: ListFacts) -> Talk:
    return (yield from pick(facts, _("想看哪一件？"), _("后面的")))


def _list(session: Session, person: Person, command: Show) -> Reply:
    if not relaying_lists.scopes(session, person.id):
        text = _("“交接清单”是专员用的。自己要请假或交接，回复“请假交接”。")
        return Reply(text, (Option("m:hand_over", _("请假交接")),))
    if command.entry:
        return _opened(session, person, command.entry)
    relays, leaves = relaying_lists.of_region(session, person.id)
    entries: dict[str, Handing | Leave] = {each.relay.id: each for each in relays}
    entries |= {f"{AWAY}{each.stint.id}": each for each in leaves}
    order = sorted(entries, key=lambda key: _due(entries[key]))
    team = Option("m:hand_over_team", _("整队交接"))
    if not order:
        return Reply(_("现在没有等着交接的结对，也没有人请假。"), (team,))
    begin = next_begin(order, command)
    shown = order[begin : begin + PAGE]
    lines = [_("等着交接 {count} 件，请假 {away} 件；最急的在前面。").format(count=len(relays), away=len(leaves))]
    lines += where(begin, len(order))
    labels = [(key, _label(session, person, entries[key])) for key in shown]
    labels += onward(begin, len(order), _("后面的"))
    facts = ListFacts(ids=tuple(shown), first=begin)
    options = asked(session, person.id, HAND_OVERS.name, "pick", facts, labels)
    return Reply("\n".join(lines), (*options, team), numbered=True)


def _due(entry: Handing | Leave) -> date:
    return entry.until if isinstance(entry, Leave) else entry.relay.last_day


def _label(session: Session, person: Person, entry: Handing | Leave) -> str:
    if isinstance(entry, Leave):
        about = served_of(session, entry.stint)
        said = _("{who}：请假到 {day}，还没有人替")
        if isinstance(about, Institution):
            said = _("{who}：请假到 {day}")
        return said.format(who=by_name(session, person, about), day=entry.until.isoformat())
    row = entry.relay
    said = _("{who}：{why}，请决定，{state}") if row.undecided else _("{who}：{why}，到 {day}，{state}")
    return said.format(
        who=by_name(session, person, entry.somebody), why=relay_reason(row), day=row.last_day, state=_state(entry)
    )


def _state(found: Handing) -> str:
    if found.relay.state == SEEKING:
        return _("还没有人接")
    return _("等交接") if found.relay.taken_at is not None else _("已有人接，等签协议")


def _opened(session: Session, person: Person, key: str) -> Reply:
    if key.startswith(AWAY):
        return _away(session, person, key.removeprefix(AWAY))
    found = _theirs(session, person, key)
    if found is None:
        return _not_theirs()
    row = found.relay
    lines = [
        by_name(session, person, found.somebody),
        _("所在地：{place}").format(place=regions.place_name(found.somebody.county)),
        _("现在的志愿者：{who}").format(who=server(session, found.stint)),
        _("原因：{why}").format(why=relay_reason(row)),
        _last_day(session, person, found),
        _("现在：{state}").format(state=_state(found)),
    ]
    if found.successor is not None:
        lines.append(_("接的人：{who}").format(who=server(session, found.successor)))
    if row.hands_over_on is not None:
        lines.append(_("交接日：{day}").format(day=with_weekday(row.hands_over_on)))
    lines.append(_("负责人：{who}").format(who=responsible(session, person, found)))
    if not here(session).sensitive_in_chat:
        lines.append(_("姓名不在这里显示，请到微信里看。"))
    return Reply("\n".join(lines), _buttons(session, person, found))


def _last_day(session: Session, person: Person, found: Handing) -> str:
    day = with_weekday(found.relay.last_day)
    if found.relay.undecided and found.stint.state == OPEN:
        said = _("问候了两次，志愿者都没有答复。最后一天：还没有定，结对不会自己结束；到 {day}还没有决定，会再提醒。")
        if silence.was_heard(session, found.relay):
            said = _("志愿者后来有消息了。最后一天：还没有定，结对不会自己结束；到 {day}还没有决定，会再提醒。")
        return said.format(day=day)
    return _("最后一天：{day}").format(day=day) + _after(session, person, found)


def _after(session: Session, person: Person, found: Handing) -> str:
    """Who keeps the served person once the last day is over."""
    if isinstance(found.somebody, Institution):
        return ""
    kept = keeping_of(session, found.somebody.id)
    if found.stint.state != OPEN:
        who = colleague(session, person, kept.person_id) if kept else responsible(session, person, found)
        return _("，已经过了，现在由{who}照看").format(who=who)
    keeper = found.relay.keeper_id
    return _("，之后由{who}照看").format(who=colleague(session, person, keeper)) if keeper else ""


def _buttons(session: Session, person: Person, found: Handing) -> tuple[Option, ...]:
    row, shown = found.relay, _choices(found)
    options: tuple[Option, ...] = ()
    if row.note_sealed or row.private_sealed:
        options += note_option(session, person.id, row.id)
    if row.state == SEEKING and isinstance(found.somebody, Beneficiary):
        options += (Option("m:unpaired", _("找接的人")),)
    if shown:
        facts = RelayFacts(relay=row.id, today=local_now(session, person).date().isoformat())
        labels = [(choice.value, choice.label) for choice in shown]
        options += asked(session, person.id, HANDOVER_NAME, "what", facts, labels)
    return (*options, _list_option())


def _choices(found: Handing) -> tuple[Choice, ...]:
    last, day, given, off = _all_choices()
    if found.stint.state != OPEN:
        return ()
    ends = (last,) if found.relay.undecided else ()
    return (*ends, day, *((given,) if found.relay.taken_at else ()), *((off,) if found.relay.state == SEEKING else ()))


def _all_choices() -> tuple[Choice, ...]:
    return (
        Choice("last", _("定最后一天"), words=(_("最后一天"),)),
        Choice("day", _("定交接日"), words=(_("改交接日"),)),
        Choice("given", _("已经交接"), words=(_("交接好了"),)),
        Choice("off", _("取消交接"), words=(_("不用交接了"),)),
    )


def _away(session: Session, person: Person, stint_id: str) -> Reply:
    stint, found = session.get(Stint, stint_id), leave.leave_of(session, stint_id)
    somebody = served_of(session, stint) if stint else None
    if stint is None or somebody is None or found is None or not _covers(session, person, somebody):
        return _not_theirs()
    lines = [
        by_name(session, person, somebody),
        _("所在地：{place}").format(place=regions.place_name(somebody.county)),
        _("现在的志愿者：{who}").format(who=server(session, stint)),
        _("请假到 {day}，含当天。").format(day=with_weekday(found.until)),
    ]
    today = local_now(session, person).date().isoformat()
    facts = LeaveFacts(stint=stint.id, until=found.until.isoformat(), today=today)
    house = isinstance(somebody, Institution)
    return Reply("\n".join(lines), (*substitute_options(session, person.id, facts, house=house), _list_option()))


def _covers(session: Session, person: Person, somebody: Served) -> bool:
    return any(regions.within(somebody.county, scope) for scope in relaying_lists.scopes(session, person.id))


def _theirs(session: Session, person: Person, relay: str) -> Handing | None:
    found = relaying_lists.standing(session, relay)
    return found if found is not None and _covers(session, person, found.somebody) else None


def _list_option() -> Option:
    return Option("m:hand_overs", _("交接清单"))


def _not_theirs() -> Reply:
    return Reply(_("这一件已经办好了、取消了，或者现在不归你负责。"), (_list_option(),))


HAND_OVERS = Dialogue("hand_overs", ListFacts, _list_facts, _list_talk, _list, repeats=True)


# --- what is done about one relay ---


@dataclass(frozen=True, slots=True)
class Do:
    """`what`: "open" = look at it, "last" = its last day, "day", "given" or "off"."""

    relay: str
    what: str
    day: date | None = None


def _do_facts(session: Session, person: Person) -> RelayFacts:
    return RelayFacts()


def _do_talk(facts: RelayFacts) -> Talk:
    if not facts.relay:
        return None
    what = yield Ask("what", _("要做什么？"), (Choice("open", _("打开看"), words=(_("打开"),)), *_all_choices()))
    if what == "day":
        today = date.fromisoformat(facts.today)
        day = yield Ask(
            "day",
            _("交接日定在哪一天？最好两位一起去一次，例如 {example} 或“下周六”。两位都会收到通知。").format(
                example=(today + timedelta(days=14)).isoformat()
            ),
            check=day_within(today, relaying.LONGEST_DAYS),
        )
        return Do(facts.relay, what, day)
    if what == "open":
        return Do(facts.relay, what)
    if what == "last":
        today = date.fromisoformat(facts.today)
        last = yield Ask(
            "last",
            _("志愿者的最后一天定在哪一天？过了这一天还没有人接，就由负责人照看。例如 {example} 或“下周六”。").format(
                example=(today + timedelta(days=14)).isoformat()
            ),
            check=day_within(today, relaying.LONGEST_DAYS),
        )
        return Do(facts.relay, what, last)
    text = {
        "given": _("确定已经交接了吗？从现在起由接的人负责，原来的结对到今天为止。"),
        "off": _("确定取消交接吗？原来的志愿者会继续，请先和对方说好。"),
    }[what]
    sure = yield Ask("sure", text, (Choice("yes", _("确定")), Choice("no", _("先不"))))
    return Do(facts.relay, what) if sure == "yes" else None


def _do(session: Session, person: Person, command: Do) -> Reply:
    found = _theirs(session, person, command.relay)
    if found is None:
        return _not_theirs()
    if command.what == "open":
        return _opened(session, person, command.relay)
    who = by_name(session, person, found.somebody)
    try:
        if command.what == "last" and not found.relay.undecided:
            return _opened(session, person, command.relay)
        if command.what == "last" and command.day is not None:
            relaying.begin(session, found.stint.id, SILENCE, command.day, person.id)
            told = _("记下了，{who}的最后一天：{day}。志愿者会收到通知；请找接的人，接上以前不会没人管。")
            options = (Option("m:unpaired", _("找接的人")), _list_option())
            return Reply(told.format(who=who, day=with_weekday(command.day)), options)
        if command.what == "day" and command.day is not None:
            relaying.agree_day(session, command.relay, command.day, person.id)
            told = _("记下了，{who}的交接日：{day}。") + (
                _("两位都会收到通知。")
                if found.successor
                else _("现在的志愿者会收到通知；找到接的人，请把这一天告诉对方。")
            )
            return Reply(told.format(who=who, day=with_weekday(command.day)), (_list_option(),))
        if command.what == "given":
            relaying_lists.give_for(session, command.relay, person.id)
            return Reply(_("记下了，{who}已经交接，从现在起由接的人负责。").format(who=who), (_list_option(),))
        relaying_lists.cancel_for(session, command.relay, person.id)
    except StintError as error:
        return _refused(error.reason, command.what)
    return Reply(_("取消了，{who}的结对照旧。").format(who=who), (_list_option(),))


def _refused(why: str, what: str) -> Reply:
    if why == "day":
        raise Refused(what, _("这一天已经过了，或者太远，请再写一次。"))
    text = {
        "waits": _("接的人还没有接受结对协议，现在不能算交接好。"),
        "paired": _("已经有人答应接，不能在这里取消：请先和接的人说好。"),
    }.get(why)
    return Reply(text, (_list_option(),)) if text else _not_theirs()


HANDOVER = Dialogue(HANDOVER_NAME, RelayFacts, _do_facts, _do_talk, _do, repeats=True)
