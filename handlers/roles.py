"""What somebody is told who was given a role, or whose role has ended."""

from __future__ import annotations

from typing import Any

from sqlmodel import Session

from config.texts import _
from handlers.duties import role, scope
from handlers.here import here
from handlers.message import Option, Reply
from models.person import Person
from models.role import RoleGrant, highest


def _role_notice(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    """`news` in the parameters: "granted" or "ended"; None once that is no longer so."""
    row = session.get(RoleGrant, str(params["grant"]))
    granted = params["news"] == "granted"
    if row is None or (row.ended_at is None) != granted or row.person_id != person.id:
        return None
    reply = _granted(session, row) if granted else _ended(session, row)
    return Reply(reply.text, reply.options, menu=highest(session, person.id))


def _granted(session: Session, row: RoleGrant) -> Reply:
    lines = [_("你现在是{role}，负责：{scope}。").format(role=role(row), scope=scope(session, row))]
    if row.scope_kind == "region":
        lines.append(
            _(
                "这里的志愿者用“联系专员”写的话和求助会转到这里，请尽快答复；"
                "等你答复的话，随时回复“留言”就能看到；消息送不到、要打电话的人，回复“要打电话的人”。"
                "也可以登记监护人书面同意，核实换了账号回来的人。"
            )
        )
        if not here(session).sensitive_in_chat:
            lines.append(_("在 Telegram 里不显示别人写的话，要点链接在网页上看；处理求助请用微信。"))
    if row.scope_kind == "team":
        lines.append(
            _("队员用“联系专员”写的话会先转到这里，请尽快答复；随时回复“留言”就能看到。")
            + _("团队的队员，随时回复“团队”查看；加队员、移出队员也在那里。")
        )
    lines.append(_("你看到的都是别人的隐私，请不要转发。不是你要的职责，请回复“联系专员”。"))
    options = {
        "region": (Option("m:messages", _("留言")), Option("m:guardian_record", _("登记监护人书面同意"))),
        "team": (Option("m:teams", _("团队")), Option("m:messages", _("留言"))),
    }
    return Reply("\n".join(lines), options.get(row.scope_kind, ()))


def _ended(session: Session, row: RoleGrant) -> Reply:
    text = _("你的职责已经结束：{role}，{scope}。还没答复的留言和求助会转给现在负责的同事，谢谢你。")
    if row.scope_kind == "team":
        text = _("你的职责已经结束：{role}，{scope}。还没答复的留言会转给现在负责的同事，谢谢你！")
    return Reply(text.format(role=role(row), scope=scope(session, row)))


NOTICES = {"notice.role": _role_notice}
