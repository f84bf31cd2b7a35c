"""Two processes, each with the lease of one account: an emergency takes the way that is best, whoever has it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import combinations, product
from math import inf

from sqlmodel import select

from bot.deliver import Deliverer
from bot.platforms.base import Outcome
from bot.sending_books import chat_pause
from bot.sending_choice import View, choose
from bot.sending_line import Way
from models import lease
from models.calls import to_call
from models.claiming import Claimed
from models.outbox import EMERGENCY
from models.person import Door
from tests.conftest import START, StoppedClock
from tests.office import TELEGRAM, WECHAT, Office
from tests.office import office as office
from tests.test_deliver_channels import LATER, put, row
from tests.test_deliver_channels import laddered as laddered


def split(office: Office) -> tuple[Deliverer, Deliverer]:
    """The first leaves Telegram to the second, which leaves WeChat to the first."""
    first, second = office.deliverer, office.worker("two")
    first._leases._back_until[TELEGRAM] = second._leases._back_until[WECHAT] = inf
    return first, second


async def rounds(office: Office, clock: StoppedClock, workers: tuple[Deliverer, Deliverer], times: int = 3) -> None:
    for _time in range(times):
        clock.pass_time(timedelta(seconds=10))
        for worker in workers * 2:  # twice, so that each sees what the other has
            await worker._renew()
        for worker in workers:
            await office.work(worker)


async def test_the_words_go_by_the_other_process_before_a_card_by_this_one(office: Office, clock: StoppedClock) -> None:
    workers = split(office)
    person = office.person("alin")
    office.older_door(person)
    clock.pass_time(LATER)
    await rounds(office, clock, workers, 1)
    put(office, person, priority=EMERGENCY)
    await rounds(office, clock, workers)
    assert (office.wechat.sent == [], len(office.telegram.sent)) == (True, 1) and row(office)[0] == "sent"


async def test_what_is_in_doubt_at_one_process_is_tried_at_the_other(office: Office, clock: StoppedClock) -> None:
    workers = split(office)
    person = office.person("alin", TELEGRAM)
    await rounds(office, clock, workers, 1)
    office.wechat.outcomes = office.telegram.outcomes = [Outcome("uncertain", "timeout")]
    put(office, person, priority=EMERGENCY)
    await rounds(office, clock, workers)
    assert len(office.wechat.sent) == len(office.telegram.sent) == 1


async def test_whoever_has_seen_but_the_card_of_a_cry_is_on_the_list_after_five_minutes(
    office: Office, clock: StoppedClock
) -> None:
    person = office.person()
    clock.pass_time(LATER)
    put(office, person, priority=EMERGENCY)
    await rounds(office, clock, (office.deliverer, office.worker("two")), 1)
    assert row(office) == ("held", "card")
    listed = []
    for _time in range(2):
        with office.database.read() as session:
            listed.append(len(to_call(session)))
        clock.pass_time(timedelta(minutes=6))
    assert listed == [0, 1]


async def test_a_cry_does_not_wait_for_the_end_of_a_pause_where_another_process_has_an_open_door(
    office: Office, clock: StoppedClock
) -> None:
    workers = split(office)
    person = office.person("alin", TELEGRAM)
    with office.database.write() as session:
        door = session.exec(select(Door).where(Door.platform == "telegram")).one()
        lease.pause(session, chat_pause(door.id), 300)
    put(office, person, priority=EMERGENCY)
    await rounds(office, clock, workers, 2)
    assert len(office.wechat.sent) == 1 and office.telegram.sent == []


def test_two_processes_never_send_a_cry_to_and_fro(office: Office) -> None:
    """Whatever is busy in each of them, one of the two takes it or waits for its own door."""
    accounts = [("wechat", "a"), ("wechat", "b"), ("telegram", "c")]
    ways = [Way(Door(id=name, person_id="p", platform=kind, account=name, sender=name)) for kind, name in accounts]
    cry = Claimed("m", "m", "p", None, "notice", b"", EMERGENCY, START, None, 0)

    def view(mine: set[str], busy: set[str], paused: set[str]) -> View:
        own = {account for account in accounts if account[1] in mine}
        return View({}, own, set(accounts) - own, (), busy, {}, dict.fromkeys(paused, START))

    sets = [set(some) for number in range(4) for some in combinations("abc", number)]
    for resends, paused, busy_one, busy_two in product(range(4), sets, sets, sets):
        row = replace(cry, resends=resends)
        first = choose(row, ways, view({"a", "b"}, busy_one, paused))
        second = choose(row, ways, view({"c"}, busy_two, paused))
        assert first is not None and second is not None
        assert not (first.account[1] == "c" and second.account[1] != "c"), (resends, paused, busy_one, busy_two)
