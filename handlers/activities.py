"""近期活动: what is near and how to check in there; making one; and for whoever leads it, the code that changes."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel
from sqlmodel import Session

from config import regions
from config.services import entries, labels
from config.texts import _
from handlers import hours
from handlers.days import meant, with_weekday
from handlers.dialogue import Ask, Choice, Dialogue, Invalid, Refused, Talk
from handlers.here import here
from handlers.late import asked
from handlers.message import Link, Option, Reply
from handlers.moments import span
from handlers.places import place as place_meant
from models import activities, activity_codes
from models.activities import ActivityError, New
from models.activity import Activity
from models.database import now_of
from models.page import issue_page
from models.person import Person, family, local_now
from models.team import Team

SHOWN = 5
CONTENTS = 5  # of the catalogue: the five service contents


def near(session: Session, person: Person) -> Reply:
    """近期活动."""
    found = activities.near(session, person.id, SHOWN)
    lines = [_("近期活动：")] if found else [_("最近 {days} 天还没有登记的活动。").format(days=activities.NEAR.days)]
    options: list[Option] = []
    for at, row in enumerate(found, 1):
        lines.append(_("{number}. {line}").format(number=at, line=_line(session, person, row)))
        if row.leader_id in family(session, person.id):
            lines.append(_("　由你带队。"))
            options += _leading(session, person, row, several=len(found) > 1)
    if any(activities.is_open(row, now_of(session)) for row in found):
        lines.append(_("到了现场：回复“签到”，再写带队的人手机上的 6 位签到码。"))
        options.append(Option("m:check_in", _("签到签退")))
    elif found:
        lines.append(_("到了现场，回复“签到”，写带队的人给你看的 6 位签到码。想去或想问，先和专员说一声。"))
    if activities.homes(session, person.id):
        options.append(Option("m:activity_new", _("新建活动")))
    return Reply("\n".join(lines), (*options, Option("m:contact", _("联系专员"))))


def _line(session: Session, person: Person, row: Activity) -> str:
    parts = [row.name, times(person, row)]
    where = row.place or regions.place_words(row.county)
    return _("，").join([*parts, where, labels("service", [row.content])[0]])


def times(person: Person, row: Activity) -> str:
    """2026-12-05（星期六） 14:00–16:00, where this person lives."""
    zone = ZoneInfo(person.zone)
    begins, ends = row.starts_at.astimezone(zone), row.ends_at.astimezone(zone)
    last = f"{ends:%H:%M}" if begins.date() == ends.date() else f"{with_weekday(ends.date())} {ends:%H:%M}"
    return f"{with_weekday(begins.date())} {begins:%H:%M}–{last}"


# --- for whoever leads it ---


class LeadFacts(BaseModel):
    """Which one."""

    activity: str = ""


@dataclass(frozen=True, slots=True)
class Lead:
    """See the code, or cancel it."""

    activity: str
    what: str


def _lead_facts(session: Session, person: Person) -> LeadFacts:
    return LeadFacts()


def _leading(session: Session, person: Person, row: Activity, *, several: bool) -> tuple[Option, ...]:
    which = f"{row.name} " if several else ""
    shows = ("code", which + _("看签到码"))
    return asked(
        session,
        person.id,
        ACTIVITY.name,
        "what",
        LeadFacts(activity=row.id),
        [shows, ("cancel", which + _("取消活动"))],
    )


def _lead_talk(facts: LeadFacts) -> Talk:
    if not facts.activity:
        return None
    choices = (Choice("code", _("看签到码")), Choice("cancel", _("取消活动")))
    what = yield Ask("what", _("要做什么？"), choices)
    if what == "cancel":
        sure = yield Ask(
            "sure",
            _("取消以后，就不能在这个活动签到了；已经签到的照样算。确定取消吗？"),
            (Choice("yes", _("取消活动")), Choice("no", _("先不取消"))),
        )
        if sure == "no":
            return None
    return Lead(facts.activity, what)


def _lead(session: Session, person: Person, command: Lead) -> Reply:
    back = (Option("m:activities", _("近期活动")),)
    if command.what == "cancel":
        try:
            activities.cancel(session, person.id, command.activity)
        except ActivityError as error:
            return Reply(_refused(error), back)
        return Reply(_("活动取消了。约好要来的人，请告诉他们一声。"), back)
    row = session.get(Activity, command.activity)
    if row is None or row.leader_id not in family(session, person.id) or row.ends_at <= now_of(session):
        return Reply(_("这个活动不由你带队，或者已经结束，看不了签到码。"), back)
    if row.cancelled_at is not None:
        return Reply(_("这个活动已经取消了。"), back)
    return code_words(session, person, row)


def code_words(session: Session, person: Person, row: Activity) -> Reply:
    """The code now, and a page that renews itself."""
    code = activity_codes.current(session, row)
    text = _("“{name}”现在的签到码：{code}，还有 {seconds} 秒换新的；上一个还能用一会儿。").format(
        name=row.name, code=spaced(code.digits), seconds=code.seconds
    )
    again = asked(session, person.id, ACTIVITY.name, "what", LeadFacts(activity=row.id), [("code", _("看新的签到码"))])
    place = here(session)
    if not place.public_url:
        return Reply(text, again)
    lasts = max(row.ends_at - now_of(session), timedelta(minutes=30))
    token = issue_page(
        session,
        person.id,
        "data",
        {"activity_code": row.id},
        door_id=place.door_id,
        lasts=min(lasts, timedelta(days=2)),
    )
    text += "\n" + _("也可以打开下面的网页给大家看，码会自己换。网页只给现场用，不要转发到群里。")
    return Reply(text, again, links=(Link(place.page(token), _("打开签到码")),))


def spaced(digits: str) -> str:
    """482 913: read aloud in two breaths."""
    return f"{digits[:3]} {digits[3:]}"


@dataclass(frozen=True, slots=True)
class CodePage:
    """What the page with the code shows; `seconds` until it renews itself."""

    name: str
    digits: str
    seconds: int
    open: bool


def code_page(session: Session, reader: str, activity_id: str) -> CodePage | None:
    """For whoever leads it, as long as it lasts."""
    row = session.get(Activity, activity_id)
    if row is None or row.leader_id not in family(session, reader) or row.cancelled_at is not None:
        return None
    if row.ends_at <= now_of(session):
        return None
    code = activity_codes.current(session, row)
    return CodePage(row.name, spaced(code.digits), code.seconds, activities.is_open(row, now_of(session)))


ACTIVITY = Dialogue("activity", LeadFacts, _lead_facts, _lead_talk, _lead, repeats=True)


# --- making one ---


class NewFacts(BaseModel):
    """`homes` are the regions that they may make one in, `teams` those they lead: (id, name); `today` is local."""

    homes: tuple[str, ...] = ()
    teams: list[tuple[str, str]] = []
    today: str = ""


@dataclass(frozen=True, slots=True)
class Make:
    """Local times (ISO); without a name they may make none."""

    name: str = ""
    starts: str = ""
    ends: str = ""
    place: str = ""
    content: str = ""
    county: str = ""
    places: int = 0


def _new_facts(session: Session, person: Person) -> NewFacts:
    return NewFacts(
        homes=tuple(activities.homes(session, person.id)),
        teams=[(team.id, team.name) for team in activities.led(session, person.id)],
        today=local_now(session, person).date().isoformat(),
    )


def _new_talk(facts: NewFacts) -> Talk:
    if not facts.homes:
        return Make()
    today = date.fromisoformat(facts.today)
    name = yield Ask("name", _("活动叫什么？例如“周末读书会”。"), check=_name)
    example = (today + timedelta(days=7)).isoformat()
    text = _("什么时候开始？写日期和时间，例如 {example} 14:30，或“下周六下午2点半”。").format(example=example)
    starts = yield Ask("starts", text, check=_moment(today))
    begins = datetime.fromisoformat(starts)
    ends = yield Ask("ends", _("几点结束？例如 17:00，或“两个小时”。"), check=_end(begins), numeric=True)
    county = facts.homes[0]
    if len(facts.homes) > 1 or not regions.leaf(county):
        county = yield Ask("county", _("在哪个县（市、区）？"), check=_county(facts.homes))
    where = yield Ask(
        "place", _("在哪里集合？写清楚一点，例如“五山街道文化站二楼”。"), check=_short(activities.LONGEST_PLACE)
    )
    choices = tuple(Choice(key, labels("service", [key])[0]) for key in list(entries("service"))[:CONTENTS])
    content = yield Ask("content", _("属于哪一项服务？"), choices)
    text = _("最多多少人参加？写数字；不限就选下面。")
    places = yield Ask("places", text, (Choice("0", _("不限人数")),), check=_count, numeric=True)
    last = datetime.fromisoformat(ends)
    lines = [
        _("请核对：由你带队。"),
        name,
        f"{with_weekday(begins.date())} {begins:%H:%M}–{last:%H:%M}",
        _("{county}，{place}").format(county=regions.place_words(county), place=where),
        labels("service", [content])[0],
        _("最多 {count} 人").format(count=places) if int(places) else _("不限人数"),
    ]
    sure = yield Ask("confirm", "\n".join(lines), _confirm())
    return Make(name, starts, ends, where, content, county, int(places)) if sure == "submit" else None


def _confirm() -> tuple[Choice, ...]:
    return (
        Choice("submit", _("建活动"), words=(_("提交"),)),
        Choice("name", _("改名称"), drops=("name",)),
        Choice("starts", _("改时间"), drops=("starts", "ends")),
        Choice("place", _("改地点"), drops=("place",)),
        Choice("no", _("不建了")),
    )


def _name(words: str) -> str:
    name = " ".join(words.split())
    if not 2 <= len(name) <= activities.LONGEST_NAME or not any(c.isalpha() for c in name):
        raise Invalid(_("请写活动名称，2 到 {most} 个字。").format(most=activities.LONGEST_NAME))
    return name


def _short(most: int) -> Callable[[str], str]:
    def check(words: str) -> str:
        plain = " ".join(words.split())
        if not 2 <= len(plain) <= most:
            raise Invalid(_("请写 2 到 {most} 个字。").format(most=most))
        return plain

    return check


def _count(words: str) -> str:
    plain = words.strip().removesuffix("人").removesuffix("位").strip()
    if not (plain.isascii() and plain.isdecimal() and len(plain) <= 5 and 1 <= int(plain) <= activities.MOST_PLACES):
        raise Invalid(_("请写 1 到 {most} 之间的数字。").format(most=activities.MOST_PLACES))
    return str(int(plain))


_AT_END = re.compile(
    r"^(?P<day>.+?)\s*(?P<time>(?:凌晨|早上|上午|中午|下午|晚上)?\s*[\d一二三四五六七八九十两]{1,3}\s*[:：点點时時].*)$"
)


def _moment(today: date) -> Callable[[str], str]:
    """A check for a day and a time, kept as local “2026-12-05T14:30”."""

    def check(words: str) -> str:
        found = _AT_END.match(words.strip()[:60])
        try:
            day = meant(found["day"].strip(), today) if found else None
        except ValueError:
            day = None
        minutes = hours.one(found["time"]) if found else ()
        if day is None or not minutes:
            text = _("请写日期和时间，例如 {example} 14:30，或“下周六下午2点半”。")
            raise Invalid(text.format(example=(today + timedelta(days=7)).isoformat()))
        # Nobody meets at two in the night: of two times that are meant the one by day.
        at = next((one for one in minutes if 7 * 60 <= one < 22 * 60), minutes[0])
        return (datetime(day.year, day.month, day.day) + timedelta(minutes=at)).isoformat(timespec="minutes")  # noqa: DTZ001

    return check


def _end(begins: datetime) -> Callable[[str], str]:
    def check(words: str) -> str:
        length = span(words)
        if length is None:
            found = [begins.replace(hour=one // 60, minute=one % 60) for one in hours.one(words.strip())]
            length = min((at - begins for at in found if at > begins), default=None)
        if not length or length > activities.LONGEST:
            raise Invalid(_("请写一个比开始晚的时间，例如 17:00，或“两个小时”。"))
        return (begins + length).isoformat(timespec="minutes")

    return check


def _county(homes: tuple[str, ...]) -> Callable[[str], str]:
    look = place_meant()

    def check(words: str) -> str:
        found = [code for code in look(words) if any(regions.within(code, home) for home in homes)]
        if len(found) != 1 or not regions.leaf(found[0]):
            raise Invalid(_("请写由你负责的一个县（市、区），带上市的名字。"))
        return found[0]

    return check


def _make(session: Session, person: Person, command: Make) -> Reply:
    if not command.name:
        text = _("活动要由团队队长、专员或管理员来建。想办活动，请回复“联系专员”。")
        return Reply(text, (Option("m:contact", _("联系专员")),))
    zone = ZoneInfo(person.zone)
    starts, ends = (
        datetime.fromisoformat(one).replace(tzinfo=zone).astimezone(UTC) for one in (command.starts, command.ends)
    )
    team = _team(session, person, command.county)
    new = New(
        command.name,
        starts,
        ends,
        command.content,
        command.county,
        person.id,
        place=command.place,
        places=command.places or None,
        team_id=team.id if team is not None else None,
    )
    try:
        row = activities.create(session, person.id, new)
    except ActivityError as error:
        key = {"time": "starts", "name": "name", "place": "place", "places": "places"}.get(error.reason)
        if key is not None:
            raise Refused(key, _refused(error)) from None
        return Reply(_refused(error), (Option("m:activities", _("近期活动")),))
    text = _("活动建好了：{name}，{times}。\n开始前一小时起可以签到；签到码只有你能看，在“近期活动”里。")
    said = text.format(name=row.name, times=times(person, row))
    return Reply(said, (Option("m:activities", _("近期活动")),))


def _team(session: Session, person: Person, county: str) -> Team | None:
    """Of a team leader the team that is at home there."""
    return next((one for one in activities.led(session, person.id) if regions.within(county, one.region)), None)


def _refused(error: ActivityError) -> str:
    return {
        "scope": _("这个地方的活动不归你负责，没有改动。"),
        "time": _("时间不对：要在以后、一年以内，最长 24 小时。"),
        "leader": _("带队的人要是能服务的志愿者。请先注册，或请专员来建。"),
        "gone": _("这个活动已经结束或取消了。"),
        "name": _("名称太长或太短，请再写一次。"),
        "place": _("地点太长，请写短一点。"),
        "places": _("人数不对，请再写一次。"),
    }.get(error.reason, _("这个活动建不了，请检查后再试。"))


ACTIVITY_NEW = Dialogue("activity_new", NewFacts, _new_facts, _new_talk, _make)


def _notice(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    """For whoever leads it, where somebody else made or cancelled it."""
    row = session.get(Activity, str(params["activity"]))
    if row is None or row.ends_at <= now_of(session):
        return None
    if params["news"] == "cancelled":
        return Reply(_("由你带队的活动取消了：{line}。").format(line=_line(session, person, row)))
    if row.cancelled_at is not None:
        return None
    text = _("有一个活动由你带队：{line}。到时候在“近期活动”里看签到码，给来的人看。")
    return Reply(text.format(line=_line(session, person, row)), (Option("m:activities", _("近期活动")),))


NOTICES = {"notice.activity": _notice}
