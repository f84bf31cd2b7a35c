"""签到: at a station by its QR code, at an activity by its six digits, at a home by one shared place or the card there.

Whatever cannot be proved is checked in all the same, and the record says so. The place comes last: what was shared is
compared once and never waits in the talk.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from pydantic import BaseModel
from sqlmodel import Session

from config.services import entries, labels
from config.texts import _
from handlers import check_in_words as say
from handlers.check_out_steps import CheckOut, Running, TakeBack, carry_out, mistake_button, running, steps
from handlers.dialogue import Ask, Choice, Dialogue, Further, Invalid, Refused, Talk
from handlers.late import asked
from handlers.message import Option, Reply
from handlers.served_words import served
from models import activities, activity_codes, audit, checking_in, door_cards, serving
from models.activity import Activity
from models.code import count_wrong, pauses
from models.database import now_of
from models.pairing import Stint
from models.person import Person
from models.served import served_of
from models.service import ACTIVITY, CARD, STATION, ServiceRecord
from models.serving import Doing, ServiceError
from models.station import Station, by_station_number
from models.volunteer import ACTIVE, volunteer_of

CONTENTS = 5  # of the catalogue, the first ones: the five service contents (programme §1)
_SCENE = re.compile(r"(?:([sa])_([0-9]{10})|(d)_([A-Za-z0-9_-]{22}))")
_DIGITS = re.compile(r"[0-9]{6}")


class Facts(BaseModel):
    """What is possible. Once it is known where they check in, `kind` says it ("stint", "card", "station", "activity"),
    `target` is an id, `contents` are keys of services.toml to choose from, and `placed` whether a location can match.
    """

    running: Running = Running()
    active: bool = False
    stints: int = 0
    activities: int = 0
    kind: str = ""
    target: str = ""
    contents: list[str] = []
    placed: bool = False


@dataclass(frozen=True, slots=True)
class Look:
    """Where they said they are: "visit", a scanned scene, or six digits."""

    where: str


@dataclass(frozen=True, slots=True)
class CheckIn:
    """All that is needed. `proof` = what was answered to the last question: "geo:…", a reason, or six digits."""

    kind: str
    target: str
    content: str
    proof: str = ""


def _prepare(session: Session, person: Person) -> Facts:
    registered = volunteer_of(session, person.id)
    return Facts(
        running=running(session, person),
        active=registered is not None and registered.status == ACTIVE,
        stints=len(checking_in.serving_in(session, person.id)),
        activities=len(activities.open_now(session, person.id)),
    )


def _talk(facts: Facts) -> Talk:
    if facts.running.record and not facts.running.asked:
        return (yield from steps(facts.running))
    if not facts.active:
        return Look("")  # nothing is asked of somebody who may not serve
    if not facts.kind:
        text = say.where(facts.activities, forgotten=bool(facts.running.record))
        where = yield Ask("where", text, _wheres(facts), check=_where)
        return (yield from steps(facts.running)) if where == "out" else Look(where)
    content = facts.contents[0] if len(facts.contents) == 1 else ""
    if not content:
        choices = tuple(Choice(key, labels("service", [key])[0]) for key in facts.contents)
        content = yield Ask("content", _("这次做什么？"), choices)
    proof = ""
    if facts.kind == "activity":
        proof = yield Ask("code", say.code(), check=_code, numeric=True)
    elif facts.kind == "stint" and facts.placed:
        proof = yield Ask("place", say.place(), say.unproven(), check=_place, location=True, again=say.place_again())
    elif facts.kind == "stint":
        proof = yield Ask("proof", say.no_place(), say.without_place())
    return CheckIn(facts.kind, facts.target, content, proof)


def _wheres(facts: Facts) -> tuple[Choice, ...]:
    visit = Choice("visit", _("上门探访或服务"), words=(_("上门"), _("探访"), _("在TA家")))
    activity = Choice("activity", _("参加活动"), words=(_("活动"),))
    station = Choice("station", _("在驿站、基地等阵地"), words=(_("驿站"), _("阵地"), _("基地")))
    out = Choice("out", _("先把上一次签退"), words=("签退", "簽退"))
    return (*((out,) if facts.running.record else ()), *((visit,) if facts.stints else ()), activity, station)


def is_scene(value: str) -> bool:
    """Whether a QR code or deep link is one of a station, an activity or a family's door."""
    return bool(_SCENE.fullmatch(value))


def is_code(session: Session, person: Person, words: str) -> bool:
    """Whether six digits by themselves may be an activity's code: something is open where this person may go."""
    return bool(_DIGITS.fullmatch("".join(words.split()))) and bool(activities.open_now(session, person.id))


def _where(words: str) -> str:
    plain = "".join(words.split())
    if is_scene(plain) or _DIGITS.fullmatch(plain):
        return plain
    raise Invalid(_("请选一项；在活动里，也可以直接写 6 位签到码。"))


def _code(words: str) -> str:
    plain = "".join(words.split())
    if not _DIGITS.fullmatch(plain):
        raise Invalid(_("签到码是 6 位数字，请带队的人给你看，每分钟会变。"))
    return plain


def _place(words: str) -> str:
    if not words.startswith("geo:") or _degrees(words) is None:
        raise Invalid(_("请用手机的“发送位置”，发一次就行；发不了就选下面一项。"))
    return words


def _degrees(words: str) -> tuple[float, float] | None:
    """Of "geo:LAT,LON" in degrees; None for what is no place on earth."""
    latitude, _comma, longitude = words.removeprefix("geo:").partition(",")
    try:
        found = float(latitude), float(longitude)
    except ValueError:
        return None
    return found if checking_in.is_place(*found) else None


def _perform(session: Session, person: Person, command: Look | CheckIn | CheckOut | TakeBack) -> Reply | Further:
    if isinstance(command, CheckOut | TakeBack):
        return carry_out(session, person, command)
    registered = volunteer_of(session, person.id)
    if registered is None or registered.status != ACTIVE:
        return say.not_active(registered is not None)
    return _look(session, person, command.where) if isinstance(command, Look) else _check_in(session, person, command)


# --- where they are ---


def _look(session: Session, person: Person, where: str) -> Reply | Further:
    if where == "visit":
        return _visit(session, person)
    if where == "activity":
        return _which_activity(session, person)
    if where == "station":
        return Reply(say.scan_station(), (Option("m:add_hours", _("补记时长")), Option("m:contact", _("联系专员"))))
    scanned = _SCENE.fullmatch(where)
    if scanned is None:
        return _by_code(session, person, where)
    if scanned[3]:
        return _card(session, person, scanned[4])
    if scanned[1] == "s":
        return _station(session, person, by_station_number(session, scanned[2]))
    return _activity(session, activities.by_activity_number(session, scanned[2]))


def _visit(session: Session, person: Person) -> Reply | Further:
    stints = checking_in.serving_in(session, person.id)
    if not stints:
        return Reply(say.no_pairing(), (Option("m:pairings", _("我的结对")), Option("m:contact", _("联系专员"))))
    if len(stints) == 1:
        return Further(_stint_facts(session, person, stints[0]))
    # Whom it is about is said by this door, and is not frozen in a talk that may go on at another one.
    options = [
        option
        for stint in stints
        for option in asked(
            session,
            person.id,
            "check_in_at",
            "at",
            AtFacts(stint=stint.id),
            [("yes", served(session, person, served_of(session, stint)))],
        )
    ]
    return Reply(_("现在在谁那里？"), tuple(options))


def _stint_facts(session: Session, person: Person, stint: Stint, kind: str = "stint") -> Facts:
    placed = kind == "stint" and checking_in.has_place(session, person.id, stint)
    known = [key for key in stint.services if key in entries("service")]
    return Facts(active=True, kind=kind, target=stint.id, contents=known or _five(), placed=placed)


def _five() -> list[str]:
    return list(entries("service"))[:CONTENTS]


def _station(session: Session, person: Person, found: Station | None) -> Reply | Further:
    if found is None or found.ended_at is not None:
        return Reply(say.no_station(), (Option("m:check_in", _("签到签退")), Option("m:contact", _("联系专员"))))
    facts = Facts(active=True, kind="station", target=found.id, contents=_five())
    return Further(facts, _("你在“{place}”签到。").format(place=found.name))


def _which_activity(session: Session, person: Person) -> Reply | Further:
    found = activities.open_now(session, person.id)
    if len(found) == 1:
        return _activity(session, found[0])
    if found:
        # One code says which it is.
        return Reply(say.type_the_code())
    return Reply(say.no_activity(), (Option("m:activities", _("近期活动")), Option("m:add_hours", _("补记时长"))))


def _activity(session: Session, found: Activity | None) -> Reply | Further:
    if found is None or not activities.is_open(found, now_of(session)):
        return Reply(say.activity_closed(found), (Option("m:activities", _("近期活动")),))
    facts = Facts(active=True, kind="activity", target=found.id, contents=[found.content])
    return Further(facts, _("活动：{name}").format(name=found.name))


def _by_code(session: Session, person: Person, typed: str) -> Reply:
    """Six digits say which activity it is."""
    if pauses(session, person.id):
        return Reply(say.pause())
    if not activities.open_now(session, person.id):
        return Reply(say.no_activity(), (Option("m:activities", _("近期活动")), Option("m:add_hours", _("补记时长"))))
    found = activities.with_code(session, person.id, typed)
    if len(found) == 1:
        return _check_in(session, person, CheckIn("activity", found[0].id, found[0].content, typed))
    if not found:
        count_wrong(session, person.id)
    return Reply(say.wrong_code() if not found else say.scan_activity(), (Option("m:check_in", _("签到签退")),))


def _card(session: Session, person: Person, token: str) -> Reply | Further:
    verdict, stint = door_cards.scanned(session, person.id, token, checking_in.serving_in(session, person.id))
    if stint is None or verdict != "good":
        text = say.foreign_card() if verdict == "foreign" else say.old_card()
        return Reply(text, (Option("m:check_in", _("签到签退")), Option("m:contact", _("联系专员"))))
    facts = _stint_facts(session, person, stint, "card")
    if len(facts.contents) > 1:
        return Further(facts)
    return _check_in(session, person, CheckIn("card", stint.id, facts.contents[0]))


# --- checking in ---


def _check_in(session: Session, person: Person, command: CheckIn) -> Reply:
    if command.proof == "card":
        return Reply(say.scan_card())
    try:
        row = _by_kind(session, person, command)
    except ServiceError as error:
        return Reply(say.refused(error.reason), (Option("m:check_out", _("签退")), Option("m:contact", _("联系专员"))))
    planned = row.planned_end.astimezone(ZoneInfo(person.zone)) if row.planned_end is not None else None
    began = row.starts_at.astimezone(ZoneInfo(person.zone))
    alone = (Option("m:lone_visit", _("独自上门")),) if row.stint_id is not None else ()
    text = say.checked_in(
        row, labels("service", [row.content])[0], f"{began:%H:%M}", f"{planned:%H:%M}" if planned else ""
    )
    return Reply(text, (Option("m:check_out", _("签退")), *alone, *mistake_button(session, person)))


def _by_kind(session: Session, person: Person, command: CheckIn) -> ServiceRecord:
    """Raises ServiceError, or Refused where another answer may help."""
    if command.kind == "station":
        return serving.check_in(session, person.id, Doing(command.content, STATION, station_id=command.target))
    if command.kind == "activity":
        return _with_code(session, person, command)
    stint = next((one for one in checking_in.serving_in(session, person.id) if one.id == command.target), None)
    if stint is None:
        raise ServiceError("gone")
    if command.kind == "card":
        return serving.check_in(session, person.id, Doing(command.content, CARD, stint_id=stint.id))
    if not command.proof.startswith("geo:"):
        return checking_in.unproven(session, person.id, stint, command.content, command.proof)
    degrees = _degrees(command.proof)
    row = checking_in.at_home(session, person.id, stint, command.content, *degrees) if degrees is not None else None
    if row is None:
        tried = lambda later: audit.note(later, person.id, "service.no_match", stint.id)  # noqa: E731
        raise Refused("place", say.no_match(), then=tried)
    return row


def _with_code(session: Session, person: Person, command: CheckIn) -> ServiceRecord:
    activity = session.get(Activity, command.target)
    if activity is None or not activities.is_open(activity, now_of(session)):
        raise ServiceError("gone")
    if pauses(session, person.id):
        raise Refused("code", say.pause())
    verdict = activity_codes.verdict(session, activity, command.proof)
    if verdict == "late":
        raise Refused("code", say.late_code())
    if verdict != "good":
        raise Refused("code", say.wrong_code(), then=lambda later: count_wrong(later, person.id))
    return serving.check_in(session, person.id, Doing(command.content, ACTIVITY, activity_id=activity.id))


CHECK_IN = Dialogue("check_in", Facts, _prepare, _talk, _perform)


# --- one of several, pressed ---


class AtFacts(Facts):
    """Which stint was pressed; the rest is found out then."""

    stint: str = ""


def _at_prepare(session: Session, person: Person) -> AtFacts:
    return AtFacts()


def _at_talk(facts: AtFacts) -> Talk:
    if facts.kind:
        return (yield from _talk(facts))
    if not facts.stint:
        return None
    yield Ask("at", _("现在在谁那里？"), (Choice("yes", _("就是这一位")),))
    return Look(facts.stint)


def _at_perform(session: Session, person: Person, command: Look | CheckIn | CheckOut | TakeBack) -> Reply | Further:
    if not isinstance(command, Look):
        return _perform(session, person, command)
    stint = next((one for one in checking_in.serving_in(session, person.id) if one.id == command.where), None)
    if stint is None:
        return Reply(say.refused("gone"), (Option("m:check_in", _("签到签退")),))
    return Further(AtFacts(**_stint_facts(session, person, stint).model_dump(), stint=stint.id))


CHECK_IN_AT = Dialogue("check_in_at", AtFacts, _at_prepare, _at_talk, _at_perform, repeats=True)
