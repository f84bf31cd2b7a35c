"""One message in, one reply out: the one place where a dialogue meets the database.

The order of precedence: danger words; follow and unfollow; buttons; menu; global words; the talk under way;
words that begin a talk; and where nothing fits, a short useful answer. Never silence.
"""

from __future__ import annotations

import unicodedata
from dataclasses import replace

from sqlmodel import Session

from config.texts import _, speaking
from handlers import (
    asking,
    check_in,
    codes,
    cries,
    fallback,
    granted,
    listing,
    menu,
    own_words,
    safeguarding,
    standing,
    talk,
    visits,
    wishes,
)
from handlers.emergency import is_danger
from handlers.here import Here
from handlers.idle import end_idle
from handlers.message import Inbound, Reply
from handlers.ordinary import is_ordinary
from handlers.typed import bare_number, came, shown
from models import carded, erasure, inbox
from models.arrival import Met
from models.conversation import State, lock, save
from models.lone_timing import is_silent_call
from models.person import Door, Person, door_of, open_door

MAX_TEXT = 4_000
ANYTHING = 20  # characters: what is longer says something


def turn(session: Session, inbound: Inbound, here: Here, met: Met | None = None) -> tuple[Reply | None, str | None]:
    """Hear one message inside the caller's transaction; returns the reply to give and whose it is. `met` = who wrote
    it, where that is known already; then the caller saves the talk.

    None = nothing is to be said (an event, or somebody who just left).
    """
    if inbound.kind == "unfollow":
        return None, _leave(session, inbound)
    if inbound.kind == "other":
        granted.heard(session, inbound)
        return None, None
    door, person, state = (met.door, met.person, met.state) if met is not None else _meet(session, inbound, here)
    session.info["here"], state.door = replace(here, door_id=door.id), door.id
    with speaking(person.language):
        # Nothing stands before the words that call for help.
        ended = "" if is_urgent(inbound) else end_idle(session, state)
        reply = answer(session, person, state, inbound)
    if ended:
        reply = replace(reply, text=f"{ended}\n\n{reply.text}".strip())
    # Joined to another person, or deleted: nobody talks under this id any more, and its talk was forgotten with it.
    if person.merged_into is None and person.deleted_at is None:
        if met is not None:
            met.to_save = True
        else:
            save(session, person.id, state)
    # A reply that led this door to somebody else brings the language of that person.
    return replace(reply, language=reply.language or person.language), door.person_id


def _meet(session: Session, inbound: Inbound, here: Here) -> tuple[Door, Person, State]:
    """Who wrote, made where they are new, and their talk."""
    door, person = open_door(
        session, inbound.platform, inbound.account, inbound.sender, menu.language_of(inbound), zone=here.zone
    )
    state = lock(session, person.id)
    carded.let_go(session, person.id, state)
    return door, person, state


def answer(session: Session, person: Person, state: State, inbound: Inbound) -> Reply:
    """What to say to one message; changes `state`."""
    words = plain(inbound.text)
    if calls_for_help(inbound):
        return asking.show(state, safeguarding.emergency(session, person, inbound.text), keep=True)
    if calls_silently(inbound):
        return asking.show(state, safeguarding.silent(session, person), keep=True)
    if inbound.kind == "follow":
        return _follow(session, person, state, inbound)
    if inbound.kind == "scan":
        return talk.scene(session, person, state, inbound.scene) or fallback.unknown_code(state)
    if inbound.kind in ("choice", "page"):
        return talk.press(session, person, state, inbound.choice, words if inbound.kind == "page" else "")
    if inbound.kind == "menu":
        return talk.entry(session, person, state, inbound.menu)
    if inbound.kind == "media":
        more = safeguarding.told_more(session, person, inbound.text) if words else None
        return _joined(session, person, state, more) or fallback.media(session, person, state, inbound.media_kind)
    if inbound.kind == "location":
        return _location(session, person, state, inbound)
    if not words:
        return fallback.empty(session, person, state)
    return _text(session, person, state, words, inbound.text)


def _text(session: Session, person: Person, state: State, words: str, typed: str) -> Reply:
    """`typed` = the words as they were written: so they stand in a record."""
    word = menu.global_word(words)
    if word:
        return talk.global_word(session, person, state, word)
    duty = cries.heard(session, person, words, talking=state.current is not None)
    if duty is not None:
        return asking.show(state, duty) if duty.options else _joined(session, person, state, duty) or duty
    begun = menu.begins(words)
    if isinstance(begun, menu.Entry) and begun.key == "worried":
        return asking.show(state, safeguarding.worried(session, person, typed))
    pressed = shown(state, words) or ""  # 撤回留言 means the button on the screen, where there is one
    if begun is not None and menu.always(begun) and (not pressed or pressed.startswith("m:")):
        return talk.open_found(session, person, state, begun)
    named = begun is not None and menu.is_named(words)
    own = named and standing.keeps_as_own(state, words)
    anything = state.carded and not _is_meant(state, words)
    if begun is not None and named and (standing.takes_told_words(state) or (anything and state.current is not None)):
        return _opened_instead(session, person, state, begun)
    told = None if anything else own_words.heard(session, person, state, words)
    if told is not None:
        return told
    asked = state.current.dialogue if state.current else ""
    if anything and asked:
        heard: Reply | None = fallback.answers_a_card(session, person, state)
        state.missed_now = True
    else:
        heard = None if anything else talk.hear(session, person, state, words)
    if state.current is not None and state.missed_now and begun is not None and named and not own:
        state.current.misses -= 1
        return _opened_instead(session, person, state, begun)
    if heard is not None:
        return _with_missed(session, person, state, words, typed, asked, heard)
    if begun is not None:
        return talk.open_found(session, person, state, begun)
    # No talk is under way: whoever has just cried for help is still telling, also by what only looks like a code
    # (“FLAT 7B22”), which must count neither as one nor as a wrong one.
    more = None if is_ordinary(words) else safeguarding.told_more(session, person, typed)
    if more is not None:
        return asking.show(state, more, keep=True)
    if check_in.is_code(session, person, words):
        return talk.begin(session, person, state, check_in.CHECK_IN, {"where": {"t": words}})
    code = codes.bare_code(words)
    belongs = menu.behind_code(session, person, code) if code else None
    if belongs is not None:
        return talk.open_found(session, person, state, belongs)
    if code:
        return listing.heard(session, person, state, words) or fallback.no_such_code(state)
    if anything:
        return fallback.answers_a_card(session, person, state)
    spoken = own_words.sentence(session, person, state, words)
    if spoken is not None:
        return spoken
    visit = visits.meant(session, person, words)
    if visit is not None:
        return talk.begin(session, person, state, visits.VISIT_ANSWER, visit[1], visit[0])
    wish = None if state.ended_now else wishes.meant(session, person, state, words, typed)
    if wish is not None:
        return wish
    nothing = menu.acknowledged(words) or menu.greets(words) or state.ended_now
    listed = None if nothing else listing.heard(session, person, state, words)
    return listed or fallback.unknown(session, person, state, words)


def _is_meant(state: State, words: str) -> bool:
    """Whether words after a card that asked for any are yet an answer to what stands on the screen: they name one of
    the choices there, say something at length, or go into the record of a cry for help. A number may be anything."""
    if state.current is not None and state.current.dialogue == safeguarding.TELL_MORE.name:
        return True
    named = bare_number(words) is None and bool(shown(state, words) or came(state, words))
    return named or len(words) > ANYTHING


def _opened_instead(session: Session, person: Person, state: State, begun: menu.Begun | menu.Entry) -> Reply:
    """What the waiting question refused is the name of an entry: that is opened, and the question waits."""
    run, state.missed_now = state.current, False
    if run is None:
        raise ValueError("no question is waiting")
    opened = talk.open_found(session, person, state, begun)
    asks_again = any(option.id.startswith(f"{run.prompt}:") for option in opened.options)
    if isinstance(begun, menu.Entry) and opened.options and not asks_again:
        return replace(opened, text=f"{opened.text}\n{menu.still_waiting()}")
    return opened


def _with_missed(
    session: Session, person: Person, state: State, words: str, typed: str, asked: str, heard: Reply
) -> Reply:
    """What the waiting question of the talk `asked` did not take joins the record of whoever has just cried for help,
    and the question is asked again as it is. What a question takes is an answer, and joins nothing."""
    if not state.missed_now or asked == safeguarding.TELL_MORE.name:
        return heard
    if menu.acknowledged(words):
        waiting = cries.not_taken_yet(session, person)
        return replace(heard, text=f"{waiting.text}\n\n{heard.text}") if waiting else heard
    if is_ordinary(words):
        return heard
    more = safeguarding.told_more(session, person, typed)
    return replace(heard, text=f"{more.text}\n\n{heard.text}") if more else heard


def _location(session: Session, person: Person, state: State, inbound: Inbound) -> Reply:
    """A shared place joins the record of whoever has just cried for help, whatever talk is under way; it also answers
    the question that asks for one."""
    asked, more = standing.takes_location(state), None
    if asked != safeguarding.TELL_MORE.name and inbound.latitude is not None and inbound.longitude is not None:
        more = safeguarding.told_place(session, person, inbound.latitude, inbound.longitude)
    joined = _joined(session, person, state, more) if not asked else None
    if joined is not None:
        return joined
    heard = talk.hear(session, person, state, f"geo:{inbound.latitude},{inbound.longitude}")
    heard = heard or fallback.location(session, person, state)
    return replace(heard, text=f"{more.text}\n\n{heard.text}") if more else heard


def _joined(session: Session, person: Person, state: State, more: Reply | None) -> Reply | None:
    """What has just joined a record is answered, and the talk under way goes on."""
    if more is None or state.current is None:
        return asking.show(state, more, keep=True) if more else None
    return talk.ask_again(session, person, state, more.text)


def _follow(session: Session, person: Person, state: State, inbound: Inbound) -> Reply:
    greeting = menu.greeting(session, person)
    if inbound.scene:
        opened = talk.scene(session, person, state, inbound.scene)
        if opened is not None:
            return replace(opened, text=f"{greeting.text}\n\n{opened.text}", menu=greeting.menu)
    return asking.show(state, greeting)


def _leave(session: Session, inbound: Inbound) -> str | None:
    """Returns who is here all the same: an event that was delayed until they had come back is about the time before."""
    door = door_of(session, inbound.platform, inbound.account, inbound.sender, locked=True)
    if door is None:
        return None
    if inbox.spoke_after(session, inbound.platform, inbound.account, inbound.sender, inbound.sent_at):
        return door.person_id
    erasure.leave(session, door)
    return None


def cry(session: Session, inbound: Inbound, here: Here) -> tuple[Reply, Door]:
    """Only the cry for help of a message whose turn failed (or the silent one, or the place that belongs to one),
    without the talk around it; and where it was heard."""
    language = menu.language_of(inbound)
    door, person = open_door(session, inbound.platform, inbound.account, inbound.sender, language, zone=here.zone)
    session.info["here"] = replace(here, door_id=door.id)
    with speaking(person.language):
        if inbound.kind == "location":
            reply = _place_alone(session, person, inbound)
        elif calls_silently(inbound):
            reply = safeguarding.silent(session, person)
        else:
            reply = safeguarding.emergency(session, person, inbound.text)
        return replace(reply, options=(), language=person.language), door


def _place_alone(session: Session, person: Person, inbound: Inbound) -> Reply:
    """The inbox keeps no place, so one that belongs to a cry for help goes into its record here or nowhere."""
    told = None
    if inbound.latitude is not None and inbound.longitude is not None:
        told = safeguarding.told_place(session, person, inbound.latitude, inbound.longitude)
    return told or stuck()


def calls_for_help(inbound: Inbound) -> bool:
    """Whether a danger word stands in what was written, also below a picture or after a command, however long it is."""
    return inbound.kind in ("text", "media", "menu") and is_danger(inbound.text)


def calls_silently(inbound: Inbound) -> bool:
    """Whether it is the help word of a lone visit (models/lone_timing.py), which nobody is to see answered as one."""
    return inbound.kind == "text" and is_silent_call(inbound.text)


def is_urgent(inbound: Inbound) -> bool:
    """Whether this must be answered with the emergency text at once: a danger word, 紧急求助 or 我很担心TA."""
    return (inbound.menu or inbound.choice.removeprefix("m:")) in ("sos", "worried") or calls_for_help(inbound)


def plain(text: str) -> str:
    """Typed words as the rules compare them: full-width forms folded, control characters and outer space gone."""
    folded = unicodedata.normalize("NFKC", text[:MAX_TEXT])
    return "".join(c for c in folded if c == "\n" or unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co")).strip()


def stuck() -> Reply:
    """Said when a turn failed: the message is kept, and the way to a person is named."""
    return Reply(_("抱歉，刚才这句我没有处理好，已经记下来请同事看了。请稍后再试，或回复“联系专员”找人帮忙。"))
