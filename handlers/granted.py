"""What a person allows or forbids us to send: told by the platform in events that ask for no answer, or allowed on a
page of the platform to which 开通提醒 gives the link (bot/permission.py leads there and hears the answer).
"""

from __future__ import annotations

import secrets

from sqlmodel import Session

from config.catalogue import rules
from config.texts import _
from handlers.here import here
from handlers.message import Inbound, Link, Reply
from models.channel import allow, is_allowed, take_back
from models.outbox import release_held
from models.page import issue_page
from models.person import Person, door_of

ASKED, BACK = "allow", "allowed"  # the page's two addresses below its token
MARK_BYTES = 16

# WeChat's names. What somebody changes in the phone's settings is told when it is refused, never when it is allowed;
# how a message that used a permission arrived (subscribe_msg_sent_event) changes nothing.
_ASKED, _CHANGED = "subscribe_msg_popup_event", "subscribe_msg_change_event"


def heard(session: Session, inbound: Inbound) -> None:
    """Keep each permission that an event tells of, one a template and event; the inbox has seen to repeats."""
    event, *answers = inbound.text.split() or [""]
    if event not in (_ASKED, _CHANGED):
        return
    # Locked, as by a turn: what is being held for want of a channel is held before this, or sees the permission.
    door = door_of(session, inbound.platform, inbound.account, inbound.sender, locked=True)
    if door is None:
        return
    for answer in answers:
        template, _equals, said = answer.rpartition("=")
        if event == _ASKED and said == "accept":
            allow(session, door.id, "subscription", template)
            release_held(session, door.person_id)
        elif event == _CHANGED and said == "reject":
            take_back(session, door.id, "subscription", template)


def offer(session: Session, person: Person, channel: str, subject: str) -> Reply:
    """开通提醒: the link to the page on which one message of this channel and subject is allowed; without a subject the
    account has no such page, or its platform needs none."""
    place = here(session)
    if not subject:
        return Reply(_("这里不用开通提醒：能发的时候，通知会直接发给你；发不到的，等你来说话时再给你。"))
    if is_allowed(session, place.door_id, channel, subject):
        return Reply(_("提醒已经开通了：可以在你不找我的时候给你发一次通知。用掉以后，再回复“开通提醒”就行。"))
    if not place.public_url:
        return Reply(_("这里现在打不开网页，开通不了提醒。通知会等你来说话时再给你。"))
    mark = secrets.token_hex(MARK_BYTES)
    facts = {"allow": channel, "subject": subject, "mark": mark, "public_url": place.public_url}
    token = issue_page(session, person.id, "answer", facts, door_id=place.door_id)
    text = _(
        "开通以后，有一次通知可以在你不找我时发给你；里面只有一句提醒，没有内容。用掉了可以再开通。\n"
        "请在微信里点下面的链接，选“允许”，{minutes} 分钟内有效。"
    )
    link = Link(f"{place.page(token)}/{ASKED}", _("开通提醒"))
    return Reply(text.format(minutes=rules().doors.page_minutes), links=(link,))
