"""Being written."""

from __future__ import annotations

from pydantic import BaseModel
from sqlmodel import Session

from handlers.dialogue import Dialogue, Talk
from handlers.message import Reply
from models.person import Person


class _Facts(BaseModel):
    pass


def _prepare(session: Session, person: Person) -> _Facts:
    return _Facts()


def _talk(facts: _Facts) -> Talk:
    return None
    yield


def _perform(session: Session, person: Person, command: None) -> Reply:
    return Reply("")


CONSENTS = Dialogue(name="consents", facts=_Facts, prepare=_prepare, talk=_talk, perform=_perform)
DELETE = Dialogue(name="delete", facts=_Facts, prepare=_prepare, talk=_talk, perform=_perform)


def overview(session: Session, person: Person) -> Reply:
    return Reply("")


def my_data(session: Session, person: Person) -> Reply:
    return Reply("")
