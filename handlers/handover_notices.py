"""What whoever answers for a county is told of relays, and of those whom they keep meanwhile."""

from __future__ import annotations

from typing import Any

from sqlmodel import Session, col, select

from config.texts import _
from handlers.days import with_weekday
from handlers.late import asked
from handlers.message import Option, Reply
from handlers.relay_ways import HANDOVER, RelayFacts
from handlers.served_words import by_name, reason, relay_reason, responsible, server, volunteer
from models import relaying_lists, silence
from models.beneficiary import may_see
from models.institution import Institution
from models.pairing import AGREEING, LEAD, OPEN, Stint
from models.person import Person, local_now, survivor
from models.relay import CANCELLED, STANDING, Relay
from models.relaying_lists import Handing
from models.served import Served, is_gone, served_of
from models.silence import Silence
from models.stints import lead_of_institution


def _list_option() -> Option:
    return Option("m:hand_overs", _("交接清单"))


def _unpaired() -> Option:
    return Option("m:unpaired", _("待结对"))


def _relay(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    """A relay was begun. None once it is settled, to whoever began it, and of a batch to each but once."""
    found = relaying_lists.standing(session, str(params["relay"]))
    if found is None or found.relay.begun_by == person.id or not may_see(session, person.id, found.somebody.county):
        return None
    row = found.relay
    first, count = relaying_lists.told_together(session, person.id, row)
    if first != row.id:
        return None
    day, why, who = with_weekday(row.last_day), relay_reason(row), responsible(session, person, found)
    if row.undecided:
        return _silent(session, person, found, count)
    if count > 1:
        said = _("有 {count} 个结对要交接（{why}），最早的最后一天：{day}。过了最后一天还没有人接，就由负责人照看。")
        return Reply(said.format(count=count, why=why, day=day) + _asks(row), (_list_option(),))
    lines = [
        _("有一个结对要找接的人：{who}。").format(who=by_name(session, person, found.somebody)),
        _("现在的志愿者：{who}").format(who=server(session, found.stint)),
        _("原因：{why}").format(why=why),
        _("最后一天：{day}").format(day=day),
        _after_last_day(found).format(who=who) + _asks(row),
    ]
    facts = RelayFacts(relay=row.id, today=local_now(session, person).date().isoformat())
    options = asked(session, person.id, HANDOVER, "what", facts, [("open", _("打开看"))])
    return Reply("\n".join(lines), (*options, _list_option()))


def _silent(session: Session, person: Person, found: Handing, count: int) -> Reply:
    """Somebody who serves was silent: nothing ends by itself, and it is decided by whoever answers for it."""
    row, day = found.relay, with_weekday(found.relay.last_day)
    what = _(
        "请先联系志愿者，再决定：志愿者还能继续，选“取消交接”；不能继续，找接的人，或者定最后一天。"
        "没有决定以前，结对不会自己结束；到 {day}还没有决定，会再提醒你。"
    ).format(day=day)
    heard = silence.was_heard(session, row)
    if count > 1:
        told = _("{volunteer}很久没有回音：问候了两次，都没有答复。有 {count} 个结对要你决定。")
        if heard:
            told = _("{volunteer}很久没有回音，后来有消息了。有 {count} 个结对还等你决定。")
        said = told.format(volunteer=server(session, found.stint), count=count)
        return Reply(f"{said}\n{what}", (_list_option(),))
    told = _("{volunteer}很久没有回音：问候了两次，都没有答复。和{who}的结对要你决定。")
    if heard:
        told = _("{volunteer}很久没有回音，后来有消息了。和{who}的结对还等你决定。")
    said = told.format(volunteer=server(session, found.stint), who=by_name(session, person, found.somebody))
    lines = [said, what, _("负责人：{who}").format(who=responsible(session, person, found))]
    facts = RelayFacts(relay=row.id, today=local_now(session, person).date().isoformat())
    options = asked(session, person.id, HANDOVER, "what", facts, [("open", _("打开看"))])
    return Reply("\n".join(lines), (*options, _list_option()))


def _silence_over(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    """Somebody who was silent is there again; what is to be decided is decided still. None once it is."""
    row = session.get(Silence, str(params["silence"]))
    found = [relaying_lists.standing(session, each.id) for each in silence.relays(session, row)] if row else []
    mine = [each for each in found if each is not None and may_see(session, person.id, each.somebody.county)]
    if row is None or not mine:
        return None
    called = volunteer(session, survivor(session, row.person_id).id)
    if row.ended_why == silence.PHONE:
        said = _("{volunteer}已经在电话里问到了。有 {count} 个结对还等你决定：能继续就取消交接，不能继续就找接的人。")
    elif row.ended_why == silence.SETTLED:
        said = _(
            "{volunteer}的团队有消息了（别的队长）。有 {count} 个结对还等你决定：能继续就取消交接，不能继续就找接的人。"
        )
    else:
        said = _("{volunteer}有消息了。有 {count} 个结对还等你决定：能继续就取消交接，不能继续就找接的人。")
    return Reply(said.format(volunteer=called, count=len(mine)), (_list_option(),))


def _after_last_day(found: Handing) -> str:
    """Nobody keeps an institution: its pairing ends."""
    if isinstance(found.somebody, Institution):
        return _("负责人：{who}。过了最后一天还没有团队接，这个机构的结对就结束。")
    return _("负责人：{who}。过了最后一天还没有人接，就由负责人照看。")


def _asks(row: Relay) -> str:
    return "\n" + _("正在问志愿者要不要再续一期。") if row.reason == "term" else ""


def _institution_left(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    """A team's last day with an institution is over, and none follows. None once one serves it, or is being agreed."""
    found = _stint(session, person, str(params["stint"]))
    stint, somebody = found if found is not None else (None, None)
    if stint is None or not isinstance(somebody, Institution):
        return None
    if any(lead_of_institution(session, somebody.id, state) is not None for state in (OPEN, AGREEING)):
        return None
    said = _("{who}现在没有团队结对了：{volunteer}的最后一天已经过了，还没有团队接。请和机构联系，再找一个团队。")
    return Reply(said.format(who=somebody.name, volunteer=server(session, stint)), (_list_option(),))


def _cancelled(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    """They go on after all. None where it was begun anew, or where another term follows, which is told by itself."""
    found = relaying_lists.handing(session, str(params["relay"]))
    if found is None or found.relay.state != CANCELLED or found.stint.state != OPEN:
        return None
    again = select(Relay.id).where(Relay.stint_id == found.stint.id, col(Relay.state).in_(STANDING))
    if session.exec(again).first() is not None or not may_see(session, person.id, found.somebody.county):
        return None
    said = _("不用找接的人了：{volunteer}又能继续，{who}的结对照旧。")
    called = server(session, found.stint)
    return Reply(said.format(who=by_name(session, person, found.somebody), volunteer=called), (_list_option(),))


def _renewed(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    """The same two go on for another term."""
    found = _stint(session, person, str(params["stint"]))
    if found is None or found[0].state != OPEN or found[0].part != LEAD:
        return None
    stint, somebody = found
    said = _("好消息：{volunteer}和{who}又续了一期，到 {day}。")
    day = stint.ends_on.isoformat() if stint.ends_on else ""
    called = server(session, stint)
    return Reply(said.format(who=by_name(session, person, somebody), volunteer=called, day=day))


def _willing(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    """Whoever serves wants another term, and cannot have it yet. None once it is settled."""
    found = relaying_lists.standing(session, str(params["relay"]))
    if found is None or found.stint.state != OPEN or not may_see(session, person.id, found.somebody.county):
        return None
    why = {
        "consent": _("现在没有家里对结对的同意"),
        "clearance": _("没有有效的无犯罪记录查询"),
    }.get(str(params["why"]), _("按现在的登记不能服务这一位"))
    said = _("{volunteer}想和{who}再续一期，但现在还不能续：{why}。办好了请告诉对方再选一次；没有办好，交接照常。")
    who, called = by_name(session, person, found.somebody), server(session, found.stint)
    return Reply(said.format(volunteer=called, who=who, why=why), (_list_option(),))


def _stint(session: Session, person: Person, stint_id: str) -> tuple[Stint, Served] | None:
    stint = session.get(Stint, stint_id)
    somebody = served_of(session, stint) if stint else None
    if stint is None or somebody is None or is_gone(somebody):
        return None
    return (stint, somebody) if may_see(session, person.id, somebody.county) else None


def _keeping(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    """To the keeper: from now on it is they. None once it is somebody else."""
    found = relaying_lists.keeping(session, str(params["keeping"]))
    if found is None or found[0].person_id != person.id:
        return None
    row, somebody = found
    lines = [_("从现在起，由你照看{who}，直到有人接上。").format(who=by_name(session, person, somebody))]
    if relaying_lists.was_paired(session, somebody.id):
        known = _("原因：上一个结对结束了（{why}）。").format(why=_ended(row.why))
        lines.append(_("原因：上一个结对结束了。") if row.why == "relay" else known)
    lines.append(_("请尽快联系一次，并找接的人。"))
    return Reply("\n".join(lines), (_unpaired(), _list_option()))


def _ended(why: str) -> str:
    return {
        "relayed": _("换团队"),
        "objected": _("家里或本人不同意"),
        "taken_back": _("没有谈成"),
    }.get(why) or reason(why)


NOTICES = {
    "notice.relay": _relay,
    "notice.relay_cancelled": _cancelled,
    "notice.silence_over": _silence_over,
    "notice.institution_left": _institution_left,
    "notice.renewed": _renewed,
    "notice.willing": _willing,
    "notice.keeping": _keeping,
}
