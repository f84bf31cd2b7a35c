"""The family's own phone: joined by a code, told what it should know, and left or ended."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from sqlmodel import col, select

from config.catalogue import rules
from handlers import notices
from models import agreement, family_doors, relaying, substituting
from models.beneficiary import Beneficiary
from models.code import count_wrong, issue_code
from models.database import Database, now_of, vault_of
from models.family import FamilyDoor, FamilyError
from models.outbox import OutboxMessage
from models.sealed import BlindIndex
from models.team import TeamMember
from scheduler import jobs
from tests.chatting import Chat
from tests.conftest import StoppedClock
from tests.pairing_world import NAME, YUEXIU, World

WRONG = "2A2A2A2A"


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


def phone(world: World, sender: str = "mother") -> Chat:
    """Somebody who follows, and has said hello."""
    chat = Chat(world.database, sender)
    chat.say("你好")
    return chat


def joined(world: World, asked: str, boss: str, holder: str = "guardian", sender: str = "mother") -> Chat:
    """A phone that has become the family's."""
    chat = phone(world, sender)
    chat.say(world.do(family_doors.issue, asked, holder, boss))
    chat.press("是，连上")
    assert "连上了" in chat.said.text
    return chat


def own(world: World, asked: str) -> str | None:
    return world.one(Beneficiary, asked).person_id


def doors(world: World, asked: str) -> list[FamilyDoor]:
    with world.database.read() as session:
        return family_doors.doors_of(session, asked)


# --- wrong codes ---


def test_after_too_many_wrong_codes_the_right_one_waits(world: World) -> None:
    asked, boss, chat = world.beneficiary(), world.specialist(), phone(world)
    code = world.do(family_doors.issue, asked, "guardian", boss)
    chat.act("menu", menu="family_join")
    for _ in range(rules().doors.code_tries):
        assert "没有这个码" in chat.say(WRONG)
    assert "输错太多次" in chat.say(code)
    chat.say("取消")
    told = chat.say(code)
    assert "试错次数太多了" in told and told == chat.say(WRONG), "it says no more than any other code"
    assert doors(world, asked) == []


def test_a_phone_that_pauses_joins_nothing(world: World) -> None:
    asked, boss, chat = world.beneficiary(), world.specialist(), phone(world)
    chat.say(world.do(family_doors.issue, asked, "guardian", boss))
    for _ in range(rules().doors.code_tries):
        with world.database.write() as session:
            count_wrong(session, chat.person().id)
    assert "输错太多次" in chat.press("是，连上")
    assert doors(world, asked) == []


def test_a_code_of_another_kind_is_no_guess(world: World) -> None:
    asked, boss, chat = world.beneficiary(), world.specialist(), phone(world)
    with world.database.write() as session:
        other = issue_code(session, "bind", boss, {}, timedelta(hours=1))
    chat.act("menu", menu="family_join")
    for _ in range(rules().doors.code_tries + 1):
        assert "没有这个码" in chat.say(other)
    chat.say(world.do(family_doors.issue, asked, "guardian", boss))
    assert "连上了" in chat.press("是，连上")


# --- codes and phones that are replaced ---


def test_a_new_code_takes_the_place_of_the_one_before(world: World) -> None:
    asked, boss, chat = world.beneficiary(), world.specialist(), phone(world)
    first = world.do(family_doors.issue, asked, "guardian", boss)
    other = world.do(family_doors.issue, asked, "self", boss)
    second = world.do(family_doors.issue, asked, "guardian", boss)
    assert "已经换成新的" in chat.say(first)
    chat.say("取消")
    assert "服务对象本人" in chat.say(other), "the other holder's stays"
    chat.press("不是我家的")
    assert "监护人" in chat.say(second)


def test_a_served_person_has_one_phone_of_their_own(world: World) -> None:
    asked, boss = world.beneficiary(), world.specialist()
    first = joined(world, asked, boss, "self", "first")
    mother = joined(world, asked, boss)
    second = joined(world, asked, boss, "self", "second")
    assert {one.person_id for one in doors(world, asked)} == {mother.person().id, second.person().id}
    assert own(world, asked) == second.person().id
    first.act("menu", menu="family")
    assert "还没有连上" in first.said.text


def test_a_phone_that_becomes_the_guardians_is_not_the_served_persons_any_more(world: World) -> None:
    asked, boss = world.beneficiary(), world.specialist()
    joined(world, asked, boss, "self")
    chat = joined(world, asked, boss, "guardian")
    assert [(one.person_id, one.holder) for one in doors(world, asked)] == [(chat.person().id, "guardian")]
    assert own(world, asked) is None


def test_whoever_serves_meanwhile_does_not_join(world: World) -> None:
    asked, boss, chat = world.beneficiary(), world.specialist(), Chat(world.database, "alin")
    chat.register()
    chat.say(world.do(family_doors.issue, asked, "guardian", boss))
    world.agreeing(asked, chat.person().id)
    assert "这个码是给家里的" in chat.press("是，连上")
    assert doors(world, asked) == []


def test_whoever_answers_for_the_county_ends_a_wrong_phone(world: World) -> None:
    asked, boss, other = world.beneficiary(), world.specialist(), world.specialist(YUEXIU)
    chat = joined(world, asked, boss, "self")
    code = world.do(family_doors.issue, asked, "guardian", boss)
    with pytest.raises(FamilyError, match="scope"):
        world.do(family_doors.disconnect, asked, other)
    assert world.do(family_doors.disconnect, asked, boss) == 1
    assert doors(world, asked) == [] and own(world, asked) is None
    chat.act("menu", menu="family")
    assert "还没有连上" in chat.said.text
    assert "过期了" in chat.say(code)


def test_codes_that_ended_long_ago_are_forgotten(world: World, clock: StoppedClock) -> None:
    asked, boss = world.beneficiary(), world.specialist()
    joined(world, asked, boss)
    world.do(family_doors.issue, asked, "self", boss)
    days = rules().registration.guardian_link_days + rules().messages.retention_days
    clock.pass_time(timedelta(days=days, minutes=-1))
    world.do(family_doors.issue, asked, "guardian", boss)

    def kept() -> int:
        with world.database.read() as session:
            query = select(BlindIndex.row_id).where(BlindIndex.kind == "code", BlindIndex.scope == "family")
            return len(set(session.exec(query)))

    jobs.forget_ended(world.database)
    assert kept() == 3
    clock.pass_time(timedelta(minutes=2))
    assert world.do(family_doors.forget_codes, timedelta(days=rules().messages.retention_days), 1) == 1
    jobs.forget_ended(world.database)
    assert kept() == 1 and len(doors(world, asked)) == 1


# --- what the family hears, from the first day to the last ---


def came(world: World, chat: Chat) -> list[str]:
    """What has been sent to a phone since, as it stands now."""
    with world.database.write() as session:
        session.info["here"] = chat.here()
        person = chat.person()
        query = select(OutboxMessage).where(OutboxMessage.person_id == person.id, OutboxMessage.state == "waiting")
        found = []
        for row in session.exec(query.order_by(col(OutboxMessage.created_at), col(OutboxMessage.kind))):
            assert row.params_sealed is not None
            params = vault_of(session).open_json("outbox.params_sealed", row.id, row.params_sealed)
            reply = notices.words(session, person, row.kind, params, again=False)
            found += [reply.text] if reply is not None else []
            row.state = "withdrawn"
            session.add(row)
        return found


@pytest.mark.parametrize("platform", ["wechat", "telegram"])
def test_the_life_of_a_familys_phone(world: World, clock: StoppedClock, platform: str) -> None:
    asked, boss, volunteer = world.beneficiary(), world.specialist(), world.volunteer()
    chat = Chat(world.database, "mother", platform)
    chat.say("你好")
    chat.say(world.do(family_doors.issue, asked, "guardian", boss))
    chat.press("是，连上")
    stint = world.agreeing(asked, volunteer)
    at = clock.at + timedelta(days=2)
    world.do(agreement.set_meeting, stint, at, boss)
    world.do(agreement.set_meeting, stint, at + timedelta(hours=1), boss)
    (met,) = came(world, chat)
    assert "第一次见面约在" in met and "志愿者 " in met
    chat.act("menu", menu="family")
    chat.press("同意这位志愿者")
    assert world.stint(stint).family_at is not None
    version = world.write(stint, boss)
    world.do(agreement.accept, stint, volunteer, version)
    (opened,) = came(world, chat)
    assert "从现在起，结对的是" in opened
    chat.act("menu", menu="family")
    chat.press("挺好")
    assert "notice.family_said" in world.told(boss)
    world.do(agreement.end, stint, "moved", boss)
    (ended,) = came(world, chat)
    assert "结束了" in ended and NAME not in met + opened + ended
    chat.act("menu", menu="family")
    chat.press("退出这个账号")
    chat.press("确定")
    world.paired(asked, world.volunteer(), boss)
    assert came(world, chat) == [] and doors(world, asked) == []


def test_after_a_relay_the_family_hears_who_comes_now(world: World) -> None:
    asked, boss, first, second = world.beneficiary(), world.specialist(), world.volunteer(), world.volunteer()
    stint = world.paired(asked, first, boss)
    chat = joined(world, asked, boss)
    relay = world.do(relaying.begin, stint, "moved", date(2026, 12, 31), first)
    successor = world.agreeing(asked, second)
    world.do(agreement.accept, successor, second, world.write(successor, boss))
    assert came(world, chat) == []
    world.do(relaying.give, relay.id, first)
    (told,) = came(world, chat)
    assert "从现在起，结对的是" in told


def test_what_is_not_true_any_more_is_not_said(world: World, clock: StoppedClock) -> None:
    asked, boss = world.beneficiary(), world.specialist()
    chat = joined(world, asked, boss)
    stint = world.agreeing(asked, world.volunteer())
    world.do(agreement.set_meeting, stint, clock.at + timedelta(days=2), boss)
    world.do(agreement.call_off, stint, boss)
    assert came(world, chat) == []
    stint = world.paired(asked, world.volunteer(), boss)
    world.do(family_doors.disconnect, asked, boss)
    assert came(world, chat) == [], "a phone that was disconnected hears nothing"


def test_whoever_objects_is_not_told_so_and_the_other_phone_is(world: World) -> None:
    asked, boss = world.beneficiary(), world.specialist()
    stint = world.paired(asked, world.volunteer(), boss)
    mother, other = joined(world, asked, boss), joined(world, asked, boss, sender="father")
    mother.act("menu", menu="family")
    mother.press("不想结对了")
    assert "志愿者不会再来" in mother.press("确定")
    assert world.stint(stint).ended_why == "objected"
    assert came(world, mother) == []
    (told,) = came(world, other)
    assert "结束了" in told


def test_of_a_death_nothing_is_sent_to_the_family(world: World) -> None:
    asked, boss = world.beneficiary(), world.specialist()
    chat = joined(world, asked, boss)
    world.paired(asked, world.volunteer(), boss)
    came(world, chat)
    world.becomes(asked, "died")
    assert came(world, chat) == [] and not [kind for kind in world.told(chat.person().id) if "family" in kind]


def test_on_a_minors_own_phone_nobody_confirms(world: World) -> None:
    asked, boss = world.beneficiary(birth_date=date(2010, 3, 7)), world.specialist()
    stint = world.agreeing(asked, world.volunteer())
    own_phone = joined(world, asked, boss, "self", "child")
    guardian = joined(world, asked, boss)
    own_phone.act("menu", menu="family")
    assert "同意这位志愿者" not in [option.label for option in own_phone.said.options]
    with pytest.raises(FamilyError, match="guardian"):
        world.do(family_doors.confirm, own_phone.person().id, stint)
    assert world.stint(stint).family_at is None
    guardian.act("menu", menu="family")
    guardian.press("同意这位志愿者")
    assert world.stint(stint).family_at is not None


@pytest.mark.parametrize("who", ["before", "leader", "member", "substitute", "left"])
def test_of_a_team_everybody_serves_and_who_once_said_yes_for_it_does_not(world: World, who: str) -> None:
    before, leader, member, left, stands_in = world.volunteers(5)
    boss, asked = world.specialist(), world.beneficiary()
    team = world.team(before, members=(leader, member, left))
    stint = world.paired(asked, before, boss, team)
    row = world.do(substituting.ask, stint, stands_in, world.database.clock.now().date() + timedelta(days=9), boss)
    world.do(substituting.answer, row.id, stands_in, yes=True)
    people = {"before": before, "leader": leader, "member": member, "left": left, "substitute": stands_in}
    with world.database.write() as session:
        for held in session.exec(select(TeamMember).where(TeamMember.team_id == team)).all():
            if held.person_id in (before, left):
                held.left_at = now_of(session)
            if held.person_id == leader:
                held.part = "leader"
            session.add(held)
    code = world.do(family_doors.issue, asked, "guardian", boss)
    with world.database.write() as session:
        found = family_doors.look(session, code, people[who])
    assert found is not None
    assert found.verdict == ("good" if who in ("before", "left") else "own")
