"""Many second tries beside few first ones: who is written to for the first time need not wait for all of those."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text

from bot.sending_line import Limits
from models.outbox import REMINDER, REPLY
from tests.conftest import StoppedClock
from tests.office import TELEGRAM, WECHAT, Office
from tests.office import office as office
from tests.test_deliver_engine import until, working

IN_DOUBT = 60


def in_doubt(office: Office, clock: StoppedClock, priority: int) -> None:
    """Sixty people whose calls ended in doubt, due before anything else."""
    for number in range(IN_DOUBT):
        office.put(office.person(f"ill{number}"), f"疑{number}", priority=priority)
    with office.database.write() as session:
        put_back = text("UPDATE outbox SET resends = 1, not_before = :now, put_back_at = :now")
        session.execute(put_back, {"now": clock.machine()})
    clock.pass_time(timedelta(seconds=1))


@pytest.mark.parametrize("priority", [REPLY, REMINDER])
async def test_first_tries_pass_most_of_the_second_ones(office: Office, clock: StoppedClock, priority: int) -> None:
    in_doubt(office, clock, priority)
    for number in range(4):
        office.put(office.person(f"well{number}"), f"新{number}", priority=priority)
    worker = office.worker("slow", {WECHAT: Limits(at_once=8)})
    await office.work(worker)
    fresh = [words for words in office.wechat.texts[:8] if words.startswith("新")]
    assert sorted(fresh) == ["新0", "新1", "新2", "新3"], "they are among the first eight"
    assert len(office.wechat.texts) == IN_DOUBT + 4


async def test_second_tries_have_a_share_however_many_first_ones_there_are(office: Office, clock: StoppedClock) -> None:
    in_doubt(office, clock, REPLY)
    for number in range(40):
        office.put(office.person(f"well{number}"), f"新{number}")
    worker = office.worker("slow", {WECHAT: Limits(at_once=8)})
    await office.work(worker)
    again = [words for words in office.wechat.texts[:40] if "疑" in words]
    assert 5 <= len(again) <= 12 and len(office.wechat.texts) == IN_DOUBT + 40


async def test_what_was_claimed_first_goes_first_though_second_tries_were_due_before(
    office: Office, clock: StoppedClock
) -> None:
    in_doubt(office, clock, REPLY)
    office.put(office.person("well"), "新")
    async with working(office.worker("paced", {WECHAT: Limits(a_second=40), TELEGRAM: Limits()})):
        await until(lambda: "新" in office.wechat.texts)
    assert len(office.wechat.texts) < IN_DOUBT // 2, "the next claims bring more second tries all the while"


async def test_second_tries_alone_have_all_places(office: Office, clock: StoppedClock) -> None:
    in_doubt(office, clock, REPLY)
    worker = office.worker("slow", {WECHAT: Limits(at_once=8)})
    await worker.once()
    assert len(office.wechat.texts) == 8
