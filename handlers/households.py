"""一户不落: everybody of one's region, how many stand in which state, and each one with who answers for them today.

Above a county only counts are read. Names are read in the chat where it is private enough, and on a one-time page;
elsewhere a case has a short mark of its own.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from pydantic import BaseModel
from sqlmodel import Session

from config import regions
from config.catalogue import rules
from config.texts import _
from handlers import household_card, household_words
from handlers.dialogue import Ask, Choice, Dialogue, Talk
from handlers.here import here
from handlers.late import asked
from handlers.message import Link, Option, Reply
from handlers.paging import BACK, MORE, PAGE, Show, before, next_begin, onward, turning, where
from models import household, households, ledger_questions
from models.household import Household
from models.households import STATES, Wanted
from models.page import issue_page
from models.person import Person

Labels = list[tuple[str, str]]


class ListFacts(BaseModel):
    """What is on the screen: a choice of people, and which view of it. `ids` are values of the choices that stand
    there, `first` the place of the first one in the whole list; without any the view is made anew."""

    region: str = ""
    state: str = ""
    town: str = ""
    whom: str = ""
    soon: bool = False
    view: str = ""  # "people", "towns"; empty = counts
    ids: tuple[str, ...] = ()
    first: int = 0


@dataclass(frozen=True, slots=True)
class Look:
    """`picked` is a choice of what was on the screen; empty = show what the facts choose from its beginning."""

    facts: ListFacts
    picked: str = ""


def _facts(session: Session, person: Person) -> ListFacts:
    return ListFacts()


def _talk(facts: ListFacts) -> Talk:
    if not facts.ids:
        return Look(facts)
    choices = (*(Choice(key, key) for key in facts.ids), *turning(_("后面的")))
    picked = yield Ask("pick", _("想看哪一类，或者哪一位？"), choices)
    return Look(facts, picked)


def _look(session: Session, person: Person, command: Look) -> Reply:
    if not ledger_questions.scopes(session, person.id):
        text = _("“一户不落”是负责的同事用的。想找负责的同事，回复“联系专员”。")
        return Reply(text, (Option("m:contact", _("联系专员")),))
    facts, (kind, _colon, value) = command.facts, command.picked.partition(":")
    if kind == "p":
        line = household.one_of(session, person.id, value)
        return household_card.card(session, person, line, _back(session, person, facts, line))
    if kind == "page":
        return _page(session, person, facts)
    if kind == MORE:
        return _shown(session, person, facts, Show(seen=facts.ids, first=facts.first))
    if kind == BACK:
        return _shown(session, person, facts, before(facts.first))
    return _shown(session, person, _narrowed(session, person, facts, kind, value), Show())


def _narrowed(session: Session, person: Person, facts: ListFacts, kind: str, value: str) -> ListFacts:
    """The choice of people that a press leads to."""
    region = ListFacts(region=facts.region)
    found = {
        "r": ListFacts(region=value),
        "s": region.model_copy(update={"state": value, "view": "people"}),
        "soon": region.model_copy(update={"soon": True, "view": "people"}),
        "mine": region.model_copy(update={"whom": person.id, "view": "people"}),
        "w": region.model_copy(update={"whom": value, "view": "people"}),
        "towns": region.model_copy(update={"view": "towns"}),
        "t": region.model_copy(update={"town": value, "view": "people"}),
        "counts": region,
    }
    return found.get(kind, facts)


def _shown(session: Session, person: Person, facts: ListFacts, seen: Show) -> Reply:
    if facts.view == "people" and regions.leaf(facts.region):
        return _people(session, person, facts, seen)
    if facts.view == "towns" and regions.leaf(facts.region):
        return _towns(session, person, facts, seen)
    found = households.counts(session, person.id, facts.region)
    if not found:
        return Reply(_("你负责的地区还没有导入台账，请找管理员导入。"))
    counties = list(found)
    region = counties[0] if len(counties) == 1 else facts.region
    if len(counties) == 1:
        return _states(session, person, ListFacts(region=region), found[region])
    return _places(session, person, ListFacts(region=region), found, seen)


# --- counts ---


def _places(
    session: Session, person: Person, facts: ListFacts, found: dict[str, households.Count], seen: Show
) -> Reply:
    """Above a county: how many stand in each region below, and how many of them wait for somebody; no single people."""
    region = facts.region or _common(list(found))
    below: dict[str, Counter[str]] = {}
    for county, count in found.items():
        below.setdefault(_child(county, region), Counter()).update(count.states)
    total = sum((states for states in below.values()), Counter[str]())
    keys = sorted(below)
    begin = next_begin([f"r:{key}" for key in keys], seen)
    shown = keys[begin : begin + PAGE]
    lines = [_("一户不落：{count} 人。想看哪里？").format(count=total.total())]
    lines += [
        _("{item}：{value}").format(item=household_words.state(one), value=total[one]) for one in STATES if total[one]
    ]
    lines += where(begin, len(keys))
    text = _("{place}：{count} 人，等人 {waiting} 人")
    labels = [
        (f"r:{key}", text.format(place=_name(key), count=below[key].total(), waiting=_waiting(below[key])))
        for key in shown
    ]
    labels += onward(begin, len(keys), _("后面的"))
    return _listed(session, person, facts, "\n".join(lines), labels, begin)


def _common(counties: list[str]) -> str:
    """The smallest region that all of these lie in; "" for none."""
    paths = [[region.code for region in regions.path(county)] for county in counties]
    shared = [codes[0] for codes in zip(*paths, strict=False) if len(set(codes)) == 1]
    return shared[-1] if shared else ""


def _child(county: str, region: str) -> str:
    """The region directly below `region` in which a county lies."""
    codes = [each.code for each in regions.path(county)]
    at = codes.index(region) + 1 if region in codes else 0
    return codes[min(at, len(codes) - 1)] if codes else county


def _name(code: str) -> str:
    return regions.place_name(code)


def _waiting(states: Counter[str]) -> int:
    """How many of these have nobody who comes."""
    return states.total() - states["paired"] - states["relay"]


def _states(session: Session, person: Person, facts: ListFacts, count: households.Count) -> Reply:
    """A county: how many stand in each state, as buttons."""
    text = _("{item}：{value} 人")
    named = [(f"s:{one}", household_words.state(one), count.states[one]) for one in STATES]
    own = households.counts(session, person.id, facts.region, person.id).values()
    mine = sum(each.people for each in own)
    named += [("soon", _("快到期的"), count.soon), ("mine", _("由你负责的"), mine), ("s:", _("全部"), count.people)]
    labels = [(key, text.format(item=words, value=many)) for key, words, many in named if many]
    labels += [("towns", _("按乡镇街道看")), *_page_label(session)]
    if any(len(scope) < len(facts.region) for scope in ledger_questions.scopes(session, person.id)):
        labels.append(("r:", _("看别的地方")))
    said = _("{place}，一户不落：{count} 人。想看哪一类？").format(place=_name(facts.region), count=count.people)
    return _listed(session, person, facts, said, labels, 0)


def _towns(session: Session, person: Person, facts: ListFacts, seen: Show) -> Reply:
    found = households.towns(session, person.id, facts.region)
    keys = [key for key in found if key]
    if not keys:
        return Reply(_("台账里没有写乡镇街道。"), _back(session, person, facts))
    begin = next_begin([f"t:{key}" for key in keys], seen)
    text = _("{item}：{value} 人")
    labels = [(f"t:{key}", text.format(item=key, value=found[key])) for key in keys[begin : begin + PAGE]]
    labels += onward(begin, len(keys), _("后面的"))
    lines = [_("{place}，想看哪个乡镇街道？").format(place=_name(facts.region)), *where(begin, len(keys))]
    return _listed(session, person, facts, "\n".join(lines), [*labels, ("counts", _("一户不落"))], begin)


# --- people ---


def _people(session: Session, person: Person, facts: ListFacts, seen: Show) -> Reply:
    keys = households.keys(session, person.id, wanted(facts))
    if not keys:
        return Reply(_("现在这里没有人了。"), _back(session, person, facts))
    begin = next_begin([f"p:{key}" for key in keys], seen)
    shown = household.of(session, person.id, keys[begin : begin + PAGE])
    names = household_words.called(session, person, [line.id for line in shown])
    labels = [(f"p:{line.id}", household_words.short(line, names[line.id])) for line in shown]
    labels += onward(begin, len(keys), _("后面的人"))
    lines = [title(facts, len(keys)), *where(begin, len(keys))]
    more = [*_page_label(session), ("counts", _("一户不落"))]
    return _listed(session, person, facts, "\n".join(lines), labels + more, begin)


def wanted(facts: ListFacts) -> Wanted:
    """Whom the facts choose."""
    return Wanted(facts.region, facts.state, facts.town, facts.whom, facts.soon)


def title(facts: ListFacts, count: int) -> str:
    """What is listed, and how many there are."""
    if facts.soon:
        text = _("{days} 天里到期或已经过期：{count} 人。")
        return text.format(days=households.SOON_DAYS, count=count)
    what = _("全部")
    if facts.state:
        what = household_words.state(facts.state)
    elif facts.whom:
        what = _("由同一个人负责的")
    elif facts.town:
        what = facts.town
    return _("{item}：{value} 人。").format(item=what, value=count)


def _page_label(session: Session) -> Labels:
    return [("page", _("在网页上看全部"))] if here(session).public_url else []


def _listed(session: Session, person: Person, facts: ListFacts, text: str, labels: Labels, begin: int) -> Reply:
    on_screen = tuple(key for key, _label in labels if key != MORE)
    shown = facts.model_copy(update={"ids": on_screen, "first": begin})
    return Reply(text, asked(session, person.id, HOUSEHOLDS.name, "pick", shown, labels), numbered=True)


def _back(session: Session, person: Person, facts: ListFacts, line: Household | None = None) -> tuple[Option, ...]:
    """Back to the counts of the county; from a card also to the others whom the same volunteer serves."""
    labels = [("counts", _("一户不落"))]
    if line is not None and line.stint is not None and line.people:
        labels.insert(0, (f"w:{line.people[0].person_id}", _("同一位志愿者负责的人")))
    kept = facts.model_copy(update={"ids": tuple(key for key, _label in labels), "first": 0})
    return asked(session, person.id, HOUSEHOLDS.name, "pick", kept, labels)


def _page(session: Session, person: Person, facts: ListFacts) -> Reply:
    """The whole list on a page of its own, which is private enough for names on every platform."""
    place = here(session)
    back = _back(session, person, facts)
    if not place.public_url:
        return Reply(_("这里现在打不开网页。"), back)
    chosen = facts.model_dump(exclude={"view", "ids", "first"})
    token = issue_page(session, person.id, "data", {"households": chosen}, door_id=place.door_id)
    said = _("名单在网页上看，{minutes} 分钟内有效，只给你自己看，不要转发；看过会留下记录。")
    link = Link(place.page(token), _("打开名单"))
    return Reply(said.format(minutes=rules().doors.page_minutes), back, (link,))


HOUSEHOLDS = Dialogue("households", ListFacts, _facts, _talk, _look, repeats=True)
