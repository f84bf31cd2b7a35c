"""What is said when somebody leaves a talk before its end: what became of it, and the way on."""

from __future__ import annotations

from config.texts import _
from handlers import account, contact, guardian, guardian_record, menu, profile, recognition, registration
from handlers.message import Reply

# Talks that somebody may well want to take up again after 取消; nobody is invited twice to delete their data.
_TAKEN_UP_AGAIN = (
    registration.REGISTRATION,
    profile.PROFILE,
    profile.CHANGE,
    recognition.RECOGNITION,
    guardian.GUARDIAN,
    guardian_record.GUARDIAN_RECORD,
    account.BIND,
    contact.CONTACT,
)


def left(name: str, word: str, *, resumed: bool) -> Reply:
    """取消 or 先到这里 ended this talk: what became of it, and the way on unless another talk goes on by itself."""
    said = _("好的，已经取消。")
    if name == profile.PROFILE.name:
        said = _("好的，先到这里，填过的都保存了。") if word == "enough" else _("好的，已经取消，填过的都保存了。")
    if resumed:
        return Reply(said)
    if any(name == dialogue.name for dialogue in _TAKEN_UP_AGAIN):
        return Reply(said + _("想再来，回复“{title}”；做别的，回复“菜单”。").format(title=menu.title(name)))
    return Reply(said + _("想做什么，回复“菜单”。"))
