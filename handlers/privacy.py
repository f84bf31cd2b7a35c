"""What is kept, which consents stand, a readable copy, and deletion (programme.md §12, PIPL)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel
from sqlmodel import Session

from config.catalogue import rules
from config.texts import _, current
from handlers.dialogue import Ask, Choice, Dialogue, Invalid, Refused, Talk, folded
from handlers.here import here
from handlers.message import Link, Option, Reply
from handlers.operator import who_is_responsible
from models import consent
from models.account import serve_again, stop_serving
from models.copy import CONSENTS as KIND_WORDS
from models.erasure import LastOrganiser, delete_person, is_last_organiser
from models.guardian import GuardianError, take_back, wards
from models.page import issue_page
from models.person import Person
from models.role import highest
from models.volunteer import ACTIVE, ENDED, volunteer_of

DELETES = "~delete"  # the value of the button that deletes: nobody types it
CONFIRMATIONS = ("确认删除", "確認刪除", "confirm deletion")  # understood whatever the language spoken


def overview(session: Session, person: Person) -> Reply:
    """隐私授权: what is kept, for what, and what can be done about it."""
    text = _(
        "你的资料只用来安排志愿服务：登记资料、同意记录、账号和设置，加密保存；聊天原文 {days} 天后删除。\n"
        "你可以随时看一份副本，撤回同意，或者删除。"
    ).format(days=rules().messages.retention_days)
    return Reply(
        text,
        (
            Option("m:consents", _("查看和撤回授权")),
            Option("m:my_data", _("我的数据")),
            Option("m:delete_me", _("删除我的数据")),
        ),
    )


def my_data(session: Session, person: Person) -> Reply:
    """我的数据: a one-time page with a readable copy, on every platform."""
    place = here(session)
    if not place.public_url:
        responsible = who_is_responsible(place.operator, place.operator_contact)
        return Reply(
            _("这里现在打不开网页，看不了副本。请回复“联系专员”留言要副本，或找负责的单位。") + "\n" + responsible
        )
    token = issue_page(session, person.id, "data", {}, door_id=place.door_id)
    text = _(
        "这是一份可以读的副本：登记资料、账号、设置、同意过的事、写给专员的话、求助记录和职责。\n"
        "链接 {minutes} 分钟内有效，只给你自己看，不要转发。"
    ).format(minutes=rules().doors.page_minutes)
    text += "\n" + who_is_responsible(place.operator, place.operator_contact)
    return Reply(text, links=(Link(place.page(token), _("打开我的数据")),))


class Given(BaseModel):
    """A consent that stands. `key` is its kind, or "ward:<id>" for a child that the person agreed for."""

    key: str
    kind: str
    day: str
    version: str
    number: str = ""


class ConsentFacts(BaseModel):
    """What stands now; `ended` = the registration's consent was taken back and can be given again."""

    given: tuple[Given, ...] = ()
    ended: bool = False


@dataclass(frozen=True, slots=True)
class Consents:
    """What to take back; "" = there is nothing, "~again" = give the registration's consent again."""

    key: str


def _consent_facts(session: Session, person: Person) -> ConsentFacts:
    zone = ZoneInfo(person.zone)
    own = {row.kind: row for row in consent.standing(session, person.id)}
    given = [
        Given(key=kind, kind=kind, day=row.given_at.astimezone(zone).date().isoformat(), version=row.version)
        for kind, row in own.items()
        if kind != "guardian"  # taken back by the guardian, never by the child
    ]
    for held, ward in wards(session, person.id):
        row = session.get(consent.Consent, held.consent_id)
        day = held.given_at.astimezone(zone).date().isoformat()
        version = row.version if row else ""
        given.append(Given(key=f"ward:{held.id}", kind="guardian", day=day, version=version, number=ward.number))
    registered = volunteer_of(session, person.id)
    return ConsentFacts(given=tuple(given), ended=registered is not None and registered.status == ENDED)


def _consent_talk(facts: ConsentFacts) -> Talk:
    if not facts.given and not facts.ended:
        return Consents("")
    lines = [_("你同意过的事：")] if facts.given else [_("你撤回了登记授权，登记已停，资料还在。")]
    lines += [_line(row) for row in facts.given]
    choices = [Choice(row.key, _("撤回：{what}").format(what=_what(row))) for row in facts.given]
    if facts.ended:
        choices.append(Choice("~again", _("重新同意登记，恢复服务")))
    key = yield Ask("key", "\n".join(lines), choices=(*choices, Choice("none", _("不改动"))))
    if key == "none":
        return None
    row = next((row for row in facts.given if row.key == key), None)
    sure = yield Ask(
        "sure",
        _consequence(row),
        choices=(Choice("yes", _("确定"), words=(_("撤回"), _("是"))), Choice("no", _("不了"))),
    )
    return Consents(key) if sure == "yes" else None


def _what(row: Given) -> str:
    what = _(KIND_WORDS[row.kind])
    return _("{what}（{number}）").format(what=what, number=row.number) if row.number else what


def _line(row: Given) -> str:
    return _("{what}：{day} 同意，说明版本 {version}").format(what=_what(row), day=row.day, version=row.version)


def _consequence(row: Given | None) -> str:
    if row is None:
        return _("重新同意按现在的说明（版本 {version}）使用你的登记资料，恢复服务？").format(
            version=rules().registration.notice_version
        )
    if row.kind == "registration":
        return _(
            "撤回登记授权以后，你不再是在岗志愿者：不再安排结对和活动，也不再发提醒。\n"
            "资料和服务记录不会因此删除；想删除，回复“删除我的数据”。以后可以在这里重新同意。确定撤回吗？"
        )
    if row.kind == "guardian":
        return _("撤回以后，孩子的志愿服务马上停下，直到有监护人再同意。确定撤回吗？")
    return _("撤回以后，不再为“{what}”使用你的资料；以前已经做过的不受影响。确定撤回吗？").format(what=_what(row))


def _consents(session: Session, person: Person, command: Consents) -> Reply:
    key = command.key
    if not key:
        return Reply(_("现在没有生效的同意，也就没有要撤回的。"))
    if key == "~again":
        return _again(session, person)
    if key.startswith("ward:"):
        try:
            take_back(session, person, key.removeprefix("ward:"))
        except GuardianError:
            raise Refused("key", _("这一项刚刚已经撤回了。")) from None
        return Reply(_("已经撤回，孩子的志愿服务停下了，也会告诉孩子。"))
    if not consent.stands(session, person.id, key):
        return Reply(_("这一项刚刚已经撤回了。"))
    if key == "registration":
        stop_serving(session, person)
        return Reply(_("已经撤回，登记停下了，资料还在。想恢复，回复“隐私授权”；想删除，回复“删除我的数据”。"))
    consent.withdraw(session, person.id, key)
    return Reply(_("已经撤回。"))


def _again(session: Session, person: Person) -> Reply:
    try:
        status = serve_again(session, person, rules().registration.notice_version, current())
    except LookupError:
        return Reply(_("登记没有停，不用恢复。"))
    if status == ACTIVE:
        return Reply(_("已经恢复，欢迎回来！"))
    return Reply(_("已经记下。你未满 18 岁，还要监护人同意后才恢复，请回复“报名”把链接发给监护人。"))


CONSENTS = Dialogue("consents", ConsentFacts, _consent_facts, _consent_talk, _consents)


class DeleteFacts(BaseModel):
    """What the explanation depends on."""

    last_organiser: bool = False
    wards: int = 0


@dataclass(frozen=True, slots=True)
class Delete:
    """The person has read what goes and what stays, and wants it."""


def _delete_facts(session: Session, person: Person) -> DeleteFacts:
    return DeleteFacts(
        last_organiser=is_last_organiser(session, person.id),
        wards=len(wards(session, person.id)),
    )


def _delete_talk(facts: DeleteFacts) -> Talk:
    if facts.last_organiser:
        return Delete()
    ward = _("你为 {count} 个孩子做过监护人同意，删除后一并撤回，孩子的服务会停下。").format(count=facts.wards)
    go = yield Ask(
        "go",
        _(
            "删除以后马上消失的：姓名、手机号、生日、所在地和其他登记资料，称呼和设置，聊天内容，"
            "写给专员的话，没发出的消息，还没用的码和链接；担任的职责也会结束。\n"
            "法律要求留下的：志愿者编号和服务记录（志愿服务条例），同意和撤回的时间与操作记录（不少于三年），"
            "求助和安全记录（未成年人保护法）。它们不再和这个账号相连。\n"
            "删除后不能恢复。"
        )
        + (ward if facts.wards else "")
        + _("要继续吗？"),
        choices=(Choice("yes", _("继续")), Choice("no", _("不删了"))),
    )
    if go == "no":
        return None
    sure = yield Ask(
        "sure",
        _("最后一步：请按“确认删除”，或者回复“确认删除”四个字。只回数字不会删除。"),
        # No number deletes anybody, nor does a word that only the programme knows: a slip of the thumb is too easy.
        choices=(Choice(DELETES, _("确认删除"), before=("yes",)), Choice("no", _("不删了"))),
        check=_exactly(_("确认删除"), *CONFIRMATIONS),
        numeric=True,
    )
    return Delete() if sure in (DELETES, "yes") else None


def _exactly(*phrases: str) -> Callable[[str], str]:
    """A check that takes nothing but one of the phrases: 是, 好的 or 1 deletes nobody."""
    known = {folded(phrase) for phrase in phrases}

    def check(words: str) -> str:
        if folded(words.strip().strip("“”「」\"'。.")) not in known:
            raise Invalid(_("还没有删除。要删除请回复“确认删除”，不删请回复“不删了”。"))
        return DELETES

    return check


def _delete(session: Session, person: Person, command: Delete) -> Reply:
    try:
        fresh = delete_person(session, person, here=here(session).door_id)
    except LastOrganiser:
        return Reply(
            _("你是现在唯一的管理员，删除以后就没有人能照看大家了。请先授权另一位管理员，再来删除；资料暂时没有动。")
        )
    said = _("已经删除。谢谢你来过！以后想回来，回复“报名”就能重新开始。")
    return Reply(said, menu=highest(session, fresh.id))  # no role is left


DELETE = Dialogue("delete", DeleteFacts, _delete_facts, _delete_talk, _delete)


def _deleted(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    """For the person's other accounts, which lead to somebody new from now on."""
    said = _(
        "你在另一个账号里要求删除，这里的资料也一起删除了。以后想回来，回复“报名”就能重新开始。不是你本人做的，请回复“联系专员”。"
    )
    return Reply(said, menu=highest(session, person.id))


NOTICES = {"notice.deleted": _deleted}
