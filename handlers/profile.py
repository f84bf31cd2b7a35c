"""Placeholder while the talk is being written."""

from __future__ import annotations

from pydantic import BaseModel
from sqlmodel import Session

from handlers.dialogue import Dialogue, Talk
from handlers.message import Reply
from models.person import Person


class Facts(BaseModel):
    """Nothing yet."""


def _prepare(session: Session, person: Person) -> Facts:
    return Facts()


def _talk(facts: Facts) -> Talk:
    return None
    yield


def _perform(session: Session, person: Person, command: object) -> Reply:
    return Reply("")


PROFILE = Dialogue("profile", Facts, _prepare, _talk, _perform)
CHANGE = Dialogue("change_profile", Facts, _prepare, _talk, _perform)


def overview(session: Session, person: Person) -> Reply:
    return Reply("")


def my(session: Session, person: Person) -> Reply:
    return Reply("")
