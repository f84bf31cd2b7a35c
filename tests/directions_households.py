"""Stage directions of 一户不落: 〔在册志愿者 阿林〕 registers somebody at once, and 〔在册结对 3 结对 阿林〕 lets
somebody of the ledger, by their number in the test's files, stand in a state."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from sqlmodel import Session

from models.beneficiary import by_id_number
from models.database import now_of
from models.person import Person
from models.volunteer import Registered, register
from tests import standing
from tests.ledger_files import id_number

VERBS = ("在册志愿者", "在册结对")


def direct(play: Any, verb: str, *words: str) -> None:
    """Carry one out."""
    with play.stage.database.write() as session:
        if verb == "在册志愿者":
            _volunteer(session, play.person_id(session, words[0]))
        else:
            number, state, *name = words
            [somebody, *_others] = by_id_number(session, id_number(int(number)))
            _stand(session, somebody.id, state, play.person_id(session, name[0]))


def _volunteer(session: Session, person: str) -> None:
    answers = Registered("林晓", "+8613800138000", date(2000, 8, 13), "440106")
    register(session, session.get_one(Person, person), answers)


def _stand(session: Session, about: str, state: str, person: str) -> None:
    """`person` consents on paper for 同意, is asked, agrees or serves otherwise."""
    standing.consent(session, about, person)
    today = now_of(session).date()
    if state == "邀请":
        standing.offer(session, about, person)
    elif state == "商定":
        standing.stint(session, about, person, "agreeing", meets_at=now_of(session) + timedelta(days=3))
    elif state in ("结对", "接力"):
        pairing = standing.stint(session, about, person)
        if state == "接力":
            standing.relay(session, pairing, person, today + timedelta(days=20))
    else:
        assert state == "同意", state
