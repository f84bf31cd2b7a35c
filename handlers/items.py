"""The items of a volunteer's profile: how each is asked, stored and read aloud. One table for all three."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlmodel import Session

from config.catalogue import rules
from config.regions import place_name
from config.services import DISTANCES, Kind, entries, labels
from config.texts import N_, _
from handlers import checks
from handlers.dialogue import Ask, Choice, Invalid
from handlers.here import here
from handlers.places import ask_county
from models import volunteer as volunteers
from models.person import Person
from models.volunteer import Volunteer, age_on

Value = Any


@dataclass(frozen=True)
class Item:
    """`ask` yields the item's questions and returns its value; `read` gives None while nothing is known.

    `basic` items were asked at registering: they can be corrected, not skipped or taken away. Where an item is asked to
    be filled in (`ask`'s second argument), it can be passed over, and the filling in can end there.
    """

    key: str
    label: str
    ask: Callable[[str, bool], Generator[Ask, Any, Value]]
    store: Callable[[Session, Person, Volunteer, Value], None]
    read: Callable[[Session, Volunteer], str | None]
    basic: bool = False


@dataclass(frozen=True)
class Born:
    """A birth date with the answer that goes with it between 16 and 18."""

    day: date
    self_supporting: bool


def _simple(key: str, text: str, check: Callable[[str], Any]) -> Callable[[str, bool], Generator[Ask, Any, Value]]:
    def ask(_today: str, skippable: bool) -> Generator[Ask, Any, Value]:
        return (yield Ask(key, _(text), check=check, skippable=skippable, stoppable=skippable))

    return ask


def _chosen(
    key: str, text: str, choices: Callable[[], tuple[Choice, ...]], *, many: bool = False
) -> Callable[[str, bool], Generator[Ask, Any, Value]]:
    def ask(_today: str, skippable: bool) -> Generator[Ask, Any, Value]:
        return (yield Ask(key, _(text), choices(), many=many, skippable=skippable, stoppable=skippable))

    return ask


def _kind(kind: Kind) -> Callable[[], tuple[Choice, ...]]:
    return lambda: tuple(Choice(key, entry.label, words=entry.spellings) for key, entry in entries(kind).items())


def _distances() -> tuple[Choice, ...]:
    return tuple(Choice(str(km), _("{km} 公里以内").format(km=km)) for km in DISTANCES)


def _memberships() -> tuple[Choice, ...]:
    return (
        Choice("league", _("共青团员")),
        Choice("party", _("中共党员")),
        Choice("none", _("都不是")),
        Choice("untold", _("不想说")),
    )


@dataclass(frozen=True)
class Spot:
    """Where somebody is usually to be found: the name of a town or street, or degrees in WGS-84 with two decimals."""

    town: str | None = None
    latitude: float | None = None
    longitude: float | None = None


def _sexes() -> tuple[Choice, ...]:
    return (Choice("female", _("女")), Choice("male", _("男")))


def _ask_sex(_today: str, skippable: bool) -> Generator[Ask, Any, Value]:
    text = _("你的性别是？有的家庭希望来的是女志愿者，或者男志愿者；可以不说。")
    choices = (*_sexes(), Choice("untold", _("不说"), words=(_("跳过"), "跳过", "skip", "不想说", "不想說")))
    said = yield Ask("sex", text, choices, stoppable=skippable)
    return None if said == "untold" else said


def _ask_spot(_today: str, skippable: bool) -> Generator[Ask, Any, Value]:
    text = _(
        "你平时常在哪里？可以发送位置，只记到大约 1 公里，用来就近安排；"
        "也可以写乡镇或街道的名字，例如“五山街道”。不想说，选“到区县就行”。"
    )
    again = _("请发送位置，或写乡镇、街道的名字；不想说，选“到区县就行”。")
    only = Choice("county", _("到区县就行"), words=(_("跳过"), "跳过", "skip", "不说", "不想说", "不說", "不想說"))
    said = yield Ask("spot", text, (only,), check=_spot, location=True, stoppable=skippable, again=again)
    return None if said == "county" else said


def _spot(words: str) -> Spot:
    if not words.startswith("geo:"):
        if any(c.isdigit() for c in words):
            raise Invalid(_("只写乡镇或街道的名字就行，不用写门牌。"))
        return Spot(town=checks.short_words(30, _("请写乡镇或街道的名字，2 到 30 个字，或者发送位置。"))(words))
    latitude, _comma, longitude = words.removeprefix("geo:").partition(",")
    try:
        found = Spot(latitude=round(float(latitude), 2), longitude=round(float(longitude), 2))
    except ValueError:
        raise Invalid(_("这个位置读不出来，请再发一次，或写乡镇、街道的名字。")) from None
    return found


def _store_spot(session: Session, _person: Person, volunteer: Volunteer, value: Value) -> None:
    spot = value or Spot()
    volunteer.town, volunteer.latitude, volunteer.longitude = spot.town, spot.latitude, spot.longitude
    session.add(volunteer)


def _read_spot(session: Session, volunteer: Volunteer) -> str | None:
    if volunteer.latitude is None or volunteer.longitude is None:
        return volunteer.town
    # Where somebody is to be found passes through Telegram once, by their own hand, and not back again.
    if not here(session).sensitive_in_chat:
        return _("发过位置，只记到大约 1 公里")
    degrees = f"{volunteer.latitude:.2f}，{volunteer.longitude:.2f}"
    return _("纬度、经度 {degrees}（只记到大约 1 公里）").format(degrees=degrees)


def _workplace(words: str) -> str:
    return checks.short_words(60, _("请写学校或单位的名称，2 到 60 个字，例如“广州大学”。"))(words)


def _ask_birth_date(today: str, _skippable: bool) -> Generator[Ask, Any, Value]:
    day = yield Ask("birth_date", _("正确的出生日期是？例如 2005-08-13。"), check=checks.birth_date(today))
    limits = rules().registration
    if limits.self_supporting_from <= age_on(day, date.fromisoformat(today)) < limits.guardian_consent_below:
        text = _("你是以自己的劳动收入为主要生活来源吗？")
        earns = yield Ask("self_supporting", text, (Choice("yes", _("是")), Choice("no", _("不是"))))
        return Born(day, earns == "yes")
    return Born(day, False)


def _ask_county(_today: str, _skippable: bool) -> Generator[Ask, Any, Value]:
    county = yield from ask_county(
        _("现在在哪个县（市、区）？写地名就行，例如“广州天河”；也可以发送位置，或从列表里选。")
    )
    return county.code


def _read_phone(session: Session, volunteer: Volunteer) -> str | None:
    number = volunteers.phone_of(session, volunteer)
    return checks.written_number(number, masked=not here(session).sensitive_in_chat) if number else None


def _field(name: str) -> Callable[[Session, Person, Volunteer, Value], None]:
    def store(session: Session, _person: Person, volunteer: Volunteer, value: Value) -> None:
        setattr(volunteer, name, list(value) if isinstance(value, tuple) else value)
        session.add(volunteer)

    return store


def _store_distance(session: Session, _person: Person, volunteer: Volunteer, value: Value) -> None:
    volunteer.travel_km = None if value is None else int(value)
    session.add(volunteer)


def _several(name: str, kind: Kind) -> Callable[[Session, Volunteer], str | None]:
    def read(_session: Session, volunteer: Volunteer) -> str | None:
        keys: list[str] | None = getattr(volunteer, name)
        return _("、").join(labels(kind, keys)) if keys else None

    return read


def _one(name: str, choices: Callable[[], tuple[Choice, ...]]) -> Callable[[Session, Volunteer], str | None]:
    def read(_session: Session, volunteer: Volunteer) -> str | None:
        value = getattr(volunteer, name)
        if value is None:
            return None
        return next((choice.label for choice in choices() if choice.value == str(value)), str(value))

    return read


ITEMS: dict[str, Item] = {
    item.key: item
    for item in (
        Item(
            "name",
            N_("姓名"),
            _simple("name", N_("正确的姓名是？和证件上一致。"), checks.person_name),
            lambda session, _person, volunteer, value: volunteers.set_name(session, volunteer, value),
            lambda session, volunteer: volunteers.name_of(session, volunteer) or None,
            basic=True,
        ),
        Item(
            "phone",
            N_("手机号"),
            _simple("phone", N_("新的手机号是？"), checks.mobile_number),
            lambda session, _person, volunteer, value: volunteers.set_phone(session, volunteer, value),
            _read_phone,
            basic=True,
        ),
        Item(
            "birth_date",
            N_("出生日期"),
            _ask_birth_date,
            lambda session, person, volunteer, value: volunteers.set_birth_date(
                session, person, volunteer, value.day, value.self_supporting
            ),
            lambda _session, volunteer: volunteer.birth_date.isoformat() if volunteer.birth_date else None,
            basic=True,
        ),
        Item(
            "county",
            N_("所在地"),
            _ask_county,
            lambda session, _person, volunteer, value: volunteers.set_county(session, volunteer, value),
            lambda _session, volunteer: place_name(volunteer.county) if volunteer.county else None,
            basic=True,
        ),
        Item(
            "occupation",
            N_("职业"),
            _chosen("occupation", N_("你现在是？"), _kind("occupation")),
            _field("occupation"),
            _one("occupation", _kind("occupation")),
        ),
        Item(
            "workplace",
            N_("学校或单位"),
            _simple("workplace", N_("你的学校或单位叫什么？"), _workplace),
            lambda session, _person, volunteer, value: volunteers.set_workplace(session, volunteer, value),
            lambda session, volunteer: volunteers.workplace_of(session, volunteer),
        ),
        Item(
            "skills",
            N_("技能"),
            _chosen("skills", N_("你有哪些技能？"), _kind("skill"), many=True),
            _field("skills"),
            _several("skills", "skill"),
        ),
        Item(
            "services",
            N_("愿意做的服务"),
            _chosen("services", N_("你愿意做哪些服务？"), _kind("service"), many=True),
            _field("services"),
            _several("services", "service"),
        ),
        Item(
            "free_times",
            N_("空闲时间"),
            _chosen("free_times", N_("你一般什么时候有空？"), _kind("free_time"), many=True),
            _field("free_times"),
            _several("free_times", "free_time"),
        ),
        Item(
            "travel_km",
            N_("愿意走多远"),
            _chosen("travel_km", N_("从你那里出发，愿意走多远？"), _distances),
            _store_distance,
            _one("travel_km", _distances),
        ),
        Item(
            "spot",
            N_("常在哪里"),
            _ask_spot,
            _store_spot,
            _read_spot,
        ),
        Item(
            "official_number",
            N_("i志愿或广东志愿者编号"),
            _simple("official_number", N_("你的 i志愿或广东志愿者编号是？"), checks.official_number),
            lambda session, _person, volunteer, value: volunteers.set_official_number(session, volunteer, value),
            lambda session, volunteer: volunteers.official_number_of(session, volunteer),
        ),
        Item(
            "membership",
            N_("团员或党员"),
            _chosen("membership", N_("你是共青团员或中共党员吗？只用于统计。"), _memberships),
            _field("membership"),
            _one("membership", _memberships),
        ),
        Item(
            "languages",
            N_("会说的语言"),
            _chosen("languages", N_("你会哪些语言？手语也算。"), _kind("language"), many=True),
            _field("languages"),
            _several("languages", "language"),
        ),
        Item(
            "sex",
            N_("性别"),
            _ask_sex,
            _field("sex"),
            _one("sex", _sexes),
        ),
    )
}
FURTHER = tuple(key for key, item in ITEMS.items() if not item.basic)


def todo(session: Session, volunteer: Volunteer) -> list[str]:
    """Further items without a value: never asked ones first, then those that were passed over."""
    empty = [key for key in FURTHER if ITEMS[key].read(session, volunteer) is None]
    return sorted(empty, key=lambda key: key in volunteer.skipped)
