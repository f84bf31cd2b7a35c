"""我的数据: everything that is kept about a person, as plain rows to read. Titles and labels are message ids."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlmodel import Session, col, select

from config.services import labels
from config.texts import N_
from models import alert, confirming, consent, contact, hours_cases, hours_ledger, hours_told, qualifying, serving
from models.alert import Alert
from models.duty_leave import DutyLeave
from models.guardianship import Guardianship
from models.person import Door, Person, address_form, doors
from models.qualification import Qualification
from models.role import grants
from models.team import Team, by_team_number
from models.team_member import team_rows
from models.turn import SKIPPED, Turn
from models.volunteer import (
    Volunteer,
    name_of,
    official_number_of,
    phone_of,
    volunteer_of,
    workplace_of,
)


@dataclass(frozen=True, slots=True)
class Row:
    """`value` is what is kept; `is_message` says that it is a message id to be translated, like the label.

    Several values are joined, and a place, which is kept by its code, is named in the reader's language, by whoever
    shows them.
    """

    label: str
    value: str | tuple[str, ...]
    is_message: bool = False
    is_place: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """One heading with its rows; without rows nothing is kept under it."""

    title: str
    rows: tuple[Row, ...]


PLACE = N_("所在地")
PLATFORMS = {"wechat": N_("微信"), "telegram": N_("Telegram")}
LANGUAGES = {"zh_CN": "简体中文", "zh_HK": "繁體中文（香港）", "en": "English"}
CONSENTS = {
    "registration": N_("登记成为志愿者"),
    "guardian": N_("监护人同意"),
    "pairing": N_("结对"),
    "visits": N_("探访"),
    "photos": N_("拍照"),
    "publicity": N_("宣传使用"),
}
GIVERS = {"self": N_("本人"), "guardian": N_("监护人"), "specialist": N_("项目专员登记的书面同意")}
STATUSES = {
    "waiting_guardian": N_("等待监护人同意"),
    "active": N_("正常"),
    "paused_guardian": N_("监护人撤回同意，已停"),
    "ended": N_("已撤回登记授权，已停"),
    "deleted": N_("已删除"),
}
MEMBERSHIPS = {"none": N_("都不是"), "league": N_("团员"), "party": N_("党员"), "untold": N_("不说")}
SEXES = {"female": N_("女"), "male": N_("男")}
RECORDS = {
    "running": N_("正在进行的服务"),
    "asked": N_("没有签退的服务"),
    "waiting": N_("等确认的服务"),
    "confirmed": N_("已确认的服务"),
    "refused": N_("没有通过的服务"),
    "void": N_("撤回的服务"),
}
QUALIFICATIONS = {
    "first_training": N_("上岗培训"),
    "training": N_("系统培训"),
    "certificate": N_("资格证"),
    "insurance": N_("保险"),
}
ROLES = {"specialist": N_("项目专员"), "organiser": N_("管理员")}


def copy_of(session: Session, person_id: str) -> list[Section]:
    """Everything kept about a person, in sections; times in the person's own zone. Raises LookupError."""
    person = session.get(Person, person_id)
    if person is None:
        raise LookupError(f"no person {person_id}")
    sections = (
        Section(N_("登记资料"), tuple(_registration(session, person))),
        Section(N_("监护人"), tuple(_guardians(session, person))),
        Section(N_("账号"), tuple(_doors(session, person))),
        Section(N_("设置"), tuple(_preferences(session, person))),
        Section(N_("同意过的事"), tuple(_consents(session, person))),
        Section(N_("写给专员的话"), tuple(_contacts(session, person))),
        Section(N_("求助记录"), tuple(_alerts(session, person))),
        Section(N_("职责"), tuple(_roles(session, person))),
        Section(N_("培训与证书"), tuple(_qualifications(session, person))),
        Section(N_("值班请假"), tuple(_duty_leaves(session, person))),
        Section(N_("团队"), tuple(_teams(session, person))),
        Section(N_("服务时长"), tuple(_hours(session, person))),
        Section(N_("提过的“时长有误”"), tuple(_hours_cases(session, person))),
    )
    return [section for section in sections if section.rows]


def _when(person: Person, at: datetime) -> str:
    return at.astimezone(ZoneInfo(person.zone)).strftime("%Y-%m-%d %H:%M")


def _registration(session: Session, person: Person) -> list[Row]:
    row = volunteer_of(session, person.id)
    if row is None:
        return []
    told: list[tuple[str, str | tuple[str, ...] | None]] = [
        (N_("志愿者编号"), row.number),
        (N_("登记时间"), _when(person, row.registered_at)),
        (N_("姓名"), name_of(session, row)),
        (N_("手机号"), phone_of(session, row)),
        (N_("出生日期"), row.birth_date.isoformat() if row.birth_date else None),
        (PLACE, row.county),
        (N_("职业"), tuple(labels("occupation", [row.occupation] if row.occupation else []))),
        (N_("学校或单位"), workplace_of(session, row)),
        (N_("技能"), tuple(labels("skill", row.skills or []))),
        (N_("愿意提供的服务"), tuple(labels("service", row.services or []))),
        (N_("空闲时间"), tuple(labels("free_time", row.free_times or []))),
        (N_("愿意走多远（公里）"), str(row.travel_km) if row.travel_km else None),
        (N_("常在哪里"), row.town),
        (N_("常在的位置（纬度，经度，约 1 公里）"), _position(row)),
        (N_("i志愿编号"), official_number_of(session, row)),
        (N_("会说的语言"), tuple(labels("language", row.languages or []))),
        (N_("培训日期"), row.trained_on.isoformat() if row.trained_on else None),
        (N_("无犯罪记录查询有效期至"), row.cleared_until.isoformat() if row.cleared_until else None),
    ]
    rows = [Row(label, value, is_place=label == PLACE) for label, value in told if value]
    if row.membership:
        rows.append(Row(N_("团员或党员"), MEMBERSHIPS[row.membership], is_message=True))
    if row.sex:
        rows.append(Row(N_("性别"), SEXES[row.sex], is_message=True))
    return [Row(N_("状态"), STATUSES[row.status], is_message=True), *rows]


def _position(row: Volunteer) -> str | None:
    if row.latitude is None or row.longitude is None:
        return None
    return f"{row.latitude:.2f}, {row.longitude:.2f}"


def _guardians(session: Session, person: Person) -> list[Row]:
    """Who agreed for this person, and whom this person agreed for; never the other side's name or number."""
    given = select(Guardianship).where(Guardianship.guardian_person == person.id)
    own = volunteer_of(session, person.id)
    rows = [Row(N_("我为一位未成年志愿者同意，时间"), _when(person, held.given_at)) for held in session.exec(given)]
    if own is not None:
        received = select(Guardianship).where(Guardianship.volunteer_id == own.id)
        for held in session.exec(received.order_by(col(Guardianship.given_at))):
            rows.append(Row(N_("监护人同意的时间"), _when(person, held.given_at)))
            if held.withdrawn_at is not None:
                rows.append(Row(N_("监护人撤回的时间"), _when(person, held.withdrawn_at)))
    return rows


def _doors(session: Session, person: Person) -> list[Row]:
    rows = []
    for door in doors(session, person.id):
        rows.append(Row(N_("账号"), PLATFORMS.get(door.platform, door.platform), is_message=True))
        rows.append(Row(N_("开始使用"), _when(person, door.opened_at)))
        rows.append(Row(N_("最近一次发消息"), _when(person, door.last_in_at)))
    return rows


def _preferences(session: Session, person: Person) -> list[Row]:
    quiet = f"{person.quiet_from:%H:%M}–{person.quiet_until:%H:%M}"
    rows = [Row(N_("第一次来的时间"), _when(person, person.created_at)), Row(N_("语言"), LANGUAGES[person.language])]
    called = address_form(session, person)
    if called:
        rows.append(Row(N_("称呼"), called))
    rows.append(Row(N_("时区"), person.zone))
    if person.quiet_from == person.quiet_until:
        rows.append(Row(N_("免打扰时段"), N_("已关闭"), is_message=True))
    else:
        rows.append(Row(N_("免打扰时段"), quiet))
    if person.paused_until is not None:
        rows.append(Row(N_("暂停到"), person.paused_until.isoformat()))
    preferred = session.get(Door, person.preferred_door_id) if person.preferred_door_id else None
    if preferred is not None and preferred.person_id == person.id:
        rows.append(Row(N_("优先渠道"), PLATFORMS.get(preferred.platform, preferred.platform), is_message=True))
    if person.campaigns_off:
        rows.append(Row(N_("活动消息"), N_("已关闭"), is_message=True))
    return rows


def _consents(session: Session, person: Person) -> list[Row]:
    rows = []
    for given in consent.history(session, person.id):
        rows.append(Row(N_("同意的事"), CONSENTS[given.kind], is_message=True))
        rows.append(Row(N_("谁同意的"), GIVERS[given.giver], is_message=True))
        rows.append(Row(N_("说明的版本"), f"{given.version} ({given.language})"))
        rows.append(Row(N_("同意的时间"), _when(person, given.given_at)))
        if given.withdrawn_at is not None:
            rows.append(Row(N_("撤回的时间"), _when(person, given.withdrawn_at)))
    return rows


def _contacts(session: Session, person: Person) -> list[Row]:
    rows = []
    for message in contact.written_with(session, person.id):
        words = contact.words_of(session, message)
        if words is not None:
            rows.append(Row(N_("你写的") if message.by_asker else N_("专员的回复"), words))
            rows.append(Row(N_("时间"), _when(person, message.at)))
    return rows


def _alerts(session: Session, person: Person) -> list[Row]:
    rows = []
    for row in session.exec(select(Alert).where(Alert.person_id == person.id).order_by(col(Alert.at), Alert.id)):
        words = alert.words_of(session, row)
        rows.append(Row(N_("求助的时间"), _when(person, row.at)))
        if words:
            rows.append(Row(N_("求助时写的话"), words))
    return rows


def _roles(session: Session, person: Person) -> list[Row]:
    rows = []
    for grant in grants(session, person.id):
        team = by_team_number(session, grant.scope) if grant.scope_kind == "team" else None
        scope = team.name if team is not None else grant.scope
        rows.append(Row(ROLES[grant.role], scope, is_place=grant.scope_kind == "region"))
    return rows


def _qualifications(session: Session, person: Person) -> list[Row]:
    """Also what was renewed since."""
    query = select(Qualification).where(Qualification.person_id == person.id)
    rows = session.exec(query.order_by(col(Qualification.noted_at), col(Qualification.id))).all()
    return [
        Row(
            QUALIFICATIONS[row.kind],
            " ".join(str(one) for one in (qualifying.number_of(session, row), row.since, row.until) if one),
        )
        for row in rows
    ]


def _duty_leaves(session: Session, person: Person) -> list[Row]:
    query = select(DutyLeave).where(DutyLeave.person_id == person.id)
    rows = session.exec(query.order_by(col(DutyLeave.first_day), col(DutyLeave.id))).all()
    return [Row(N_("值班请假"), f"{row.first_day} – {row.last_day}") for row in rows]


def _teams(session: Session, person: Person) -> list[Row]:
    rows = []
    for held in team_rows(session, person.id):
        rows.append(Row(N_("团队"), session.get_one(Team, held.team_id).name))
        rows.append(Row(N_("加入的时间"), _when(person, held.joined_at)))
        if held.left_at is not None:
            rows.append(Row(N_("离开的时间"), _when(person, held.left_at)))
    turns = select(Turn.asked_at).where(Turn.person_id == person.id, Turn.state != SKIPPED).order_by(col(Turn.asked_at))
    return [*rows, *(Row(N_("问你能不能去（轮到你）的时间"), _when(person, at)) for at in session.exec(turns))]


def _hours(session: Session, person: Person) -> list[Row]:
    """Every service record, and every line of the hours ledger about the person, by its number there."""
    rows = []
    for record in hours_told.records_of(session, person.id):
        until = _when(person, record.ends_at) if record.ends_at is not None else "…"
        kept = (_when(person, record.starts_at), until, *labels("service", [record.content]))
        rows.append(Row(RECORDS[record.state], (*kept, f"{record.minutes / 60:g} h")))
        note, why = serving.note_of(session, record), confirming.reason_of(session, record)
        rows += [Row(label, words) for label, words in ((N_("备注"), note), (N_("原因"), why)) if words]
    for line in hours_ledger.entries_of(session, person.id):
        kept = (f"{line.county}-{line.seq}", line.day.isoformat(), *labels("service", [line.content]))
        rows.append(Row(N_("时长台账"), (*kept, f"{line.minutes / 60:+g} h", line.hash)))
    return rows


def _hours_cases(session: Session, person: Person) -> list[Row]:
    rows = []
    for case in hours_cases.cases_of(session, person.id):
        rows.append(Row(N_("提出的时间"), _when(person, case.opened_at)))
        said, answer = hours_cases.said(session, case), hours_cases.answer_of(session, case)
        rows += [Row(label, words) for label, words in ((N_("你写的"), said), (N_("专员的回复"), answer)) if words]
    return rows
