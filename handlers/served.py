"""How a served person is called in a chat: volunteers see a form of address, whoever is responsible the name, and
Telegram a mark of the case only (programme §12)."""

from __future__ import annotations

from sqlmodel import Session

from config.texts import _
from handlers.here import here
from models.beneficiary import Beneficiary, dossier_of, record_of
from models.database import vault_of
from models.person import Person


def mark(somebody: Beneficiary) -> str:
    """A mark that leads whoever is responsible to the dossier, and nobody else."""
    return _("档案 {mark}").format(mark=somebody.id[-6:].upper())


def named(session: Session, person: Person, somebody: Beneficiary, why: str) -> str:
    """For whoever answers for the county: by name where the chat may carry it, which is logged for a minor."""
    if not here(session).sensitive_in_chat:
        return mark(somebody)
    return dossier_of(session, somebody, person.id, why=why).name


def called(session: Session, somebody: Beneficiary) -> str:
    """For a volunteer: the form of address that the person chose; without one, and on Telegram, the mark."""
    if not here(session).sensitive_in_chat:
        return mark(somebody)
    return record_of(vault_of(session), somebody).called or mark(somebody)
