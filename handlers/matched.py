"""给全部的人配一次: everybody who waits in a region is matched at once, and the specialist decides one by one.

The work is done beside the turns; a message says when it is done.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from sqlmodel import Session

from config import regions
from config.texts import _
from handlers.contact_words import who as volunteer_words
from handlers.dialogue import Ask, Choice, Dialogue, Talk
from handlers.late import asked
from handlers.message import Option, Reply
from handlers.reason_words import reasons_words
from handlers.served_facts import LOOK, PICK, PickFacts
from handlers.served_words import by_name
from handlers.step_words import back, offer_words
from models import ledger_questions, offering, proposed, proposing
from models.beneficiary import Beneficiary, BeneficiaryError
from models.offering import OfferError
from models.person import Person
from models.proposal import MatchingRun, Proposal


class RegionFacts(BaseModel):
    """The regions that this person answers for."""

    regions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Match:
    """Match everybody who waits there; empty = the person answers for no region."""

    region: str


def _regions(session: Session, person: Person) -> RegionFacts:
    return RegionFacts(regions=tuple(ledger_questions.scopes(session, person.id)))


def _match_talk(facts: RegionFacts) -> Talk:
    if not facts.regions:
        return Match("")
    if len(facts.regions) == 1:
        return Match(facts.regions[0])
    choices = tuple(Choice(code, regions.place_name(code)) for code in facts.regions)
    return Match((yield Ask("region", _("给哪个地区的人配？"), choices)))


def _match(session: Session, person: Person, command: Match) -> Reply:
    if not command.region:
        return Reply(
            _("“待结对”是负责的同事用的。想找负责的同事，回复“联系专员”。"), (Option("m:contact", _("联系专员")),)
        )
    try:
        proposing.ask(session, command.region, person.id)
    except BeneficiaryError:
        return Reply(offer_words("scope"), (back(),))
    text = _("开始给{place}等着的人找合适的志愿者，好了告诉你，再由你逐个决定；现在不会联系任何人。")
    return Reply(text.format(place=regions.place_name(command.region)), (back(),))


MATCH_ALL = Dialogue("match_all", RegionFacts, _regions, _match_talk, _match)


class DecideFacts(BaseModel):
    """Which proposal of which run is on the screen; `seen` are those passed over."""

    run: str = ""
    proposal: str = ""
    seen: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Decide:
    """`what`: "first", "ask", "skip" or "no"."""

    run: str
    proposal: str
    seen: tuple[str, ...]
    what: str


def _decide_facts(session: Session, person: Person) -> DecideFacts:
    return DecideFacts()


def _decide_talk(facts: DecideFacts) -> Talk:
    if not facts.run:
        return None
    choices = (
        Choice("first", _("逐个看建议")),
        Choice("ask", _("邀请这位")),
        Choice("no", _("不合适")),
        Choice("skip", _("先跳过")),
    )
    what = yield Ask("do", _("邀请这位吗？"), choices)
    return Decide(facts.run, facts.proposal, facts.seen, what)


def _decided(session: Session, person: Person, command: Decide) -> Reply:
    done, seen = "", command.seen
    try:
        if command.what == "ask":
            candidates = proposed.candidates(session, _served(session, command.proposal), [command.proposal])
            made = (
                offering.offer(session, _served(session, command.proposal), candidates, person.id) if candidates else []
            )
            done = _("已发出邀请。") if made else _("这条建议已经过时了。")
        elif command.what == "no":
            proposed.refuse_one(session, command.proposal, person.id)
            done = _("记下了，不合适。")
        elif command.what == "skip":
            seen = (*seen, command.proposal)
    except OfferError as error:
        done, seen = offer_words(error.reason), (*seen, command.proposal)
    except BeneficiaryError:
        done, seen = offer_words("scope"), (*seen, command.proposal)
    return _next(session, person, command.run, seen, done)


def _served(session: Session, proposal: str) -> str:
    found = session.get(Proposal, proposal)
    return found.beneficiary_id if found is not None else ""


def _next(session: Session, person: Person, run: str, seen: tuple[str, ...], done: str) -> Reply:
    found = proposed.next_of_run(session, run, person.id, seen)
    lines = [done] if done else []
    if found is None:
        lines.append(
            _("建议都看完了。")
            if not seen
            else _("看完了，跳过了 {count} 条，之后在“待结对”里还能看。").format(count=len(seen))
        )
        return Reply("\n".join(lines), (back(),))
    somebody = session.get_one(Beneficiary, found.beneficiary_id)
    left = proposed.left_of_run(session, run, person.id) - len(seen)
    lines.append(_("还有 {count} 条建议。").format(count=left))
    lines.append(by_name(session, person, somebody))
    who = volunteer_words(session, str(found.person_id))
    lines.append(_("{item}：{value}").format(item=who, value=reasons_words(found.reasons)))
    facts = DecideFacts(run=run, proposal=found.id, seen=seen)
    labels = [("ask", _("邀请这位")), ("no", _("不合适")), ("skip", _("先跳过"))]
    other = asked(session, person.id, PICK, "look", PickFacts(served=somebody.id), [(LOOK, _("看别的人"))])
    return Reply("\n".join(lines), (*asked(session, person.id, MATCHED.name, "do", facts, labels), *other, back()))


MATCHED = Dialogue("matched", DecideFacts, _decide_facts, _decide_talk, _decided, repeats=True)


def _matched_notice(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    run = session.get(MatchingRun, str(params["run"]))
    if run is None or run.done_at is None:
        return None
    counts = {name: int(run.counts.get(name, 0)) for name in ("waiting", "matched", "left")}
    place = regions.place_name(run.region)
    text = _("{place}配好了：等着的 {waiting} 位里，{matched} 位有建议，{left} 位还没有合适的人。").format(
        place=place, **counts
    )
    if not counts["matched"]:
        return Reply(text, (back(),))
    facts = DecideFacts(run=run.id)
    return Reply(text, (*asked(session, person.id, MATCHED.name, "do", facts, [("first", _("逐个看建议"))]), back()))


NOTICES = {"notice.matched": _matched_notice}
