"""The way to take a yes back while it can be (handlers/offer.py does it): the buttons, and which one each is about."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from sqlmodel import Session

from config.texts import _
from handlers.band_words import short_words
from handlers.late import asked
from handlers.message import Option
from models import offering
from models.offer import Offer
from models.person import Person

UNDO = "offer_undo"


class UndoFacts(BaseModel):
    """Which yes, and what it was about. `confirm` = it is asked once more."""

    stint: str = ""
    bands: dict[str, Any] = {}
    confirm: bool = False


def options(session: Session, person: Person) -> tuple[Option, ...]:
    """A button for each yes of this person that can be taken back now."""
    stints = offering.to_take_back(session, person.id)
    found: list[Option] = []
    for stint in stints:
        row = session.get(Offer, stint.offer_id) if stint.offer_id else None
        bands = row.bands if row is not None else {}
        label = _("撤回接受")
        if len(stints) > 1:
            label = _("{item}：{value}").format(item=label, value=_("，").join(short_words(bands)))
        facts = UndoFacts(stint=stint.id, bands=bands, confirm=True)
        found += asked(session, person.id, UNDO, "want", facts, [("want", label)])
    return tuple(found)
