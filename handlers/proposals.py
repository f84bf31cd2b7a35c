"""Proposals for a waiting person, with the reason of each: one is invited, or a round, or none of them will do."""

from __future__ import annotations

from dataclasses import dataclass

from sqlmodel import Session

from config.texts import _
from handlers.contact_words import who as volunteer_words
from handlers.dialogue import Ask, Choice, Dialogue, Talk
from handlers.late import asked
from handlers.message import Reply
from handlers.reason_words import reasons_words
from handlers.served_facts import LOOK, PICK, PickFacts, look
from handlers.step_words import back, invited, offer_words
from models import offering, proposed, proposing
from models.beneficiary import BeneficiaryError
from models.offering import OfferError
from models.person import Person

SHOWN = 3  # proposals on one screen
ROUND, NONE = "~round", "~none"


@dataclass(frozen=True, slots=True)
class Pick:
    """One of them, ROUND or NONE."""

    served: str
    picked: str
    proposals: tuple[str, ...]


def _pick_facts(session: Session, person: Person) -> PickFacts:
    return PickFacts()


def _pick_talk(facts: PickFacts) -> Talk:
    if not facts.served:
        return None
    if not facts.proposals:
        yield Ask("look", _("要看建议吗？"), choices=(look(),))
        return Pick(facts.served, LOOK, ())
    choices = tuple(Choice(key, key) for key in (*facts.proposals, ROUND, NONE))
    picked = yield Ask("pick", _("邀请哪一位？"), choices)
    return Pick(facts.served, picked, facts.proposals)


def _picked(session: Session, person: Person, command: Pick) -> Reply:
    try:
        return _done(session, person, command)
    except BeneficiaryError:
        return Reply(offer_words("scope"), (back(),))


def _proposals(session: Session, person: Person, served: str) -> Reply:
    found = proposed.propose(session, served, person.id, SHOWN)
    if not found:
        why = reasons_words(proposing.why_nobody(session, served, by=person.id))
        return Reply(_("现在没有可以建议的人：{why}。可以按编号邀请认识的人。").format(why=why), (back(),))
    lines = [_("建议（第一位最合适）：")]
    pairs = []
    for each in found:
        called = volunteer_words(session, str(each.person_id))
        lines.append(_("{item}：{value}").format(item=called, value=reasons_words(each.reasons)))
        pairs.append((each.id, _("邀请{who}").format(who=called)))
    facts = PickFacts(served=served, proposals=tuple(value for value, _label in pairs))
    if len(pairs) > 1:
        pairs.append((ROUND, _("同时邀请这 {count} 位").format(count=len(pairs))))
    pairs.append((NONE, _("都不合适")))
    options = asked(session, person.id, PICK, "pick", facts, pairs)
    return Reply("\n".join(lines), (*options, back()), numbered=True)


def _done(session: Session, person: Person, command: Pick) -> Reply:
    if command.picked == LOOK:
        return _proposals(session, person, command.served)
    if command.picked == NONE:
        proposed.refuse(session, command.served, person.id)
        return Reply(_("记下了，这几位不再建议给这一位。"), (back(),))
    keys = list(command.proposals) if command.picked == ROUND else [command.picked]
    candidates = proposed.candidates(session, command.served, keys)
    if not candidates:
        return Reply(_("这些建议已经过时，请重新看建议。"), (back(),))
    try:
        made = offering.offer(session, command.served, candidates, person.id, around=command.picked == ROUND)
    except OfferError as error:
        return Reply(offer_words(error.reason), (back(),))
    return Reply(invited(session, made), (back(),))


PROPOSALS = Dialogue(PICK, PickFacts, _pick_facts, _pick_talk, _picked, repeats=True)
