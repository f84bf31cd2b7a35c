"""What is typed in plain words where nothing is asked: the talk or entry that it means (handlers/intents.py).

Danger words, buttons, global words and typed entries were looked at before; the talks of the intents stand in one
table. An intent whose entry is not there yet is answered as words that nobody understands.
"""

from __future__ import annotations

from sqlmodel import Session

from handlers import asking, menu, relay, safeguarding, talk, tell_hours
from handlers.dialogue import Answer
from handlers.intents import Intent, intent
from handlers.message import Reply
from handlers.understanding_hours import Asked, understand
from models import relaying_lists
from models.conversation import State
from models.person import Person, local_now

# Which entry an intent opens: the first of these that is there.
ENTRY_OF: dict[Intent, tuple[str, ...]] = {
    "register": ("register",),
    "check_in": ("check_in",),
    "check_out": ("check_out", "check_in"),
    "late_check_in": ("check_in", "add_hours"),
    "told_hours": ("add_hours",),
    "book_visit": ("book_visit",),
    "rebook": ("book_visit",),
    "cancel_booking": ("book_visit",),
    "cannot_go": ("book_visit",),
    "ask_later": ("ask_later",),
    "relay": ("hand_over",),
    "leave": ("hand_over",),
    "address": ("pairings",),
    "nobody_home": ("visit_report",),
    "hours_dispute": ("hours_wrong", "hours"),
    "my_hours": ("hours",),
    "my_pairings": ("pairings",),
    "campaigns_off": ("campaigns_off",),
    "activities": ("activities",),
    "account": ("change_profile",),
    "overdue_list": ("unvisited",),
    "contact_specialist": ("contact",),
    "stars": ("stars", "hours"),
    "my_data": ("my_data",),
}
ACCOUNT_WORDS = ("微信", "账号", "帳號", "telegram", "wechat", "account", "绑", "綁", "link", "bind")


def meant(session: Session, person: Person, state: State, words: str, typed: str) -> Reply | None:
    """The answer to a plain wish; None where it is none, or its talk does not exist yet. `typed` = the words as they
    were written."""
    wanted = intent(words)
    if wanted == "emergency":
        return asking.show(state, safeguarding.emergency(session, person, typed), keep=True)
    if wanted == "safeguarding":
        return asking.show(state, safeguarding.worried(session, person, typed))
    if wanted == "help":
        return talk.global_word(session, person, state, "help")
    if wanted == "told_hours":
        return _told(session, person, state, words)
    found = _entry(wanted, words)
    if found is None:
        return None
    if wanted == "leave" and relaying_lists.mine(session, person.id):
        return talk.begin(session, person, state, relay.HAND_OVER, {"what": {"c": "leave"}})
    return talk.open_entry(session, person, state, found)


def _told(session: Session, person: Person, state: State, words: str) -> Reply:
    """With what was told, where it tells of something; what is ahead is refused by the talk."""
    found = understand(words, local_now(session, person))
    empty = isinstance(found, Asked) and found.ask == "nothing_said"
    answers: dict[str, Answer] = {} if empty else {"told": {"t": words}}
    return talk.begin(session, person, state, tell_hours.TELL_HOURS, answers)


def _entry(wanted: Intent, words: str) -> menu.Entry | None:
    keys = ENTRY_OF.get(wanted, ())
    if wanted == "account" and any(word in words.casefold() for word in ACCOUNT_WORDS):
        keys = ("bind",)
    found = (menu.entry(key) for key in keys)
    return next((one for one in found if one is not None and (one.dialogue or one.say)), None)
