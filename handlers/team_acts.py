"""What is done with one team: members in and out, its leader, how many people it takes, dissolving it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sqlmodel import Session

from config.texts import _
from handlers.checks import is_volunteer_number, volunteer_number
from handlers.dialogue import Ask, Choice, Dialogue, Invalid, Refused, Talk
from handlers.message import Option, Reply
from handlers.team_words import TeamFacts, actions, refused, team_capacity, to_list, to_team
from models import team as teams
from models.person import Person
from models.team import Team, TeamError, leader_of
from models.team_member import add, remove, set_leader
from models.volunteer import volunteer_of

MOST_AT_ONCE = 30  # numbers in one message


@dataclass(frozen=True)
class Act:
    """`what` is a value of `actions`; `numbers` are volunteers', `size` a capacity."""

    team: str
    what: str
    numbers: tuple[str, ...] = ()
    size: int = 0


def _facts(session: Session, person: Person) -> TeamFacts:
    return TeamFacts()


def _talk(facts: TeamFacts) -> Talk:
    if not facts.team:
        return Act("", "")
    what = yield Ask("what", _("要对“{name}”做什么？").format(name=facts.name), actions(facts))
    if what == "add":
        text = _("请写要加入的志愿者编号，可以一次写几个，一行一个或用空格隔开。他们会收到通知。")
        return Act(facts.team, what, numbers=(yield Ask("numbers", text, check=_numbers)))
    if what in ("leader", "remove"):
        return Act(facts.team, what, numbers=((yield from _one(facts, what)),))
    if what == "capacity":
        text = _("最多和几位服务对象结对？现在是 {count} 位。").format(count=facts.capacity)
        return Act(facts.team, what, size=(yield Ask("capacity", text, check=team_capacity, numeric=True)))
    if what == "leave":
        text = _("确定退出“{name}”吗？以后想回来，请负责的同事再加你。").format(name=facts.name)
        sure = yield Ask("sure_leave", text, (Choice("yes", _("退出团队")), Choice("no", _("不退出"))))
        return Act(facts.team, what) if sure == "yes" else None
    text = _(
        "确定解散“{name}”吗？队员和专员会收到通知，他们的登记和服务记录都在。"
        "解散后不能恢复，但随时可以新建团队，再把队员加进来。"
    )
    sure = yield Ask("sure", text.format(name=facts.name), (Choice("yes", _("解散")), Choice("no", _("不解散"))))
    return Act(facts.team, what) if sure == "yes" else None


def _one(facts: TeamFacts, what: str) -> Talk:
    text = {
        "leader": _("请谁来当队长？选一位，或写志愿者编号。要满 18 岁，原来的队长留下当队员。"),
        "remove": _("要移出哪一位？选一位，或写志愿者编号。对方会收到通知，以后可以再加进来。"),
    }[what]
    choices = tuple(Choice(number, called) for number, called in facts.members)
    return (yield Ask(what, text, choices, check=volunteer_number))


def _numbers(words: str) -> tuple[str, ...]:
    """What was written, piece by piece; whether each is a number is said of each."""
    pieces = tuple(dict.fromkeys(piece for piece in re.split(r"[\s,，、;；]+", words) if piece))
    if not any(is_volunteer_number(piece) for piece in pieces):
        raise Invalid(_("请写志愿者编号，10 位数字，可以一次写几个，一行一个。对方回复“我的资料”能看到自己的编号。"))
    if len(pieces) > MOST_AT_ONCE:
        raise Invalid(_("一次最多 {count} 个编号，请分几次写。").format(count=MOST_AT_ONCE))
    return pieces


def _act(session: Session, person: Person, command: Act) -> Reply:
    team = session.get(Team, command.team) if command.team else None
    if team is None:
        return Reply(_("请先从“团队”里选一个团队。"), (to_list(),))
    try:
        if command.what == "add":
            said = "\n".join(_added(session, person, team, piece) for piece in command.numbers)
        elif command.what == "leader":
            said = _led(session, person, team, command.numbers[0])
        elif command.what == "remove":
            gone = remove(session, person.id, team.id, command.numbers[0])
            said = _("已经移出 {number}，正在告诉对方。") if gone else _("{number} 现在不是这个团队的队员。")
            said = said.format(number=command.numbers[0])
        elif command.what == "leave":
            return _left(session, person, team)
        elif command.what == "capacity":
            teams.set_capacity(session, person.id, team.id, command.size)
            said = _resized(session, team)
        else:
            done = teams.end(session, person.id, team.id)
            said = _("“{name}”已经解散，正在告诉队员和专员。") if done else _("“{name}”之前已经解散了。")
            return Reply(said.format(name=team.name), (to_list(),))
    except TeamError as error:
        return _not_done(session, person, team, command, error)
    return Reply(said, to_team(session, person.id, team))


def _added(session: Session, person: Person, team: Team, piece: str) -> str:
    if not is_volunteer_number(piece):
        return _("{number}：不是志愿者编号，没有加。").format(number=piece[:20])
    try:
        new = add(session, person.id, team.id, piece)
    except TeamError as error:
        if error.reason in ("gone", "scope"):
            raise
        return _("{number}：没有加，{why}。").format(number=piece, why=refused(error))
    said = _("{number}：加进来了，正在告诉对方。") if new else _("{number}：已经是队员。")
    return said.format(number=piece)


def _led(session: Session, person: Person, team: Team, number: str) -> str:
    before = leader_of(session, team)
    new = set_leader(session, person.id, team.id, number)
    if not new:
        return _("{number} 已经是队长。").format(number=number)
    said = _("{number} 现在是队长，正在告诉对方。").format(number=number)
    return said + (_("原来的队长留在团队里。") if before is not None else "")


def _left(session: Session, person: Person, team: Team) -> Reply:
    registered = volunteer_of(session, person.id)
    try:
        if registered is not None:
            remove(session, person.id, team.id, registered.number)
    except TeamError as error:
        if error.reason != "stints":
            raise
        text = _("你在这个团队里还有结对的人，先和专员办好交接，才能退出。请回复“联系专员”。")
        return Reply(text, (Option("m:contact", _("联系专员")),))
    return Reply(_("你已经退出“{name}”。你还是志愿者，登记的资料都在。谢谢你！").format(name=team.name))


def _resized(session: Session, team: Team) -> str:
    taken = teams.places_taken(session, team)
    said = _("改好了：最多和 {capacity} 位服务对象结对，现在 {taken} 位。").format(capacity=team.capacity, taken=taken)
    return said + (_("已有的结对不受影响，只是不再加新的。") if taken >= team.capacity else "")


def _not_done(session: Session, person: Person, team: Team, command: Act, error: TeamError) -> Reply:
    key = {"leader": "leader", "capacity": "capacity"}.get(command.what)
    if key is not None and error.reason in ("minor", "stranger", "capacity"):
        raise Refused(key, refused(error)) from None
    if error.reason == "stints":
        own = _("这位队员在这个团队里还有结对，先办好交接，才能移出。")
        all_ = _("团队还有没结束的结对，先办好交接，才能解散。")
        return Reply(all_ if command.what == "end" else own, to_team(session, person.id, team))
    if error.reason == "inactive":
        text = _("{number}：没有改，{why}。").format(number=command.numbers[0], why=refused(error))
        return Reply(text, to_team(session, person.id, team))
    return Reply(refused(error), (to_list(),))


TEAM = Dialogue("team", TeamFacts, _facts, _talk, _act, repeats=True)
