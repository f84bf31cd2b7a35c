"""What those who serve are told of a relay, and their answers: another term or not, handed over, the note."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlmodel import Session

from config.catalogue import rules
from config.texts import _
from handlers.days import with_weekday
from handlers.dialogue import Ask, Choice, Dialogue, Talk
from handlers.here import here
from handlers.late import asked
from handlers.message import Link, Option, Reply, Written
from handlers.relay_ways import GO_ON as GO_ON_NAME
from handlers.relay_ways import NOTE as NOTE_NAME
from handlers.relay_ways import RelayFacts, ask_notes, go_on_option, going_on, note_option
from handlers.served_words import day_of, responsible, served, server
from models import relaying, relaying_lists
from models.beneficiary import GONE, Beneficiary
from models.offering import standing_relay
from models.page import issue_page
from models.pairing import OPEN, Stint
from models.person import Person
from models.relay import CANCELLED, SEEKING
from models.relaying_lists import Handing
from models.served import served_of
from models.stints import StintError, responsible_today


def _facts(session: Session, person: Person) -> RelayFacts:
    return RelayFacts()


def _contact() -> Option:
    return Option("m:contact", _("联系专员"))


def _settled() -> Reply:
    return Reply(_("这件事已经定了，不用再回答。想说什么，回复“联系专员”。"), (_contact(),))


# --- another term, or not ---


@dataclass(frozen=True, slots=True)
class Answer:
    """`what`: "again", "later" or "end", with what was written for whoever comes next."""

    relay: str
    what: str
    note: str = ""
    private: str = ""


def _term_choices(kind: str) -> tuple[Choice, ...]:
    again = Choice("again", _("再续一期"), words=(_("续"), _("再续")))
    end = Choice("end", _("不续了"), words=(_("不续"),))
    note = Choice("end", _("写交接留言"), words=(_("留言"),))
    later = Choice("later", _("晚点说"), words=(_("晚点问我"),))
    return (again, end, later) if kind == "term" else (note, later)


def _term_talk(facts: RelayFacts) -> Talk:
    if not facts.relay:
        return None
    what = yield Ask("what", _("这一期快满了，想再续一期吗？"), _term_choices(facts.kind))
    if what != "end":
        return Answer(facts.relay, what)
    note, private = yield from ask_notes()
    return Answer(facts.relay, what, note, private)


def _answer(session: Session, person: Person, command: Answer) -> Reply:
    found = relaying_lists.standing(session, command.relay)
    if found is None or not relaying.serves(session, found.stint, person.id):
        return _settled()
    try:
        if command.what == "again":
            return _renewed(session, person, found)
        if command.what == "later":
            return _later(session, person, found)
        day, notes = found.relay.last_day, {"note": command.note, "private": command.private}
        relaying.begin(session, found.stint.id, found.relay.reason, day, person.id, **notes)
    except StintError:
        return _settled()
    who, specialist = served(session, person, found.somebody), responsible(session, person, found)
    said = _("好的，谢谢你陪着{who}。到 {day}（含当天）还是你；{specialist}正在找接的人，{who}不会没人管。")
    text = said.format(who=who, day=day.isoformat(), specialist=specialist)
    theirs = relaying.may_cancel(session, found.relay, found.stint, person.id)
    return Reply(text, go_on_option(session, person.id, found.relay.id) if theirs else ())


def _later(session: Session, person: Person, found: Handing) -> Reply:
    if relaying_lists.ask_later(session, found.relay.id, person.id):
        return Reply(_("好的，过两周再问你。想好了随时告诉我：回复“请假交接”。"))
    text = _("好的，不再另外问你了。最后一天是 {day}，请在那以前选一个；到那天没有选，就按不续办。")
    return Reply(text.format(day=with_weekday(found.relay.last_day)), _term_options(session, person, found))


def _term_options(session: Session, person: Person, found: Handing) -> tuple[Option, ...]:
    kind = "term" if found.relay.reason == "term" else "other"
    labels = [(choice.value, choice.label) for choice in _term_choices(kind) if choice.value != "later"]
    return asked(session, person.id, TERM.name, "what", RelayFacts(relay=found.relay.id, kind=kind), labels)


def _not_yet(session: Session, person: Person, found: Handing, why: str) -> Reply:
    """They want to and may not: why, and that whoever is responsible knows."""
    if why in ("gone", "scope", "paired"):
        return _settled()
    relaying_lists.willing(session, found.relay.id, why)
    reasons = {
        "consent": _("谢谢你愿意继续！现在还续不了：家里对结对的同意还没有记下来。"),
        "clearance": _("谢谢你愿意继续！现在还续不了：和未成年人结对，要先登记有效的无犯罪记录查询。"),
    }
    said = reasons.get(why, _("谢谢你愿意继续！现在还续不了：你的登记情况有变化，要专员看一看。"))
    said += _("已经告诉专员。办好了，在 {day}以前再选一次“再续一期”。").format(day=with_weekday(found.relay.last_day))
    return Reply(said, (*_term_options(session, person, found), _contact()))


def _renewed(session: Session, person: Person, found: Handing) -> Reply:
    try:
        new = relaying.renew(session, found.relay.id, person.id)
    except StintError as error:
        return _not_yet(session, person, found, error.reason)
    who = served(session, person, found.somebody)
    until = new.ends_on.isoformat() if new.ends_on else ""
    return Reply(_("太好了！你和{who}又续了一期，到 {day}。谢谢你。").format(who=who, day=until))


TERM = Dialogue("relay_term", RelayFacts, _facts, _term_talk, _answer)


# --- going on after all ---


def _go_on_talk(facts: RelayFacts) -> Talk:
    if not facts.relay:
        return None
    sure = yield Ask("sure", _("要取消交接，自己继续吗？"), (going_on(), Choice("no", _("还是交接"))))
    return facts.relay if sure == "yes" else None


def _go_on(session: Session, person: Person, relay: str) -> Reply:
    found = relaying_lists.standing(session, relay)
    if found is None or found.stint.state != OPEN or not relaying.serves(session, found.stint, person.id):
        return _settled()
    who = served(session, person, found.somebody)
    try:
        relaying.cancel(session, relay, person.id)
    except StintError as error:
        if error.reason == "scope":
            return Reply(_("{who}的交接是专员安排的，取消要和专员商量。").format(who=who), (_contact(),))
        return Reply(_("{who}已经有人答应接了，取消要和专员商量。").format(who=who), (_contact(),))
    return Reply(_("太好了！交接取消了，你和{who}的结对照旧。").format(who=who))


GO_ON = Dialogue(GO_ON_NAME, RelayFacts, _facts, _go_on_talk, _go_on)


# --- handed over ---


def _give_talk(facts: RelayFacts) -> Talk:
    if not facts.relay:
        return None
    done = yield Ask("what", _("交接好了吗？"), _give_choices())
    if done != "given":
        return None
    sure = yield Ask(
        "sure",
        _("确定吗？确定以后，从现在起由接的人负责，你的结对到今天为止。"),
        (Choice("yes", _("确定")), Choice("no", _("还没有"))),
    )
    return facts.relay if sure == "yes" else None


def _give_choices() -> tuple[Choice, ...]:
    return (Choice("given", _("交接好了"), words=(_("已经交接"), _("好了"))), Choice("not", _("还没有")))


def _give(session: Session, person: Person, relay: str) -> Reply:
    found = relaying_lists.handing(session, relay)
    if found is None or not relaying.serves(session, found.stint, person.id):
        return _settled()
    who, successor = served(session, person, found.somebody), found.successor
    try:
        relaying.give(session, relay, person.id)
    except StintError as error:
        if error.reason == "waits":
            return Reply(_("接的人还没有接受结对协议，接受了会告诉你。在那以前还是你。"), (_contact(),))
        return _settled()
    next_one = server(session, successor) if successor else _("团队")
    text = _("记下了，已经交接。从现在起由{next}照看{who}。谢谢你做的一切，也祝你一切顺利！")
    return Reply(text.format(next=next_one, who=who))


GIVE = Dialogue("relay_give", RelayFacts, _facts, _give_talk, _give, repeats=True)


# --- the note ---


def _note_talk(facts: RelayFacts) -> Talk:
    if not facts.relay:
        return None
    yield Ask("what", _("要看交接留言吗？"), (Choice("read", _("看交接留言"), words=(_("交接留言"),)),))
    return facts.relay


def _note(session: Session, person: Person, relay: str) -> Reply:
    found = relaying_lists.handing(session, relay)
    if found is None or not relaying_lists.may_read_note(session, found, person.id):
        return Reply(_("这份交接留言现在看不了：已经换人，或者不用交接了。"), (_contact(),))
    if not found.relay.note_sealed and not found.relay.private_sealed:
        return Reply(_("没有留言。想知道什么，可以问专员。"), (_contact(),))
    place = here(session)
    if place.sensitive_in_chat:
        return Reply(_note_words(session, found, person.id))
    if not place.public_url:
        return Reply(_("内容不在这里显示，请到微信里看。"), (_contact(),))
    token = issue_page(session, person.id, "data", {"relay_note": relay}, door_id=place.door_id)
    minutes = rules().doors.page_minutes
    text = _("交接留言在网页上看，{minutes} 分钟内有效，只给你自己看，不要转发。").format(minutes=minutes)
    return Reply(text, (), (Link(place.page(token), _("看交接留言")),))


def _note_words(session: Session, found: Handing, reader: str) -> str:
    """The note, and below it what is for whoever answers for the county alone; the look is logged by the rule."""
    note = relaying.note_of(session, found.relay, reader)
    private = relaying.private_of(session, found.relay, reader)
    lines = [_("给接的人的留言："), note or _("没有写")]
    if private:
        lines += [_("只给专员的话："), private]
    return "\n".join(lines)


NOTE = Dialogue(NOTE_NAME, RelayFacts, _facts, _note_talk, _note, repeats=True)


def note_page(session: Session, reader: str, relay: str, *, reading: bool) -> Written | None:
    """The note on a page, for whoever may read it; None for anybody else. `reading` = it is shown now."""
    found = relaying_lists.handing(session, relay)
    if found is None or not relaying_lists.may_read_note(session, found, reader):
        return None
    words = _note_words(session, found, reader) if reading else ""
    return Written(_("交接留言"), words, _("只用来做好交接，请不要转发。"))


# --- what is told ---


def _begun(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    """To the one whose pairing it is, where somebody else began the relay. None once it is settled."""
    found = relaying_lists.standing(session, str(params["relay"]))
    if found is None or found.stint.state != OPEN or found.relay.state != SEEKING:
        return None
    who, day = served(session, person, found.somebody), with_weekday(found.relay.last_day)
    specialist, kind = responsible(session, person, found), "term" if found.relay.reason == "term" else "other"
    lines = [_begun_words(found.relay.reason).format(who=who, day=day)]
    lines.append(
        _("负责找接的人：{specialist}。在有人接上以前，{who}不会没人管。").format(specialist=specialist, who=who)
    )
    facts = RelayFacts(relay=found.relay.id, kind=kind)
    labels = [(choice.value, choice.label) for choice in _term_choices(kind)]
    options = asked(session, person.id, TERM.name, "what", facts, labels)
    if found.relay.reason != "term" and relaying.may_cancel(session, found.relay, found.stint, person.id):
        options = (*options, *go_on_option(session, person.id, found.relay.id))
    return Reply("\n".join(lines), (*options, _contact()))


def _begun_words(why: str) -> str:
    return {
        "term": _("你和{who}的这一期到 {day}满。谢谢你一直陪着！想再续一期吗？不续也没关系。"),
        "graduation": _("你们队要毕业或换届了，专员为你和{who}的结对安排了交接，最后一天是 {day}。谢谢你一直陪着！"),
        "silence": _(
            "有一阵没有你的消息了，希望你一切都好。专员先为{who}找接的人，最后一天记作 {day}。还在的话，告诉我们就行。"
        ),
        "organisation": _("你们团队的结对要交给另一个团队，你和{who}的最后一天是 {day}。谢谢你一直陪着。"),
    }.get(why, _("专员为你和{who}的结对安排了交接，最后一天是 {day}。谢谢你一直陪着。"))


def _hand_over(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    """To the one who goes: the successor has accepted the agreement."""
    found = relaying_lists.standing(session, str(params["relay"]))
    if found is None or found.relay.taken_at is None or found.stint.state != OPEN or found.successor is None:
        return None
    who = served(session, person, found.somebody)
    next_one = server(session, found.successor)
    lines = [_("好消息：{who}有人接了，是{next}。").format(who=who, next=next_one)]
    if found.relay.hands_over_on is not None:
        lines.append(_("交接日：{day}。").format(day=with_weekday(found.relay.hands_over_on)))
    lines.append(_("建议你们一起去一次，当面介绍。时间由专员帮忙约。交接好了，请选“交接好了”；在那以前还是你。"))
    labels = [(choice.value, choice.label) for choice in _give_choices()[:1]]
    options = asked(session, person.id, GIVE.name, "what", RelayFacts(relay=found.relay.id), labels)
    return Reply("\n".join(lines), (*options, _contact()))


def _day(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    """The day that was agreed, to both. None once it is another one, or over."""
    found, day = relaying_lists.standing(session, str(params["relay"])), day_of(str(params["day"]))
    if found is None or day is None or found.relay.hands_over_on != day:
        return None
    mine = relaying.serves(session, found.stint, person.id)
    other = found.successor if mine else found.stint
    lines = [_("{who}的交接日定在 {day}。").format(who=served(session, person, found.somebody), day=with_weekday(day))]
    if other is not None:
        lines.append(_("建议你和{other}那天一起去一次；去不了就告诉专员。").format(other=server(session, other)))
    note = () if mine or not found.relay.note_sealed else note_option(session, person.id, found.relay.id)
    return Reply("\n".join(lines), (*note, _contact()))


def _thanks(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    """To the one who went, after their last day."""
    stint = session.get(Stint, str(params["stint"]))
    if stint is None or stint.state == OPEN:
        return None
    somebody, text = served_of(session, stint), _("你和{who}的结对结束了。谢谢你陪过的每一天！")
    if isinstance(somebody, Beneficiary):
        if somebody.status in GONE:
            return None
        now = responsible_today(session, somebody)
        if now.kind in ("keeper", "specialist") and now.people:
            text = _("你和{who}的结对结束了。谢谢你陪过的每一天！在找到接替的人以前，{who}由专员负责。")
        elif now.people:
            text = _("你和{who}的结对结束了。谢谢你陪过的每一天！{who}现在有人接着照看，你可以放心。")
    return Reply(text.format(who=served(session, person, somebody)))


def _off(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    """To the one whose pairing goes on, where somebody else ended the relay. None once it was begun anew or ended."""
    found = relaying_lists.handing(session, str(params["relay"]))
    if found is None or found.relay.state != CANCELLED or found.stint.state != OPEN:
        return None
    if standing_relay(session, found.stint.id) is not None:
        return None
    text = _("专员取消了交接，你和{who}的结对照旧。如果不是这样，请告诉专员。")
    return Reply(text.format(who=served(session, person, found.somebody)), (_contact(),))


NOTICES = {
    "notice.relay_off": _off,
    "notice.relay_begun": _begun,
    "notice.hand_over": _hand_over,
    "notice.relay_day": _day,
    "notice.thanks": _thanks,
}
