"""Beginning, continuing and ending talks: what the turn does with a dialogue and the saved state."""

from __future__ import annotations

from dataclasses import replace

from pydantic import BaseModel
from sqlmodel import Session

from config.texts import _, speaking
from handlers import crossing, late, leaving, menu
from handlers.asking import ask, show
from handlers.dialogue import (
    Answer,
    Dialogue,
    Finished,
    Further,
    Invalid,
    Refused,
    TalkError,
    Waiting,
    advance,
    back,
    drops_of,
)
from handlers.here import here
from handlers.idle import goes_on, put_away
from handlers.menu_words import COMMAND_WORDS
from handlers.message import Reply
from handlers.standing import replay_run
from handlers.typed import (
    DONE,
    SKIP,
    STOP,
    bare_number,
    came,
    came_earlier,
    is_tick,
    shown,
    shown_late,
    typed,
)
from models.conversation import Prompt, Run, State
from models.database import now_of
from models.person import Door, Person


def begin(
    session: Session,
    person: Person,
    state: State,
    dialogue: Dialogue,
    answers: dict[str, Answer] | None = None,
    facts: BaseModel | None = None,
) -> Reply:
    """Begin a talk, or go back to it if it waits already. `answers` are known beforehand (from a link or words), and so
    are the `facts` of one that begins with a message that was sent."""
    waiting = next((run for run in (*state.runs, *state.parked) if run.dialogue == dialogue.name), None)
    if waiting is not None:
        for runs in (state.runs, state.parked):
            if waiting in runs:
                runs.remove(waiting)
        if not answers:
            state.runs.append(waiting)
            return put_away(state, _again(session, person, state, _("我们接着上次的地方：") + "\n"))
    known = facts or dialogue.prepare(session, person)
    run = Run(dialogue.name, known.model_dump(mode="json"), dict(answers or {}))
    run.started_at = now_of(session).isoformat()
    state.runs.append(run)
    return put_away(state, _step(session, person, state, dialogue, run, replay_run(dialogue, run)))


def entry(session: Session, person: Person, state: State, key: str) -> Reply:
    """A menu entry or a slash command."""
    word = COMMAND_WORDS.get(key)
    if word:
        return global_word(session, person, state, word)
    found = menu.entry(key)
    if found is None:
        return show(state, menu.unknown_entry())
    return open_entry(session, person, state, found)


def open_found(session: Session, person: Person, state: State, found: menu.Begun | menu.Entry) -> Reply:
    """What words were found to mean."""
    if isinstance(found, menu.Begun):
        return begin(session, person, state, found.dialogue, found.answers)
    return open_entry(session, person, state, found)


def open_entry(session: Session, person: Person, state: State, found: menu.Entry) -> Reply:
    """Begin the entry's talk, say its words, or say kindly that it does not exist yet."""
    if found.dialogue is not None:
        return begin(session, person, state, found.dialogue)
    reply = found.say(session, person) if found.say is not None else menu.not_yet(found)
    if reply.options or state.current is None:
        return show(state, reply)
    again = _again(session, person, state, reply.text + "\n\n")
    return replace(again, links=(*reply.links, *again.links), menu=reply.menu or again.menu)


def scene(session: Session, person: Person, state: State, value: str) -> Reply | None:
    """A scanned code or deep link; None when we do not know it."""
    begun = menu.scene(value)
    return begin(session, person, state, begun.dialogue, begun.answers) if begun else None


def press(
    session: Session,
    person: Person,
    state: State,
    pressed: str,
    answer: str,
    at: Waiting | Finished | None = None,
) -> Reply:
    """A button by its opaque id, or an answer from a one-time page (`answer`). `at` = where the current talk stands,
    where that is known already."""
    if pressed.startswith("m:"):
        return entry(session, person, state, pressed[2:])
    prompt, _colon, index = pressed.partition(":")
    run = state.current
    if run is None or run.prompt != prompt:
        return _late(session, person, state, prompt, index) or _stale(session, person, state)
    if not index:
        return hear(session, person, state, answer, on_page=True) or _again(session, person, state)
    number = crossing.meant_as_words(index)
    if number is not None:
        return hear(session, person, state, number, as_words=True) or _again(session, person, state)
    if not index.isdecimal() or len(index) > 3 or int(index) >= len(run.values):
        return _stale(session, person, state)
    return _chosen(session, person, state, run, run.values[int(index)], at)


def _late(session: Session, person: Person, state: State, prompt: str, index: str) -> Reply | None:
    """A button of a question that was asked outside a talk: the answer still counts for that question."""
    found = late.answered(session, person.id, prompt, index, _repeats)
    if found is None:
        return None
    return given_late(session, person, state, *found)


def given_late(session: Session, person: Person, state: State, asked: Prompt, value: str) -> Reply | None:
    """An answer to a question that was asked outside a talk, also one that stands on none of its buttons."""
    dialogue = menu.dialogue(asked.dialogue)
    if dialogue is None:
        return None
    run = Run(dialogue.name, late.facts_of(session, asked), {asked.question: {"c": value}})
    run.started_at = now_of(session).isoformat()
    if dialogue.repeats:
        _drop_same(state, run)
    state.runs.append(run)
    reply = _step(session, person, state, dialogue, run, replay_run(dialogue, run))
    if dialogue.repeats:
        _drop_same(state, run)  # its first step may have found new facts
    return put_away(state, reply)


def _drop_same(state: State, run: Run) -> None:
    """Forget other talks under way that ask the same as this one."""
    same = (run.dialogue, run.facts)
    state.runs[:] = [other for other in state.runs if other is run or (other.dialogue, other.facts) != same]


def _repeats(name: str) -> bool:
    dialogue = menu.dialogue(name)
    return dialogue is not None and dialogue.repeats


def hear(
    session: Session, person: Person, state: State, words: str, *, on_page: bool = False, as_words: bool = False
) -> Reply | None:
    """Typed words (or "geo:…") for the talk under way; None when there is none and no option on the screen fits.
    `as_words` = a number is itself the answer."""
    run = state.current
    dialogue = menu.dialogue(run.dialogue) if run else None
    if run is None or dialogue is None:
        state.runs[:] = [run for run in state.runs if menu.dialogue(run.dialogue)]
        unclear = crossing.without_talk(session, person, state, words)
        if unclear is not None:
            return unclear
        option = came(state, words) or shown(state, words) or shown_late(session, person, state, words)
        if option is None and menu.begins(words) is None:
            option = came_earlier(session, person, state, words)
        return press(session, person, state, option, "") if option else None
    if not run.waiting:
        return _again(session, person, state)
    at = replay_run(dialogue, run)
    asked = at.ask if isinstance(at, Waiting) and at.ask.key == run.waiting else None
    numeric = asked is not None and asked.numeric and bare_number(words) is not None and not state.which
    option = None if numeric or as_words else shown(state, words)
    if not on_page and not as_words:
        whose = crossing.decide(session, person, state, run, asked, words, option)
        if isinstance(whose, Reply):
            return whose
        if whose is not None:
            return press(session, person, state, whose.id, "", at)
    # Typed, the choices of a question with many are a whole answer; pressed, they are ticked one by one.
    if option is not None and not (asked and asked.many and is_tick(run, option)):
        return press(session, person, state, option, "", at)
    try:
        given = typed(run, asked, words)
        if (
            asked
            and asked.sensitive
            and not asked.keeps_typed
            and not on_page
            and not here(session).sensitive_in_chat
            and "t" in given
        ):
            return _again(session, person, state, _("这一题请不要写在聊天里。") + "\n\n")
        return _give(session, person, state, dialogue, run, given, at)
    except Invalid as refusal:
        earlier = None if on_page else came_earlier(session, person, state, words)
        if earlier is not None:
            return press(session, person, state, earlier, "", at)
        return _missed(session, person, state, run, str(refusal))


def global_word(session: Session, person: Person, state: State, word: str) -> Reply:
    """取消, 返回, 菜单 and 帮助 work at any point of any talk."""
    run = state.current
    if word == "menu":
        return show(state, menu.overview(session, person, talking=run is not None), keep=True)
    if word == "help":
        reply = menu.help_text(session, person, talking=run is not None)
        return _again(session, person, state, reply.text + "\n\n") if run else show(state, reply)
    if run is None:
        return show(state, menu.nothing_to(word))
    if word == "enough" and run.draft:
        return _chosen(session, person, state, run, DONE)  # what is ticked counts
    if word in ("cancel", "enough"):
        state.runs.pop()
        rest = menu.dialogue(state.current.dialogue) if state.current else None
        said = leaving.left(run.dialogue, word, resumed=rest is not None and rest.resumes)
        return _resume(session, person, state, said)
    dialogue = menu.dialogue(run.dialogue)
    if dialogue is None:
        state.runs.pop()
        return show(state, menu.nothing_to(word))
    if run.undo and run.waiting == run.undo_at:
        # Chosen to correct something, and thought better of it: what was answered stands, and the summary is shown.
        run.answers, run.undo = {**run.answers, **run.undo}, {}
        at: Waiting | Finished | None = replay_run(dialogue, run)
    else:
        at = back(dialogue, dialogue.facts.model_validate(run.facts), run.answers)
    if at is None:
        return _again(session, person, state, _("已经是第一个问题了。不想继续可以回复“取消”。") + "\n\n")
    run.draft = []
    return _step(session, person, state, dialogue, run, at)


def ask_again(session: Session, person: Person, state: State, before: str) -> Reply:
    """Say something and put the waiting question once more."""
    return _again(session, person, state, before + "\n\n")


def _chosen(
    session: Session,
    person: Person,
    state: State,
    run: Run,
    value: str,
    at: Waiting | Finished | None = None,
) -> Reply:
    dialogue = menu.dialogue(run.dialogue)
    if dialogue is None:
        return _stale(session, person, state)
    at = at or replay_run(dialogue, run)
    if value == SKIP:
        return _give(session, person, state, dialogue, run, {"s": True}, at)
    if value == STOP:
        return global_word(session, person, state, "enough")
    if value == DONE:
        return _give(session, person, state, dialogue, run, {"m": run.draft}, at)
    if isinstance(at, Waiting) and at.ask.key == run.waiting and at.ask.many:
        run.draft = [v for v in run.draft if v != value] if value in run.draft else [*run.draft, value]
        return _step(session, person, state, dialogue, run, at)
    return _give(session, person, state, dialogue, run, {"c": value}, at)


def _give(
    session: Session,
    person: Person,
    state: State,
    dialogue: Dialogue,
    run: Run,
    given: Answer,
    before: Waiting | Finished,
) -> Reply:
    """Take an answer; `before` is where the talk stood."""
    try:
        at = advance(dialogue, dialogue.facts.model_validate(run.facts), run.answers, run.waiting, given)
    except Invalid as refusal:
        return _missed(session, person, state, run, str(refusal))
    _keep_for_undo(run, before, at, given)
    run.misses = 0
    run.draft = []
    return _step(session, person, state, dialogue, run, at)


def _keep_for_undo(run: Run, before: Waiting | Finished, at: Waiting | Finished, given: Answer) -> None:
    """Remember what a correction drops until the summary comes again, so that 返回 takes the correction back."""
    dropped = drops_of(before.ask, given) if isinstance(before, Waiting) and before.ask.key == run.waiting else ()
    if dropped and isinstance(at, Waiting):
        run.undo = {key: run.answers[key] for key in dropped if key in run.answers}
        run.undo_at = at.ask.key
    elif isinstance(at, Finished) or any(choice.drops for choice in at.ask.choices):
        run.undo, run.undo_at = {}, ""


def _step(
    session: Session, person: Person, state: State, dialogue: Dialogue, run: Run, at: Waiting | Finished
) -> Reply:
    """Ask the next question, or carry out what the talk came to."""
    if isinstance(at, Waiting):
        return ask(session, person, state, run, at)
    if at.command is None:
        state.runs.remove(run)
        return _resume(session, person, state, Reply(_("好的，没有做任何改动。")))
    try:
        with session.begin_nested():
            reply = dialogue.perform(session, person, at.command)
    except Refused as refusal:
        if refusal.then is not None:
            refusal.then(session)
        run.answers = {key: value for key, value in at.answers.items() if key != refusal.key}
        again = replay_run(dialogue, run)
        if isinstance(again, Finished):
            raise
        return ask(session, person, state, run, replace(again, note=refusal.text))
    if isinstance(reply, Further):
        run.facts = reply.facts.model_dump(mode="json")
        run.answers = at.answers
        onward = replay_run(dialogue, run)
        if isinstance(onward, Finished):
            raise TalkError(f"{dialogue.name}: nothing is left to ask")
        return ask(session, person, state, run, replace(onward, note=reply.note))
    state.runs.remove(run)
    if _elsewhere(session, person):
        return show(state, reply)
    with speaking(person.language):  # which this talk may have changed
        return _resume(session, person, state, reply, offers=dialogue.offers)


def _elsewhere(session: Session, person: Person) -> bool:
    """Whether the talk led this door to another person (binding, unbinding, deletion): nothing is resumed here."""
    door = session.get(Door, here(session).door_id)
    return door is None or door.person_id != person.id


def _again(session: Session, person: Person, state: State, before: str = "") -> Reply:
    run = state.current
    dialogue = menu.dialogue(run.dialogue) if run else None
    if run is None or dialogue is None:
        return show(state, Reply(before.strip()))
    if dialogue.rereads and not run.answers:
        run.facts = dialogue.prepare(session, person).model_dump(mode="json")
    reply = _step(session, person, state, dialogue, run, replay_run(dialogue, run))
    return replace(reply, text=before + reply.text)


def _missed(session: Session, person: Person, state: State, run: Run, why: str) -> Reply:
    run.misses += 1
    state.missed_now = True
    words = [why] if why else [_("这个回答现在用不了，请再回答一次。")]
    if run.misses >= 2:
        words.append(_("回复“返回”改上一题，“取消”退出，“联系专员”找人帮忙。"))
    again = _again(session, person, state, "\n".join(words) + "\n\n")
    # What refuses an answer may speak of the numbers of the choices.
    return replace(again, numbered=again.numbered or (bool(again.options) and not again.asks_location))


def _stale(session: Session, person: Person, state: State) -> Reply:
    said = _("这一步已经回答过了。")
    if state.current is not None:
        return _again(session, person, state, said + "\n\n")
    return show(state, Reply(said + _("想做别的，回复“菜单”。")), keep=True)


def _resume(session: Session, person: Person, state: State, reply: Reply, *, offers: bool = False) -> Reply:
    """After a talk has ended: go on with the one that it had pushed aside.

    Not when the reply itself asks something (options that are no menu entries): that comes first. What it only
    `offers` stands below the question that goes on.
    """
    asks = not offers and any(not option.id.startswith("m:") for option in reply.options)
    while state.current is not None and not asks:
        dialogue = menu.dialogue(state.current.dialogue)
        pointless = state.current.dialogue in session.info.get("left_off", ())  # by what the talk has just done
        if dialogue is not None and dialogue.resumes and not pointless:
            going_on = goes_on(session, state.current)
            rest = _again(session, person, state)
            text = "\n".join((reply.text, "", going_on, rest.text))
            both = (*rest.options, *reply.options) if offers else rest.options
            links = (*reply.links, *rest.links)
            return show(state, replace(rest, text=text, options=both, links=links, menu=reply.menu))
        state.runs.pop()
    return show(state, reply)
