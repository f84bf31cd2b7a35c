"""When nothing fits: a short useful answer and the way to a person. Never silence."""

from __future__ import annotations

from sqlmodel import Session

from config.texts import _
from handlers import asking, cries, listing, menu, talk
from handlers.message import Reply
from models.conversation import State
from models.person import Person


def unknown(session: Session, person: Person, state: State, words: str) -> Reply:
    """Free text that fits nothing."""
    if menu.acknowledged(words):
        waiting = cries.not_taken_yet(session, person)
        if waiting is not None:
            return asking.show(state, waiting)
        return asking.show(state, Reply(_("好的。想做什么，回复“菜单”。")), keep=True)
    if state.ended_now:
        # It answered the talk that has just been ended for want of time: the way back to it says enough.
        return asking.show(state, Reply("", menu.options(*menu.keys_of(state.parked), "contact")))
    if menu.greets(words):
        return asking.show(state, menu.greeting(session, person))
    text = _("这句我没看懂。回复“菜单”看看能做什么；要找人，回复“联系专员”留言。")
    return asking.show(state, Reply(text, menu.options(*menu.first_steps(session, person), "my", "contact")))


def answers_a_card(session: Session, person: Person, state: State) -> Reply:
    """What somebody wrote because a card had asked them to, whatever it was: it brings what the card was about, and
    answers no question that had waited before."""
    said = _("有消息等着你，这就发来。")
    if state.current is not None:
        return talk.ask_again(session, person, state, said + _("刚才写的没有算作回答，之前的问题还在："))
    return asking.show(state, Reply(said), keep=True)


def no_such_code(state: State) -> Reply:
    """A code by itself that nobody was given."""
    text = _("没有这个码，请对照收到的消息再发一次。监护码和绑定码都是 8 位字母和数字。")
    return asking.show(state, Reply(text, menu.options("my", "contact")))


def empty(session: Session, person: Person, state: State) -> Reply:
    """A message without readable words."""
    return _gently(session, person, state, _("这条消息里没有文字。"))


def media(session: Session, person: Person, state: State, kind: str) -> Reply:
    """Stickers, voice and pictures where text is asked."""
    said = {
        "sticker": _("图片和表情我看不懂，请打字告诉我。"),
        "image": _("图片和表情我看不懂，请打字告诉我。"),
        "voice": _("语音我还听不懂，请打字告诉我。"),
        "video": _("视频我看不懂，请打字告诉我。"),
    }
    return _gently(session, person, state, said.get(kind, _("这类消息我还不会看，请打字告诉我。")))


def location(session: Session, person: Person, state: State) -> Reply:
    """A location that nobody asked for: it is not kept."""
    text = _("收到一个位置。现在没有问题需要位置，所以没有保存。")
    return asking.show(state, Reply(text, menu.options("my", "contact")))


def unknown_code(state: State) -> Reply:
    """A QR code or link that is not ours, or too old."""
    text = _("这个二维码或链接我不认识，可能已经过期。回复“菜单”看看能做什么，或回复“联系专员”。")
    return asking.show(state, Reply(text, menu.options("contact")))


def _gently(session: Session, person: Person, state: State, said: str) -> Reply:
    if state.current is not None:
        return talk.ask_again(session, person, state, said)
    listed = listing.kept(session, person, state, said)
    if listed is not None:
        return listed
    return asking.show(state, Reply(said + _("想做什么，回复“菜单”。"), menu.options("my", "contact")))
