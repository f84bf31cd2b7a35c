"""What a person allows or forbids us to send, as the platform tells it in events that ask for no answer."""

from __future__ import annotations

from sqlmodel import Session

from handlers.message import Inbound
from models.channel import allow, take_back
from models.person import door_of

# WeChat's names. What somebody changes in the phone's settings is told when it is refused, never when it is allowed;
# how a message that used a permission arrived (subscribe_msg_sent_event) changes nothing.
_ASKED, _CHANGED = "subscribe_msg_popup_event", "subscribe_msg_change_event"


def heard(session: Session, inbound: Inbound) -> None:
    """Keep each permission that an event tells of, one a template and event; the inbox has seen to repeats."""
    event, *answers = inbound.text.split() or [""]
    if event not in (_ASKED, _CHANGED):
        return
    door = door_of(session, inbound.platform, inbound.account, inbound.sender)
    if door is None:
        return
    for answer in answers:
        template, _equals, said = answer.rpartition("=")
        if event == _ASKED and said == "accept":
            allow(session, door.id, "subscription", template)
        elif event == _CHANGED and said == "reject":
            take_back(session, door.id, "subscription", template)
