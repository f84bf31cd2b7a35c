"""The jobs that the first talks need. Each is set-based, does a bounded slice a transaction, and may run twice or late.

No write transaction holds its lock for longer than 250 ms (architecture.md §9), however much a pause has left to do:
sizes of slices are such that they stay below 100 ms on a small machine, with the lock free between them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from weakref import WeakKeyDictionary

import structlog
from sqlmodel import Session

from config.catalogue import rules
from models import (
    agreement,
    calls_undone,
    claiming,
    code,
    conversation,
    duty_days,
    duty_leaves,
    duty_list,
    duty_mail,
    erasure,
    family_doors,
    forgotten,
    guardian,
    handover,
    hours_cases,
    hours_told,
    inbox,
    keepings,
    lease,
    ledger_import,
    ledger_questions,
    ledger_undo,
    lone_timing,
    offering,
    outbox,
    page,
    proposing,
    qualifying,
    recognition,
    relay_days,
    relaying_asked,
    resting,
    roster_batch,
    silence,
    substituting,
    turn_acts,
    visit_reminders,
    visiting,
    visits_owed,
    volunteer_gone,
)
from models.database import Database, DatabaseAway
from models.ids import new_id
from models.ledger_batch import LEDGER, TAKING, LedgerBatch

log = structlog.get_logger(__name__)

Job = Callable[[Database], int]
_ROWS = 500  # of a statement that goes through them all
_PLANNED = 1_000  # pairings looked at when a half is planned, in one statement
_REMINDED = 1_000  # visits whose reminders are written at once
_LOOKED_AT = 10  # in one transaction, where each is looked at by itself and others are written for it
_PAUSE = 0.02  # seconds between two slices: whoever waits for the lock gets it

# How far the look for what nobody has came: each run goes on behind the last one.
_handover_places: WeakKeyDictionary[Database, handover.Places] = WeakKeyDictionary()


def _in_slices(database: Database, size: int, work: Callable[[Session, int], int]) -> int:
    """Until nothing is left that is due; `work` does at most as many as it is told and returns how many."""
    done = 0
    while True:
        with database.write() as session:
            some = work(session, size)
        done += some
        if some < size:
            return done
        time.sleep(_PAUSE)


def _one_by_one(
    database: Database, find: Callable[[Session], list[str]], work: Callable[[Session, Sequence[str]], int]
) -> int:
    """What may be due is found without a lock, and then decided few at a time. One that cannot be decided is logged
    and stays due; it keeps nobody else's from being done."""
    with database.read() as session:
        ids = find(session)
    done = 0
    for at in range(0, len(ids), _LOOKED_AT):
        if at:
            time.sleep(_PAUSE)
        done += _decided(database, ids[at : at + _LOOKED_AT], work)
    return done


def _decided(database: Database, ids: Sequence[str], work: Callable[[Session, Sequence[str]], int]) -> int:
    try:
        with database.write() as session:
            return work(session, ids)
    except DatabaseAway:
        raise
    except Exception:
        if len(ids) == 1:
            log.exception("job_row_failed", row=ids[0])
            return 0
    return sum(_decided(database, [one], work) for one in ids)


def _forget(database: Database, days: int, forget: Callable[[Session, timedelta, int], int]) -> int:
    return _in_slices(database, _ROWS, lambda session, size: forget(session, timedelta(days=days), size))


def sweep_claims(database: Database) -> int:
    """Rows whose sender died while calling."""
    return _in_slices(database, _ROWS, claiming.sweep)


def expire_messages(database: Database) -> int:
    """Outgoing messages that are too old to send."""
    return _in_slices(database, _ROWS, outbox.expire)


def forget_raw_messages(database: Database) -> int:
    """Retention of raw messages (rules.toml, messages.retention_days)."""
    return _forget(database, rules().messages.retention_days, inbox.forget_old)


def forget_abandoned_talks(database: Database) -> int:
    """Answers of talks that nobody came back to (rules.toml, messages.talk_retention_days)."""
    return _forget(database, rules().messages.talk_retention_days, conversation.forget_abandoned)


def forget_imports(database: Database) -> int:
    """What the rows of old imports of ledgers said (rules.toml, ledger.undo_days)."""
    return _forget(database, rules().ledger.undo_days, ledger_import.forget_rows)


def forget_ended(database: Database) -> int:
    """One-time codes and pages and questions asked outside a talk, once nobody can use them any more; what they hold
    goes with them (rules.toml, messages.retention_days). And messages that were told by phone (calls_undone.UNDO_FOR).
    """
    codes = (code.forget_codes, family_doors.forget_codes, code.forget_tries)
    ended = (*codes, page.forget_pages, conversation.forget_prompts)
    told = _in_slices(database, _ROWS, calls_undone.forget_told)
    return told + sum(_forget(database, rules().messages.retention_days, forget) for forget in ended)


def leave_blocked_doors(database: Database) -> int:
    """Doors that platforms called left or blocked for long (rules.toml, doors.blocked_days)."""
    age = timedelta(days=rules().doors.blocked_days)
    return _one_by_one(
        database,
        lambda session: erasure.long_blocked(session, age),
        lambda session, doors: erasure.leave_blocked(session, age, doors),
    )


def mend_due_times(database: Database) -> int:
    """Messages that were put in while the clock was ahead (models/resting.py)."""
    with database.write() as session:
        return resting.due_before_its_time(session)


def hand_over(database: Database) -> int:
    """Messages and cries for help that none of those who answer for them today has: a role was given or has ended, or
    somebody came back."""
    passed = handover.hand_over(database, places=_handover_places.setdefault(database, handover.Places()))
    return passed.contacts + passed.alerts


def change_duty_leaves(database: Database) -> int:
    """Leaves of those who answer for others that begin for a deputy, or are over."""
    return _one_by_one(database, duty_leaves.changing, duty_leaves.change)


def remind_of_qualifications(database: Database) -> int:
    """What specialists owe and what lapses (rules.toml, qualifications), and volunteers' clearances."""
    planned = _one_by_one(database, qualifying.owing, qualifying.plan)
    reminded = _one_by_one(database, qualifying.reminding, qualifying.remind)
    return planned + reminded + _in_slices(database, _LOOKED_AT, qualifying.remind_volunteers)


# Whom the morning's look found with nothing to do, by the day: they are not looked at again.
_looked: WeakKeyDictionary[Database, dict[str, str]] = WeakKeyDictionary()


def tell_mornings(database: Database) -> int:
    """What waits for those who answer for others, on the mornings of working days (rules.toml, duty.morning); nobody is
    told that nothing waits."""
    looked = _looked.setdefault(database, {})

    def find(session: Session) -> list[str]:
        found = []
        today = duty_days.home_day(session).isoformat()
        for person in duty_mail.awaited(session, duty_mail.MORNING):
            if looked.get(person) == today:
                continue
            if duty_list.urgent(session, person):
                found.append(person)
            else:
                looked[person] = today
        return found

    return _one_by_one(database, find, lambda session, ids: duty_mail.put_all(session, duty_mail.MORNING, ids))


def tell_weeks(database: Database) -> int:
    """The week behind and ahead, once a week (rules.toml, duty.digest)."""
    return _one_by_one(
        database,
        lambda session: duty_mail.awaited(session, duty_mail.WEEK),
        lambda session, ids: duty_mail.put_all(session, duty_mail.WEEK, ids),
    )


def expire_searches(database: Database) -> int:
    """“我以前注册过” that came to nothing: whoever searched is told once (models/recognition.py, OPEN_FOR)."""
    return _one_by_one(database, recognition.overdue, recognition.expire)


def come_of_age(database: Database) -> int:
    """Young volunteers who turned 18 need no guardian's consent any more."""
    return _one_by_one(database, guardian.growing, guardian.come_of_age)


def drop_pending_minors(database: Database) -> int:
    """Children's data that waited for a guardian too long."""
    return _one_by_one(database, guardian.overdue, guardian.drop_pending)


def pass_offers_on(database: Database) -> int:
    """Invitations that nobody answered go to the next one (rules.toml, pairing.hold_hours)."""
    return _one_by_one(database, offering.overdue, offering.pass_on)


def remind_unfinished(database: Database) -> int:
    """Agreements that nobody has brought to an end (rules.toml, pairing.agree_days)."""
    return _one_by_one(database, agreement.unfinished, agreement.remind_unfinished)


def begin_relays(database: Database) -> int:
    """Terms that end soon (rules.toml, pairing.relay_before_days)."""
    return _one_by_one(database, relay_days.terms_ending, relay_days.begin_for_terms)


def end_last_days(database: Database) -> int:
    """Relays and substitutes whose last day is over: nobody is left without somebody who is named."""
    handed = _one_by_one(database, relay_days.ending, relay_days.leave_last_days)
    return handed + _one_by_one(database, substituting.over, substituting.end_over)


def rekeep(database: Database) -> int:
    """Keepers, and specialists of relays, who are responsible no more: somebody else is named the same day."""
    kept = _one_by_one(database, keepings.lost_keepers, keepings.rekeep)
    return kept + _one_by_one(database, keepings.lost_specialists, keepings.name_anew)


def keep_unkept(database: Database) -> int:
    """People whose stint ended while the deployment had nobody for their county."""
    return _one_by_one(database, keepings.unkept, keepings.keep_unkept)


def end_for_gone_volunteers(database: Database) -> int:
    """Stints whose volunteer serves no more (data deleted, registration ended, a guardian's word taken back)."""
    return _one_by_one(database, volunteer_gone.serving_no_more, volunteer_gone.end_for)


def begin_for_silent_volunteers(database: Database) -> int:
    """Stints whose volunteer cannot be reached by any door (rules.toml, pairing.silence_days)."""
    return _one_by_one(database, volunteer_gone.without_door, volunteer_gone.begin_for_silence)


def ask_silent_volunteers(database: Database) -> int:
    """Volunteers who have said nothing for long though a door reaches them are asked, asked again, and then whoever is
    responsible gets a relay to decide on (rules.toml, pairing.silent_ask_days and the two below it)."""
    asked = _one_by_one(database, silence.fallen_silent, silence.ask)
    return asked + _one_by_one(database, silence.due, silence.go_on)


def hear_silent_volunteers(database: Database) -> int:
    """Those who were asked and have written since."""
    return _one_by_one(database, silence.heard_again, silence.go_on)


def move_turns(database: Database) -> int:
    """Teams whose members take turns: a new month, no answer within rules.toml, pairing.hold_hours, or a member who
    cannot go any more."""
    return _one_by_one(database, turn_acts.due, turn_acts.move_on)


def look_for_lone_visits(database: Database) -> int:
    """Lone visits whose time to come out is over (rules.toml, hours.lone_grace_minutes)."""
    return _one_by_one(database, lone_timing.due, lone_timing.take_steps)


def match_asked(database: Database) -> int:
    """Whole counties that were to be matched at once; somebody asked for it in a chat."""
    return proposing.run_asked(database)


def hand_over_teams(database: Database) -> int:
    """Whole teams that were to be handed over (models/relaying_asked.py); somebody asked for it in a chat."""
    with database.read() as session:
        waiting = relaying_asked.waiting(session)
    for batch in waiting:
        hand_over_team(database, batch)
    return len(waiting)


def hand_over_team(database: Database, batch: str, told: Callable[[int, int], None] | None = None) -> None:
    """One of them, until it is done; `told` hears (done, total) after each slice. A pairing that cannot be handed over
    is logged and passed over, and counts as one that could not begin."""
    while _went_on(database, batch):
        if told is not None:
            with database.read() as session:
                found = relaying_asked.asked_for(session, batch)
            if found is not None:
                told(found.looked_at, found.total)
        time.sleep(_PAUSE)


def _went_on(database: Database, batch: str) -> bool:
    for most, skip in ((relaying_asked.SLICE, False), (1, False), (1, True)):
        try:
            with database.write() as session:
                return relaying_asked.go_on(session, batch, most, skip=skip)
        except DatabaseAway:
            raise
        except Exception:
            if skip:
                raise
            log.exception("team_relay_failed", batch=batch, most=most)
    return False


def finish_imports(database: Database) -> int:
    """Imports that somebody took, or took back, in chat or on a page: the rows are done here, and gone on with after a
    crash. One process at a time has them. One that cannot go on is logged, and keeps no other waiting."""
    done = 0
    with database.read() as session:
        found = ledger_import.under_way(session)
    for batch in found:
        try:
            done += _finish_import(database, batch)
        except DatabaseAway:
            raise
        except Exception:
            log.exception("import_failed", batch=batch.id)
    return done


def _finish_import(database: Database, batch: LedgerBatch) -> int:
    holder = new_id()

    def keep(_done: int = 0, _total: int = 0) -> None:
        with database.write() as session:
            if lease.hold(session, "imports", holder) is None:
                raise _Elsewhere
        time.sleep(_PAUSE)

    try:
        keep()
        if batch.sheet == LEDGER:
            go_on = ledger_import.take if batch.state == TAKING else ledger_undo.undo
        else:
            go_on = roster_batch.take if batch.state == TAKING else roster_batch.undo
        ended = go_on(database, batch.id, by="", told=keep)
    except (_Elsewhere, ledger_import.BatchError):
        return 0  # somebody else goes on with it, or has ended it
    finally:
        with database.write() as session:
            lease.let_go(session, "imports", holder)
    return ended.total


def tell_open_questions(database: Database) -> int:
    """Whoever has become responsible for people about whom an import left something open."""
    return _one_by_one(database, ledger_questions.untold, ledger_questions.tell_untold)


def ask_forgotten(database: Database) -> int:
    """Check-outs that were forgotten: whoever serves is asked at the planned end, and what they do not answer goes to
    whoever confirms it (models/forgotten.py)."""
    asked = _one_by_one(database, forgotten.overdue, forgotten.ask)
    return asked + _one_by_one(database, forgotten.unanswered, forgotten.pass_on)


def tell_hours(database: Database) -> int:
    """Decisions about hours: each volunteer hears of all of them at once (models/hours_told.py)."""
    return _one_by_one(database, hours_told.undelivered, hours_told.tell)


def late_hours_cases(database: Database) -> int:
    """我的时长有误 that nobody answered in time (rules.toml, hours.answer_days)."""
    return _one_by_one(database, hours_cases.late, hours_cases.tell_late)


class _Elsewhere(Exception):
    """Another process has the imports."""


def plan_visits(database: Database) -> int:
    """What is owed for a half, for everybody who is paired; a half that began while nothing ran is caught up with."""
    with database.read() as session:
        due = visits_owed.to_plan(session)
    return sum(
        _in_slices(database, _PLANNED, lambda session, size, half=half: visits_owed.plan(session, half, size))  # type: ignore[misc]
        for half in due
    )


def mend_visits(database: Database) -> int:
    """What nobody is owed any more, however that came about."""
    return _in_slices(database, _ROWS, visits_owed.mend)


def remind_of_visits(database: Database) -> int:
    """Volunteers of the visits they owe, and those at work of what is overdue (programme §6)."""
    reminded = _in_slices(database, _REMINDED, visit_reminders.remind)
    return reminded + _one_by_one(database, visit_reminders.climbing, visit_reminders.climb)


def remind_of_bookings(database: Database) -> int:
    """The evening before what is booked, and how it was; what nobody said anything about stands no more."""
    told = _one_by_one(database, visit_reminders.booked_soon, visit_reminders.remind_of_bookings)
    return told + _one_by_one(database, visiting.lapsed, visiting.lapse)


# Name, seconds between two runs, the job.
JOBS: tuple[tuple[str, int, Job], ...] = (
    ("sweep_claims", 5, sweep_claims),
    ("look_for_lone_visits", 15, look_for_lone_visits),
    ("expire_messages", 60, expire_messages),
    ("forget_raw_messages", 3_600, forget_raw_messages),
    ("forget_abandoned_talks", 3_600, forget_abandoned_talks),
    ("finish_imports", 3, finish_imports),
    ("forget_imports", 3_600, forget_imports),
    ("tell_open_questions", 300, tell_open_questions),
    ("forget_ended", 3_600, forget_ended),
    ("mend_due_times", 3_600, mend_due_times),  # and whenever the clock was set
    ("hand_over", 60, hand_over),
    ("change_duty_leaves", 300, change_duty_leaves),
    ("remind_of_qualifications", 3_600, remind_of_qualifications),
    ("leave_blocked_doors", 3_600, leave_blocked_doors),
    ("expire_searches", 3_600, expire_searches),
    ("come_of_age", 3_600, come_of_age),
    ("pass_offers_on", 60, pass_offers_on),
    ("match_asked", 5, match_asked),
    ("hand_over_teams", 3, hand_over_teams),
    ("remind_unfinished", 3_600, remind_unfinished),
    ("begin_relays", 3_600, begin_relays),
    ("end_last_days", 300, end_last_days),
    ("move_turns", 300, move_turns),
    ("end_for_gone_volunteers", 60, end_for_gone_volunteers),
    ("begin_for_silent_volunteers", 3_600, begin_for_silent_volunteers),
    ("ask_silent_volunteers", 3_600, ask_silent_volunteers),
    ("hear_silent_volunteers", 60, hear_silent_volunteers),
    ("rekeep", 60, rekeep),
    ("keep_unkept", 3_600, keep_unkept),
    ("ask_forgotten", 60, ask_forgotten),
    ("tell_hours", 60, tell_hours),
    ("late_hours_cases", 3_600, late_hours_cases),
    ("drop_pending_minors", 3_600, drop_pending_minors),
    ("plan_visits", 600, plan_visits),
    ("remind_of_visits", 300, remind_of_visits),
    ("remind_of_bookings", 300, remind_of_bookings),
    ("tell_mornings", 300, tell_mornings),  # behind remind_of_visits, whose steps it tells
    ("tell_weeks", 300, tell_weeks),
    ("mend_visits", 21_600, mend_visits),
)


def catch_up(database: Database, failed: Callable[[str, Exception], None]) -> None:
    """Do at once what has come due since a backup was made. On a restored database that is not in use yet: what is told
    by this may have been told before, and has to be in the outbox when that is marked (models/restored.py).

    A job that fails is named to `failed` and holds up nothing. Claims are not swept: how they ended is for the mark to
    say. Raises DatabaseAway.
    """
    for name, _seconds, job in JOBS:
        try:
            if job is hand_over:
                _hand_over_all(database)
            elif job is not sweep_claims:
                job(database)
        except DatabaseAway:
            raise
        except Exception as error:  # noqa: BLE001 told to whoever restores, for whom the others still count
            failed(name, error)


def _hand_over_all(database: Database) -> None:
    places = handover.Places()
    while True:
        handover.hand_over(database, places=places)
        if places == handover.Places():
            return
