"""Somebody who serves has said nothing for long: asked kindly whether all is well, and answered in one tap
(programme §5). 停一停 leads into the leave, 做不下去了 into the relay; any word at all is an answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from sqlmodel import Session

from config.texts import _
from handlers.dialogue import Ask, Choice, Dialogue, Talk
from handlers.late import asked
from handlers.message import Option, Reply
from handlers.relay_questions import HAND_OVER, RelayFacts
from handlers.served_words import served
from models import relaying_lists, silence
from models.database import now_of
from models.pairing import OPEN, Stint
from models.person import Person, local_now
from models.relay import SEEKING
from models.served import served_of
from models.silence import Silence


class SilenceFacts(BaseModel):
    """Which question it was."""

    silence: str = ""


@dataclass(frozen=True, slots=True)
class Fine:
    """All is well."""

    silence: str


def _facts(session: Session, person: Person) -> SilenceFacts:
    return SilenceFacts()


def _fine() -> Choice:
    return Choice("fine", _("一切都好"), words=(_("都好"), _("挺好"), _("挺好的"), _("很好"), _("还在继续")))


def _talk(facts: SilenceFacts) -> Talk:
    if not facts.silence:
        return None
    yield Ask("how", _("还好吗？"), (_fine(),))
    return Fine(facts.silence)


def _perform(session: Session, person: Person, command: Fine) -> Reply:
    found = silence.answered(session, command.silence, person.id)
    if not found:
        return Reply(_("太好了，谢谢你告诉我们！有什么事，随时说一声。"), (_contact(),))
    text = _("太好了，谢谢你告诉我们！因为很久没有你的消息，专员在看你的结对怎么办。想继续，请选“我又能继续了”。")
    return Reply(text, (*_go_on(session, person, len(found)), _contact()))


SILENCE = Dialogue("silence", SilenceFacts, _facts, _talk, _perform, repeats=True)


def _contact() -> Option:
    return Option("m:contact", _("联系专员"))


def _hand_over(session: Session, person: Person, labels: list[tuple[str, str]], begun: int = 0) -> tuple[Option, ...]:
    """Buttons that lead into 请假交接."""
    stints = relaying_lists.mine(session, person.id)
    facts = RelayFacts(
        today=local_now(session, person).date().isoformat(),
        stints=(stints[0].id,) if len(stints) == 1 else (),
        house=len(stints) == 1 and stints[0].institution_id is not None,
        pairings=len(stints),
        begun=begun,
    )
    return asked(session, person.id, HAND_OVER, "what", facts, labels)


def _go_on(session: Session, person: Person, begun: int) -> tuple[Option, ...]:
    return _hand_over(session, person, [("go_on", _("我又能继续了"))], begun)


def _names(session: Session, person: Person, stints: list[Stint]) -> str:
    return _("、").join(served(session, person, served_of(session, stint)) for stint in stints)


# --- what is told ---


def _asks(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    """Whether all is well. None once they have answered, or serve nobody any more about whom to ask. Where it could not
    reach them before they wrote, they are still owed the question for which they were called."""
    row, again = session.get(Silence, str(params["silence"])), params["step"] == "again"
    if row is None or row.ended_why not in (None, silence.WORD) or row.given_at is not None:
        return None
    heard = silence.is_heard(session, row)
    stints = silence.about(session, person.id, now_of(session) if heard else row.asked_at)
    if not stints or (heard and again != (row.again_at is not None)):
        return None
    text = _("好久没有你的消息了，还好吗？你和{who}的结对还在继续吗？")
    if heard:
        text = _("看到你来了，真好！好久没有你的消息：你和{who}的结对还在继续吗？")
    elif again:
        text = _("又来问候你一声，没有别的意思：还好吗？你和{who}的结对还在继续吗？")
    return _question(session, person, row, text.format(who=_names(session, person, stints)))


def _question(session: Session, person: Person, row: Silence, text: str) -> Reply:
    lines = [text, _("选一个就行，说什么都可以；想停一停、做不下去了也没关系，会有人接着来。")]
    return Reply("\n".join(lines), (well_option(session, person, row), *hard_options(session, person)))


def question(session: Session, person: Person, row: Silence) -> Reply:
    """The question once more, for somebody who is there."""
    return _question(session, person, row, _("好久没有你的消息，想问一问：结对还在继续吗？"))


def well_option(session: Session, person: Person, row: Silence) -> Option:
    """The button that says that all is well."""
    label = [("fine", _fine().label)]
    (found,) = asked(session, person.id, SILENCE.name, "how", SilenceFacts(silence=row.id), label)
    return found


def hard_options(session: Session, person: Person) -> tuple[Option, ...]:
    """The buttons that lead into a leave, and into a relay."""
    return _hand_over(session, person, [("leave", _("有点难，想停一停")), ("stopped", _("做不下去了"))])


def _given(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    """What became of it meanwhile. None where nothing is to be decided any more, or by the person themselves."""
    row = session.get(Silence, str(params["silence"]))
    found = [relaying_lists.standing(session, each.id) for each in silence.relays(session, row)] if row else []
    open_ones = [each for each in found if each is not None and each.stint.state == OPEN]
    if row is None or not open_ones:
        return None
    names = _names(session, person, [each.stint for each in open_ones])
    if silence.is_heard(session, row):
        text = _(
            "欢迎回来！好久没有你的消息，问候了两次也没有回音，所以请专员看看你和{who}的结对怎么办。结对没有结束。"
        )
    else:
        text = _("很久没有你的消息了，希望你一切都好。我们请专员看看你和{who}的结对怎么办，不会没人管；结对没有结束。")
    lines = [text.format(who=names)]
    if all(each.relay.state == SEEKING for each in open_ones):
        lines.append(_("想继续，选“我又能继续了”；做不下去了也没关系，告诉专员就行。"))
        return Reply("\n".join(lines), (*_go_on(session, person, len(open_ones)), _contact()))
    lines.append(_("已经有人愿意接。想继续，或者想说说怎么交接，请告诉专员。"))
    return Reply("\n".join(lines), (_contact(),))


NOTICES = {"notice.silence": _asks, "notice.silence_given": _given}
