"""一户不落: who stands where, who answers for them, and who may look."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event
from sqlmodel import Session, col, select

from models import household, households
from models.audit import AuditEntry
from models.beneficiary import MACHINE, Beneficiary, BeneficiaryError, by_id_number, names_of
from models.database import Database, now_of
from models.household_acts import HouseholdError, answer, nudge, take
from models.households import STATES, Wanted
from models.outbox import OutboxMessage
from models.person import Door, open_door
from models.role import RoleGrant
from models.stints import keeping_of, responsible_today
from models.team import Team, TeamMember
from models.volunteer import Volunteer
from tests import standing
from tests.chatting import Chat
from tests.conftest import StoppedClock
from tests.ledger_files import id_number, people, person
from tests.outgoing import deliver
from tests.people import alin as alin
from tests.people import end_role, follow, grant, unfollow
from tests.people import specialist as specialist
from tests.test_ledger_import import COUNTY, OTHER, brought


def of(session: Session, number: int) -> Beneficiary:
    """Somebody of the ledger by their number in the file."""
    return by_id_number(session, id_number(number))[0]


def ids(session: Session, *numbers: int) -> list[str]:
    return [of(session, number).id for number in numbers]


@pytest.fixture
def six(database: Database, specialist: Chat, alin: Chat) -> None:
    """One of each state, by number: consent, nobody, asked, agreeing, paired, relay."""
    brought(database, people(6))
    by, volunteer = specialist.person().id, alin.person().id
    with database.write() as session:
        today = now_of(session).date()
        for number in range(1, 6):
            standing.consent(session, of(session, number).id, by)
        standing.offer(session, of(session, 2).id, volunteer)
        standing.stint(session, of(session, 3).id, volunteer, "agreeing", meets_at=now_of(session) + timedelta(days=3))
        standing.stint(session, of(session, 4).id, volunteer)
        leaving = standing.stint(session, of(session, 5).id, volunteer)
        standing.relay(session, leaving, by, today + timedelta(days=20))


def test_everybody_stands_in_one_state_and_whoever_needs_somebody_first_stands_first(
    database: Database, six: None, specialist: Chat
) -> None:
    viewer = specialist.person().id
    with database.read() as session:
        found = household.of(session, viewer, households.keys(session, viewer, Wanted()))
        assert tuple(line.state for line in found) == STATES
        assert [line.id for line in found] == ids(session, 1, 5, 0, 2, 3, 4)
        count = households.counts(session, viewer)[COUNTY]
    assert count.states == Counter(dict.fromkeys(STATES, 1))
    assert (count.people, count.soon) == (6, 2)


def test_a_line_says_what_is_due_first_and_why_somebody_waits(
    database: Database, six: None, specialist: Chat, clock: StoppedClock
) -> None:
    viewer, today = specialist.person().id, clock.now().date()
    with database.read() as session:
        lines = household.of(session, viewer, ids(session, 0, 1, 2, 3, 4, 5))
    _consent, nobody, asked, agreeing, paired, leaving = lines
    assert [line.due_what for line in lines] == ["", "", "", "meeting", "term", "last_day"]
    assert leaving.due == leaving.last_day == today + timedelta(days=20)
    assert paired.due == today + timedelta(days=365)
    assert agreeing.meets_at == clock.now() + timedelta(days=3)
    assert asked.asked_until == clock.now() + timedelta(hours=48)
    assert (leaving.departing, paired.departing, leaving.successor) == (True, False, False)
    assert (paired.contact is not None, nobody.contact) == (True, None)
    assert (paired.activities, nobody.activities) == (12, None)


def test_the_last_answer_and_the_last_search_are_told(
    database: Database, six: None, specialist: Chat, alin: Chat
) -> None:
    with database.write() as session:
        [nobody] = ids(session, 1)
        earlier = now_of(session) - timedelta(days=2)
        standing.offer(session, nobody, alin.person().id, "withdrawn", made_at=earlier)
        standing.offer(session, nobody, alin.person().id, "declined", reason="far")
        standing.search(session, nobody, None)
        line = household.one_of(session, specialist.person().id, nobody)
    assert line is not None
    assert (line.state, line.declined, line.unmatched) == ("nobody", True, True)


def test_several_invitations_of_a_round_make_one_line(
    database: Database, six: None, specialist: Chat, alin: Chat
) -> None:
    with database.write() as session:
        [asked] = ids(session, 2)
        later = now_of(session) + timedelta(days=9)
        standing.offer(session, asked, specialist.person().id, "later", holds_until=later)
        standing.offer(session, asked, third(session), holds_until=later)
        found = household.of(session, MACHINE, [asked])
        assert len(households.keys(session, MACHINE, Wanted())) == 6
    assert [line.asked_until for line in found] == [later]


def third(session: Session) -> str:
    _door, somebody = open_door(session, "wechat", "test", "third", "zh_CN", zone="Asia/Shanghai")
    return somebody.id


def test_the_filters_choose_by_state_town_day_and_who_answers(
    database: Database, specialist: Chat, alin: Chat, six: None
) -> None:
    brought(database, [person(number, 乡镇街道="员村街道" if number == 4 else "五山街道") for number in range(6)])
    viewer = specialist.person().id
    with database.read() as session:

        def keys(**chosen: Any) -> list[str]:
            return households.keys(session, viewer, Wanted(COUNTY, **chosen))

        assert keys(state="asked") == ids(session, 2)
        assert keys(town="员村街道") == ids(session, 4)
        assert keys(soon=True) == ids(session, 3, 5), "what is due first stands first"
        assert set(keys(whom=alin.person().id)) == set(ids(session, 4, 5))
        assert set(keys(whom=viewer)) == set(ids(session, 0, 1, 2, 3))
        assert keys(state="paired", whom=viewer) == []
        assert households.towns(session, viewer, COUNTY) == {"五山街道": 5, "员村街道": 1}


def test_nobody_sees_beyond_their_own_scope(database: Database, six: None, alin: Chat) -> None:
    other = Chat(database, "other")
    follow(other)
    grant(database, other, "organiser", OTHER)
    with database.read() as session:
        for stranger in (other.person().id, alin.person().id):
            assert households.counts(session, stranger) == {}
            assert households.keys(session, stranger, Wanted(COUNTY)) == []
            assert household.of(session, stranger, ids(session, 0, 4)) == []
            assert household.one_of(session, stranger, ids(session, 4)[0]) is None
            with pytest.raises(BeneficiaryError):
                names_of(session, ids(session, 4), stranger, why="test")


@pytest.mark.parametrize(("scope", "seen"), [("44", 3), ("4401", 3), (COUNTY, 2), (OTHER, 1), ("45", 0)])
def test_an_organiser_counts_what_lies_in_the_scope(database: Database, scope: str, seen: int) -> None:
    brought(database, people(2))
    brought(database, people(1, 2), OTHER)
    boss = Chat(database, "boss")
    follow(boss)
    grant(database, boss, "organiser", scope)
    with database.read() as session:
        found = households.counts(session, boss.person().id)
        assert sum(count.people for count in found.values()) == seen
        assert len(households.keys(session, boss.person().id, Wanted())) == seen
        assert len(households.keys(session, boss.person().id, Wanted(OTHER))) == int(seen in (3, 1))


def test_who_died_moved_or_was_merged_away_is_on_no_list(database: Database, six: None) -> None:
    with database.write() as session:
        gone = [of(session, number) for number in (0, 1, 2)]
        gone[0].status, gone[1].status = "died", "moved"
        gone[2].merged_into = of(session, 3).id
        session.add_all(gone)
        session.flush()
        assert set(households.keys(session, MACHINE, Wanted())) == set(ids(session, 3, 4, 5))
        assert household.of(session, MACHINE, [one.id for one in gone]) == []


def test_a_page_takes_few_statements_however_many_people_stand_on_it(database: Database) -> None:
    brought(database, people(40))

    def statements(count: int) -> int:
        seen = list[str]()
        with database.read() as session:
            listen = lambda *args: seen.append(args[2])  # noqa: E731
            event.listen(session.get_bind(), "before_cursor_execute", listen)
            keys = households.keys(session, MACHINE, Wanted(COUNTY))
            household.of(session, MACHINE, keys[:count])
            event.remove(session.get_bind(), "before_cursor_execute", listen)
        assert not any("record_sealed" in sql for sql in seen), "no sealed record is read for a list"
        return len(seen)

    assert statements(5) == statements(40) <= 16  # one of them: who is on leave today


def test_names_are_noted_for_minors_alone_and_all_at_once(database: Database, specialist: Chat) -> None:
    grown = person(1, 出生日期="1980-05-06", 残疾人证号=id_number(1, date(1980, 5, 6)) + "42")
    brought(database, [person(0), grown, person(2)])
    with database.write() as session:
        keys = households.keys(session, MACHINE, Wanted())
        names = names_of(session, keys, specialist.person().id, why="test")
        assert set(names.values()) == {person(0)["姓名"], grown["姓名"], person(2)["姓名"]}
        session.flush()
        looks = session.exec(select(AuditEntry).where(AuditEntry.action == "beneficiary.read")).all()
    assert {look.subject for look in looks} == {key for key in keys if names[key] != grown["姓名"]}
    assert {(look.actor, look.details["why"]) for look in looks} == {(specialist.person().id, "test")}


# --- who answers: the same as the rule for one person ---

PEOPLE = ("near", "boss", "far", "lost", "v1", "v2", "v3")
one_person = st.fixed_dictionaries(
    {
        "lead": st.sampled_from([None, "v1", "v2", "near", "team", "team of v3", "empty team"]),
        "substitute": st.sampled_from([None, None, "v1", "v3"]),
        "keeper": st.sampled_from([None, "near", "far", "lost", "boss", "v1"]),
        "agreeing": st.booleans(),
        "county": st.sampled_from([COUNTY, OTHER]),
        "ended": st.booleans(),
    }
)


@pytest.fixture
def two_counties(database: Database) -> None:
    brought(database, people(4))
    brought(database, people(4, 10), OTHER)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plans=st.lists(one_person, min_size=1, max_size=4), blocked=st.sets(st.sampled_from(PEOPLE)))
def test_who_answers_is_the_same_as_for_one_person_alone(
    database: Database, two_counties: None, plans: list[dict[str, Any]], blocked: set[str]
) -> None:
    with database.write() as session:
        who = _cast(session, blocked)
        served = []
        for number, plan in enumerate(plans):
            somebody = of(session, number if plan["county"] == COUNTY else number + 10)
            _stand(session, somebody.id, plan, who)
            served.append(somebody)
        found = {line.id: line for line in household.of(session, MACHINE, [one.id for one in served])}
        for somebody in served:
            one = responsible_today(session, somebody)
            line = found[somebody.id]
            assert (line.kind, tuple(each.person_id for each in line.people)) == (one.kind, one.people)
            if line.stint is not None and one.stint is not None and one.kind != "substitute":
                assert line.stint == one.stint.id
            assert all(each.reached == (_name(who, each.person_id) not in blocked) for each in line.people)
        everybody = session.exec(select(Beneficiary).where(Beneficiary.status == "listed")).all()
        for viewer in who.values():
            mine = {one.id for one in everybody if viewer in responsible_today(session, one).people}
            assert set(households.keys(session, MACHINE, Wanted(whom=viewer))) == mine
        session.rollback()  # the next example begins anew


def _name(who: dict[str, str], person_id: str) -> str:
    return next(name for name, other in who.items() if other == person_id)


def _cast(session: Session, blocked: set[str]) -> dict[str, str]:
    """People with their roles: a specialist of one county, one of the other, one who lost the role, an organiser."""
    who = {}
    now = now_of(session)
    for name in PEOPLE:
        door, somebody = open_door(session, "wechat", "test", name, "zh_CN", zone="Asia/Shanghai")
        if name in blocked:
            session.get_one(Door, door.id).blocked_at = now
        who[name] = somebody.id
    for name, role, scope, ended in (
        ("near", "specialist", COUNTY, None),
        ("far", "specialist", OTHER, None),
        ("lost", "specialist", COUNTY, now),
        ("boss", "organiser", "4401", None),
    ):
        usual = {"scope_kind": "region", "granted_by": "machine", "granted_at": now}
        session.add(RoleGrant(person_id=who[name], role=role, scope=scope, ended_at=ended, **usual))
    session.flush()
    return who


def _stand(session: Session, about: str, plan: dict[str, Any], who: dict[str, str]) -> None:
    lead = plan["lead"]
    if plan["ended"]:
        now = now_of(session)
        standing.stint(session, about, who["v1"], "ended", opened_at=now, ended_at=now, ended_why="term")
    if lead is not None and "team" in lead:
        team = Team(number=about, name="暖阳队", region=COUNTY, capacity=9, made_by="machine", made_at=now_of(session))
        session.add(team)
        session.flush()
        for name in ("v2", "v3") if lead != "empty team" else ():
            member = {"team_id": team.id, "added_by": "machine", "joined_at": now_of(session)}
            session.add(TeamMember(person_id=who[name], part="leader" if name == "v3" else "member", **member))
        session.flush()
        pairing = standing.stint(session, about, who["v3"] if lead == "team of v3" else None, team_id=team.id)
    elif lead is not None:
        pairing = standing.stint(session, about, who[lead])
    if lead is not None and plan["substitute"] is not None:
        standing.stint(session, about, who[plan["substitute"]], part="substitute", follows_id=pairing.id)
    if plan["keeper"] is not None:
        standing.keeping(session, about, who[plan["keeper"]])
    if plan["agreeing"]:
        standing.stint(session, about, who["v2"], "agreeing")


# --- what is done from a line ---


def kinds(database: Database) -> Counter[str]:
    with database.read() as session:
        return Counter(session.exec(select(OutboxMessage.kind).where(col(OutboxMessage.kind).like("notice.nudge%"))))


def test_a_reminder_goes_to_whoever_serves_once_a_day(
    database: Database, six: None, specialist: Chat, alin: Chat, clock: StoppedClock
) -> None:
    by = specialist.person().id
    with database.write() as session:
        [about] = ids(session, 4)
        assert nudge(session, about, by) == 1
        with pytest.raises(HouseholdError, match="today"):
            nudge(session, about, by)
    assert [(one.sender, one.kind) for one in deliver(database, alin)] == [("alin", "notice.nudge")]
    assert alin.labels() == ["最近去过", "准备去", "有困难"]
    clock.pass_time(timedelta(days=1))
    with database.write() as session:
        assert nudge(session, about, by) == 1


@pytest.mark.parametrize(("number", "reason"), [(0, "nobody"), (1, "nobody"), (2, "nobody"), (3, "nobody")])
def test_where_no_volunteer_serves_nobody_is_reminded(
    database: Database, six: None, specialist: Chat, number: int, reason: str
) -> None:
    with database.write() as session, pytest.raises(HouseholdError, match=reason):
        nudge(session, ids(session, number)[0], specialist.person().id)
    assert not kinds(database)


def test_a_stranger_reminds_nobody_and_takes_nobody(database: Database, six: None, alin: Chat) -> None:
    with database.write() as session:
        for act, number in ((nudge, 4), (take, 1)):
            with pytest.raises(HouseholdError, match="scope"):
                act(session, ids(session, number)[0], alin.person().id)


def test_the_answer_goes_to_whoever_asked_and_a_bare_received_is_none(
    database: Database, six: None, specialist: Chat, alin: Chat
) -> None:
    with database.write() as session:
        nudge(session, ids(session, 4)[0], specialist.person().id)
    deliver(database, alin)
    before = alin.said
    assert "告诉专员" not in alin.say("收到")
    assert kinds(database)["notice.nudge_answer"] == 0
    assert "已经告诉专员" in alin.act("choice", choice=before.options[1].id)
    (told,) = [one for one in deliver(database) if one.kind == "notice.nudge_answer"]
    assert (told.sender, "准备去" in told.text) == ("specialist", True)


def test_a_reminder_that_is_no_longer_true_is_not_sent(database: Database, six: None, specialist: Chat) -> None:
    with database.write() as session:
        about = of(session, 4)
        nudge(session, about.id, specialist.person().id)
        about.status = "died"
        session.add(about)
    assert [one.text for one in deliver(database) if one.kind == "notice.nudge"] == [""]


def test_an_answer_of_somebody_who_serves_no_more_tells_nobody(
    database: Database, six: None, specialist: Chat, alin: Chat
) -> None:
    with database.write() as session, pytest.raises(HouseholdError, match="gone"):
        answer(session, ids(session, 1)[0], alin.person().id, specialist.person().id, "been")
    assert not kinds(database)


def test_whoever_takes_somebody_answers_for_them_by_name(database: Database, six: None, specialist: Chat) -> None:
    boss = Chat(database, "boss")
    follow(boss)
    grant(database, boss, "organiser", "44")
    with database.write() as session:
        about = of(session, 1)
        assert take(session, about.id, boss.person().id)
        assert not take(session, about.id, boss.person().id), "it was so already"
        kept = keeping_of(session, about.id)
        assert kept is not None and kept.person_id == boss.person().id
        line = household.one_of(session, specialist.person().id, about.id)
        assert line is not None
        assert (line.kind, line.people[0].person_id) == ("keeper", boss.person().id)
        with pytest.raises(HouseholdError, match="paired"):
            take(session, ids(session, 4)[0], boss.person().id)


def test_a_volunteer_whom_nothing_reaches_is_seen_as_such(
    database: Database, six: None, specialist: Chat, alin: Chat
) -> None:
    alin_id = alin.person().id
    unfollow(database, alin)
    with database.read() as session:
        lines = household.of(session, specialist.person().id, ids(session, 4, 1))
        assert [line.unreachable for line in lines] == [True, False]
        assert lines[0].people[0].person_id == alin_id
        number = session.exec(select(Volunteer.number).where(Volunteer.person_id == alin_id)).one()
        assert lines[0].people[0].number == number
    specialist.say("一户不落")
    specialist.press("有人结对：1 人")
    assert "消息送不到" in specialist.labels()[0]
    assert "请打电话" in specialist.press(specialist.labels()[0])


# --- in the chat ---


def test_a_card_is_shown_to_nobody_who_lost_the_role(database: Database, six: None, specialist: Chat) -> None:
    specialist.say("一户不落")
    specialist.press("有人结对：1 人")
    end_role(database, specialist)
    assert "负责的同事用的" in specialist.press(specialist.labels()[0])


def test_pressing_an_old_button_of_somebody_who_has_gone_says_so(
    database: Database, six: None, specialist: Chat
) -> None:
    specialist.say("一户不落")
    specialist.press("家里同意了，还没有人：1 人")
    with database.write() as session:
        gone = of(session, 1)
        gone.status = "moved"
        session.add(gone)
    assert "不在台账里了" in specialist.press(specialist.labels()[0])


def test_no_name_of_anybody_goes_to_telegram(database: Database, six: None) -> None:
    reader = Chat(database, "2001", "telegram")
    follow(reader)
    grant(database, reader, "specialist", COUNTY)
    reader.say("一户不落")
    reader.press("全部：6 人")
    said = [reader.said.text, *reader.labels()]
    said.append(reader.press(reader.labels()[0]))
    assert not any("测甲" in words or "街道" in words for words in said)
    with database.read() as session:
        assert not session.exec(select(AuditEntry).where(AuditEntry.action == "beneficiary.read")).all()


def test_somebody_is_replaced_and_the_line_says_that_the_volunteer_leaves(
    database: Database, six: None, specialist: Chat
) -> None:
    specialist.say("一户不落")
    specialist.press("有人结对：1 人")
    specialist.press(specialist.labels()[0])
    specialist.press("换人")
    specialist.press("30 天后")
    assert "开始换人" in specialist.press("确定换人")
    with database.read() as session:
        line = household.one_of(session, MACHINE, ids(session, 4)[0])
    assert line is not None
    assert (line.state, line.departing) == ("relay", True)
