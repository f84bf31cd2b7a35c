"""优先渠道: by which of several doors somebody wants to be written to first."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel
from sqlmodel import Session

from config.texts import _
from handlers.dialogue import Ask, Choice, Dialogue, Talk
from handlers.message import Option, Reply
from models import audit
from models.copy import PLATFORMS
from models.person import Door, Person, doors

LATEST = "latest"


class DoorFacts(BaseModel):
    """The person's open doors as (id, platform, account), and the preferred one; empty = the one used last."""

    doors: tuple[tuple[str, str, str], ...] = ()
    preferred: str = ""


@dataclass(frozen=True, slots=True)
class Prefer:
    """Write to this door first; None = to the one used last. Without `asked` there is nothing to choose."""

    door: str | None = None
    asked: bool = True


def _facts(session: Session, person: Person) -> DoorFacts:
    found = sorted(doors(session, person.id), key=lambda door: (door.opened_at, door.id))
    preferred = person.preferred_door_id or ""
    return DoorFacts(
        doors=tuple((door.id, door.platform, door.account) for door in found),
        preferred=preferred if any(door.id == preferred for door in found) else "",
    )


def _talk(facts: DoorFacts) -> Talk:
    if len(facts.doors) < 2:
        return Prefer(asked=False)
    names = _names(facts)
    now = names.get(facts.preferred) or _("最近用过的那个")
    chosen = yield Ask(
        "door",
        _(
            "我们主动找你时，优先用哪个渠道联系你？现在是：{now}。\n发不到的时候，会换别的渠道。\n你写来的话，这里当场应答；负责的同事后来的答复，也按你选的渠道发。"
        ).format(now=now),
        choices=(
            Choice(LATEST, _("最近用过的那个"), words=(_("最近"), _("随便"))),
            *(Choice(door, name) for door, name in names.items()),
        ),
    )
    return Prefer(None if chosen == LATEST else chosen)


def _names(facts: DoorFacts) -> dict[str, str]:
    """What the doors are called, with the account where there are two of a platform."""
    platforms = [platform for _door, platform, _account in facts.doors]
    return {
        door: _(PLATFORMS.get(platform, platform))
        if platforms.count(platform) == 1
        else _("{platform}（{account}）").format(platform=_(PLATFORMS.get(platform, platform)), account=account)
        for door, platform, account in facts.doors
    }


def _prefer(session: Session, person: Person, command: Prefer) -> Reply:
    if not command.asked:
        text = _("你现在只有一个渠道，不用选。想多一个，可以绑定另一个账号。")
        return Reply(text, (Option("m:bind", _("绑定另一个账号")),))
    door = session.get(Door, command.door) if command.door else None
    if command.door and (door is None or door.person_id != person.id):
        return Reply(_("这个渠道已经不在了，没有改动。"))
    person.preferred_door_id = door.id if door else None
    session.add(person)
    audit.note(session, person.id, "person.preferred_door", person.id, platform=door.platform if door else "")
    if door is None:
        return Reply(_("好的，以后先用你最近用过的渠道联系你。"))
    name = _(PLATFORMS.get(door.platform, door.platform))
    return Reply(_("好的，以后优先联系你的这个渠道：{platform}。").format(platform=name))


# A door may close while the question waits.
PREFERRED_DOOR = Dialogue("preferred_door", DoorFacts, _facts, _talk, _prefer, rereads=True)
