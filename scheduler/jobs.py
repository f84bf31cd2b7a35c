"""The jobs that the first talks need. Each is set-based, does a bounded slice a call, and may run twice or late."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from weakref import WeakKeyDictionary

from config.catalogue import rules
from models import code, conversation, erasure, guardian, handover, inbox, outbox, page, recognition
from models.database import Database

Job = Callable[[Database], int]
_SEARCHES = 50  # in one transaction, since each is looked at by itself

# How far the look for what nobody has came: each run goes on behind the last one.
_handover_places: WeakKeyDictionary[Database, handover.Places] = WeakKeyDictionary()


def sweep_claims(database: Database) -> int:
    """Rows whose sender died while calling."""
    with database.write() as session:
        return outbox.sweep(session)


def expire_messages(database: Database) -> int:
    """Outgoing messages that are too old to send."""
    with database.write() as session:
        return outbox.expire(session)


def forget_raw_messages(database: Database) -> int:
    """Retention of raw messages (rules.toml, messages.retention_days)."""
    done = 0
    while True:
        with database.write() as session:
            slice_done = inbox.forget_old(session, timedelta(days=rules().messages.retention_days))
        done += slice_done
        if slice_done < 500:
            return done


def forget_abandoned_talks(database: Database) -> int:
    """Answers of talks that nobody came back to (rules.toml, messages.talk_retention_days)."""
    with database.write() as session:
        return conversation.forget_abandoned(session, timedelta(days=rules().messages.talk_retention_days))


def forget_ended(database: Database) -> int:
    """One-time codes and pages and questions asked outside a talk, once nobody can use them any more; what they hold
    goes with them (rules.toml, messages.retention_days)."""
    age = timedelta(days=rules().messages.retention_days)
    with database.write() as session:
        codes, pages = code.forget_codes(session, age), page.forget_pages(session, age)
        return codes + pages + conversation.forget_prompts(session, age)


def leave_blocked_doors(database: Database) -> int:
    """Doors that platforms called left or blocked for long (rules.toml, doors.blocked_days)."""
    with database.write() as session:
        return erasure.leave_blocked(session, timedelta(days=rules().doors.blocked_days))


def hand_over(database: Database) -> int:
    """Messages and cries for help that none of those who answer for them today has: a role was given or has ended, or
    somebody came back."""
    passed = handover.hand_over(database, places=_handover_places.setdefault(database, handover.Places()))
    return passed.contacts + passed.alerts


def expire_searches(database: Database) -> int:
    """“我以前注册过” that came to nothing: whoever searched is told once (models/recognition.py, OPEN_FOR)."""
    done = 0
    while True:
        with database.write() as session:
            ended = recognition.expire(session, _SEARCHES)
        done += ended
        if ended < _SEARCHES:
            return done


def come_of_age(database: Database) -> int:
    """Young volunteers who turned 18 need no guardian's consent any more."""
    with database.write() as session:
        return guardian.come_of_age(session)


def drop_pending_minors(database: Database) -> int:
    """Children's data that waited for a guardian too long."""
    with database.write() as session:
        return guardian.drop_pending(session)


# Name, seconds between two runs, the job.
JOBS: tuple[tuple[str, int, Job], ...] = (
    ("sweep_claims", 5, sweep_claims),
    ("expire_messages", 60, expire_messages),
    ("forget_raw_messages", 3_600, forget_raw_messages),
    ("forget_abandoned_talks", 3_600, forget_abandoned_talks),
    ("forget_ended", 3_600, forget_ended),
    ("hand_over", 60, hand_over),
    ("leave_blocked_doors", 3_600, leave_blocked_doors),
    ("expire_searches", 3_600, expire_searches),
    ("come_of_age", 3_600, come_of_age),
    ("drop_pending_minors", 3_600, drop_pending_minors),
)
