"""A cry for help goes on to wider scopes until somebody has it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from models.alert import CannotClose, close_alert, open_alerts
from models.database import Database
from models.outbox import end, hold, put_back
from models.person import doors
from scheduler import jobs
from tests.chatting import Chat
from tests.conftest import StoppedClock
from tests.outgoing import ACCOUNTS, claim, deliver
from tests.people import end_role, follow, grant, unfollow
from tests.test_on_duty import TAKE
from tests.test_safeguarding import alin as alin


def end_role_in_the_county(database: Database, chat: Chat) -> None:
    """They keep a role in a team."""
    end_role(database, chat)
    grant(database, chat, "organiser", "sun", kind="team")


@pytest.mark.parametrize("registered", [True, False])
def test_whoever_holds_a_role_in_a_team_only_reads_no_cry_for_help_and_it_goes_on_by_itself(
    alin: Chat, database: Database, registered: bool
) -> None:
    near, boss = Chat(database, "near"), Chat(database, "boss")
    for chat, scope in ((near, "44"), (boss, "4401")):
        follow(chat)
        grant(database, chat, "organiser", scope)
    if registered:
        alin.register()
        near, boss = boss, near
    alin.say("救命，他打我")
    end_role_in_the_county(database, near)
    assert [(one.sender, one.text) for one in deliver(database)] == [(near.sender, "")]
    assert jobs.hand_over(database) == 1
    (sent,) = deliver(database)
    assert sent.sender == boss.sender
    assert "救命，他打我" in sent.text
    with database.write() as session, pytest.raises(CannotClose, match="not_yours"):
        close_alert(session, open_alerts(session)[0].id, near.person().id, "都好")


@pytest.fixture
def ladder(database: Database) -> dict[str, Chat]:
    """One after the other farther away from the county."""
    made = {}
    for sender, role, scope in (
        ("specialist", "specialist", "440106"),
        ("county", "organiser", "440106"),
        ("city", "organiser", "4401"),
        ("province", "organiser", "44"),
    ):
        made[sender] = Chat(database, sender)
        follow(made[sender])
        grant(database, made[sender], role, scope)
    return made


def leave_waiting(database: Database, state: str) -> list[str]:
    """What would be sent now comes to this; returns to whom it was to go."""
    with database.write() as session:
        rows = claim(session, "test", ACCOUNTS, 10)
        for row in rows:
            if state == "held":
                assert hold(session, row.id, "test", "window")
            elif state == "waiting":
                assert put_back(session, row.id, "test", 86_400, "stopped 40164")
            elif state != "sending":
                assert end(session, row.id, "test", state, "")
        return [door.sender for row in rows for door in doors(session, row.person_id)]


@pytest.mark.parametrize("state", ["held", "uncertain", "waiting", "sending"])
def test_a_cry_for_help_that_only_waits_goes_to_the_next_wider_scope_after_five_minutes(
    alin: Chat, database: Database, clock: StoppedClock, ladder: dict[str, Chat], state: str
) -> None:
    alin.register()
    alin.say("救命")
    for sender in ladder:
        assert leave_waiting(database, state) == [sender]
        clock.pass_time(timedelta(minutes=4))
        assert jobs.hand_over(database) == 0, "there is still time"
        clock.pass_time(timedelta(minutes=1))
        assert jobs.hand_over(database) == (0 if sender == "province" else 1)
    for _time in range(3):
        clock.pass_time(timedelta(minutes=10))
        assert jobs.hand_over(database) == 0, "nobody is told twice"


def test_whoever_answers_for_two_scopes_is_told_once_and_the_next_one_at_once(
    alin: Chat, database: Database, clock: StoppedClock
) -> None:
    both, city = Chat(database, "both"), Chat(database, "city")
    for chat in (both, city):
        follow(chat)
    for chat, role, scope in (
        (both, "specialist", "440106"),
        (both, "organiser", "440106"),
        (both, "organiser", "4401"),
        (city, "organiser", "4401"),
    ):
        grant(database, chat, role, scope)
    alin.register()
    alin.say("救命")
    assert leave_waiting(database, "held") == ["both"]
    clock.pass_time(timedelta(minutes=5))
    assert jobs.hand_over(database) == 1
    assert leave_waiting(database, "held") == ["city"]


def test_a_cry_for_help_stays_with_whoever_has_it_in_a_wider_scope(
    alin: Chat, database: Database, clock: StoppedClock, ladder: dict[str, Chat]
) -> None:
    alin.register()
    alin.say("救命")
    leave_waiting(database, "held")
    clock.pass_time(timedelta(minutes=5))
    assert jobs.hand_over(database) == 1
    assert [one.sender for one in deliver(database)] == ["county"]
    clock.pass_time(timedelta(minutes=60))
    assert jobs.hand_over(database) == 0
    ladder["specialist"].say("菜单")
    assert [one.sender for one in deliver(database)] == ["specialist"], "what was held still comes"


def test_whoever_heard_of_a_cry_for_help_in_a_wider_scope_hears_of_what_is_added(
    alin: Chat, database: Database, clock: StoppedClock, ladder: dict[str, Chat]
) -> None:
    alin.register()
    alin.say("救命")
    leave_waiting(database, "held")
    clock.pass_time(timedelta(minutes=5))
    jobs.hand_over(database)
    deliver(database)
    alin.say("救命，在后门")
    assert ["在后门" in one.text for one in deliver(database) if one.sender == "county"] == [True]


# Whoever had it has gone


def goes(database: Database, chat: Chat, how: str) -> None:
    """They lose the role, or leave."""
    if how == "role":
        end_role_in_the_county(database, chat)
    else:
        unfollow(database, chat)


@pytest.mark.parametrize("how", ["role", "unfollows"])
def test_everybody_who_heard_of_it_hears_once_that_whoever_had_it_has_gone(
    alin: Chat, database: Database, clock: StoppedClock, ladder: dict[str, Chat], how: str
) -> None:
    specialist, county, city = ladder["specialist"], ladder["county"], ladder["city"]
    city.say("称呼", "陈姐")
    alin.register()
    alin.say("救命")
    for _step in range(2):
        leave_waiting(database, "held")
        clock.pass_time(timedelta(minutes=5))
        jobs.hand_over(database)
    assert [one.sender for one in deliver(database, city)] == ["city"]
    for chat in (specialist, county):
        chat.say("菜单")
    deliver(database, county)
    notice = county.said
    city.press(TAKE)
    assert {one.sender for one in deliver(database)} == {"specialist", "county", "alin"}
    assert "陈姐已经接下" in county.press(TAKE)
    goes(database, city, how)
    assert jobs.hand_over(database) == 1
    told = deliver(database, specialist)
    assert {one.sender for one in told} == {"specialist", "county"}
    assert all("现在没有人处理，请马上接手" in one.text for one in told)
    assert jobs.hand_over(database) == 0, "once"
    county.said = notice
    assert "由你处理" in county.press(TAKE), "the button that was pressed before counts again"
    assert "已经接下" in specialist.press(TAKE)


def test_where_nobody_reads_that_whoever_had_it_has_gone_it_goes_to_the_next_wider_scope(
    alin: Chat, database: Database, clock: StoppedClock, ladder: dict[str, Chat]
) -> None:
    alin.register()
    alin.say("救命")
    deliver(database, ladder["specialist"])
    ladder["specialist"].press(TAKE)
    assert [one.sender for one in deliver(database)] == ["alin"]
    unfollow(database, ladder["specialist"])
    for sender in ("county", "city", "province"):
        assert jobs.hand_over(database) == 1
        assert leave_waiting(database, "held") == [sender]
        clock.pass_time(timedelta(minutes=5))
    assert jobs.hand_over(database) == 0
    ladder["city"].say("菜单")
    deliver(database, ladder["city"])
    ladder["city"].press(TAKE)
    deliver(database)
    unfollow(database, ladder["city"])
    assert jobs.hand_over(database) == 1, "the next one has gone, too"
    assert {one.sender for one in deliver(database)} == {"county", "province"}
