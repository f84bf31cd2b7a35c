"""Asking a question: its words and choices as they are shown, or the link to the page where it is answered."""

from __future__ import annotations

from sqlmodel import Session

from config.texts import _
from handlers.dialogue import Waiting
from handlers.here import here
from handlers.message import Link, Option, Reply
from handlers.typed import DONE, SKIP, STOP
from models.conversation import Run, State
from models.database import now_of
from models.ids import new_token
from models.page import issue_page
from models.person import Person


def show(state: State, reply: Reply, *, keep: bool = False) -> Reply:
    """Remember the options as the person sees them, so that a typed number means what was shown, and no longer a
    message above it. `keep` = an answer without options leaves the numbers as they are."""
    anew = bool(reply.options) or not keep
    if anew:
        state.shown, state.which = [(option.id, option.label) for option in reply.options], False
    for notice in state.notices:
        if notice.numbers and (not state.door or notice.door in ("", state.door)):
            notice.numbers = "" if anew else "perhaps"
    return reply


def ask(session: Session, person: Person, state: State, run: Run, at: Waiting) -> Reply:
    """The question that waits, as the person's platform and language have it; the run keeps what was shown."""
    asked = at.ask
    run.answers = at.answers
    run.touched_at = now_of(session).isoformat()
    pairs = [(choice.value, choice.label) for choice in asked.choices if not choice.later]
    words, offered = asked.text, [value for value, _label in pairs]
    if asked.again and run.read.get(asked.key) == offered:
        pairs += [(choice.value, choice.label) for choice in asked.choices if choice.later]
        words = asked.again
    elif asked.again:
        run.read[asked.key] = offered
    text = f"{at.note}\n\n{words}" if at.note else words
    if asked.many:
        text += "\n" + _("可以选几项，例如回复：1 3")
        if run.draft:
            picked = _("、").join(choice.label for choice in asked.choices if choice.value in run.draft)
            text += "\n" + _("已选：{picked}").format(picked=picked)
    if asked.skippable and asked.numeric:
        text += "\n" + _("不想填可以回复“跳过”。")
    elif asked.skippable:
        pairs.append((SKIP, _("跳过")))
    if asked.stoppable:
        pairs.append((STOP, _("先到这里")))
    if asked.many and run.draft:
        pairs.append((DONE, _("选好了")))
    values = [value for value, _label in pairs]
    # Asked once more (after a sticker, or with something ticked) the buttons shown before stay good: they mean the
    # same values at the same places.
    longer, shorter = sorted((values, run.values), key=len, reverse=True)
    if run.waiting != asked.key or longer[: len(shorter)] != shorter:
        run.prompt = new_token()
    run.waiting, run.values = asked.key, values
    place = here(session)
    if asked.sensitive and not place.sensitive_in_chat:
        return show(state, _on_page(session, person, run, text))
    options = tuple(Option(f"{run.prompt}:{number}", label) for number, (_value, label) in enumerate(pairs))
    return show(state, Reply(text, options, asks_location=asked.location, numbered=asked.numbered or asked.many))


def _on_page(session: Session, person: Person, run: Run, text: str) -> Reply:
    if not here(session).public_url:
        return Reply(_("这个问题涉及隐私，不能在这里回答。请到微信公众号里继续，或回复“联系专员”。"))
    token = issue_page(session, person.id, "answer", {"prompt": run.prompt}, door_id=here(session).door_id)
    link = Link(here(session).page(token), _("打开一次性网页填写"))
    return Reply(text + "\n\n" + _("这个问题涉及隐私，请点下面的链接，在网页上填写（30 分钟内有效）。"), links=(link,))
