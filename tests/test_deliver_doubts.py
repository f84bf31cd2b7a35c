"""Answers of which nobody knew whether they came, once more is known; and calls that were written down by mistake."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlmodel import select

from bot.platforms.base import Outcome
from models import claiming, outbox
from models.calls import to_call
from models.database import Database
from models.outbox import OutboxMessage
from tests.chatting import Chat
from tests.conftest import StoppedClock
from tests.office import Office
from tests.test_answer_in_doubt import alin as alin
from tests.test_answer_in_doubt import doubted, go_on, of_kind
from tests.test_answer_in_doubt import office as office
from tests.test_answer_in_doubt import specialist as specialist


async def test_what_is_known_at_last_to_have_arrived_is_not_offered_again(
    database: Database, office: Office, alin: Chat, specialist: Chat, clock: StoppedClock
) -> None:
    specialist.press("回复")
    specialist.say("去，周六早上")
    with database.write() as session:
        (message,) = session.exec(select(OutboxMessage).where(OutboxMessage.kind == "notice.contact_answer")).all()
        message.state, message.claimed_by, message.deadline, message.resends = "sending", "one", clock.machine(), 1
    clock.pass_time(timedelta(seconds=20))
    with database.write() as session:
        claiming.sweep(session)
    assert [each.state for each in of_kind(database, "notice.contact_answer")] == ["uncertain", "held"]
    with database.write() as session:
        claiming.sent(session, [message.id], "one", resent=[message.id])
    assert [each.state for each in of_kind(database, "notice.contact_answer")] == ["sent", "withdrawn"]
    with database.read() as session:
        assert to_call(session) == []


async def test_an_answer_in_doubt_is_offered_to_who_its_person_has_become(
    database: Database, office: Office, alin: Chat, specialist: Chat, clock: StoppedClock
) -> None:
    specialist.press("回复")
    office.wechat.outcomes = [Outcome("uncertain", "http502")]
    specialist.say("去，周六早上")
    await office.work()
    other = Chat(database, "alin2", "telegram")
    other.say("你好")

    def merge() -> None:
        with database.write() as session:
            outbox.readdress(session, alin.person().id, other.person().id)

    office.wechat.before, office.wechat.outcomes = merge, [Outcome("uncertain", "http502")]
    await go_on(office, clock)
    found = of_kind(database, "notice.contact_answer")
    assert [(each.state, each.person_id) for each in found] == [
        ("uncertain", other.person().id),
        ("held", other.person().id),
    ]


async def test_a_call_is_undone_on_a_clock_that_goes(
    database: Database, office: Office, alin: Chat, specialist: Chat, clock: StoppedClock
) -> None:
    await doubted(office, clock, specialist)
    ahead = clock.at - datetime.now(UTC)
    clock.machine = lambda: datetime.now(UTC) + ahead
    specialist.say("要打电话的人")
    specialist.say("1")
    specialist.press("打过了")
    specialist.press("打通了，都说到了")
    assert "改回来了" in specialist.press("按错了，还没说到")
