"""Somebody's own words for an answer that waits: a plain yes, a no, 晚点, 还在 — also when something else came in
between. Of one thing they answer it as its button does; of several it is asked which one. A bare 收到 or 好的 answers
nothing, and what waits still is said (programme §6).
"""

from __future__ import annotations

import re

from sqlmodel import Session

from config.texts import _
from handlers import cries, late, menu, offer, open_questions, silence, standing, taking_back, talk
from handlers.asking import show
from handlers.message import Reply
from handlers.open_questions import AGREEMENT, INVITATION, TURN, WELL, Waits
from handlers.ordinary import is_ordinary
from handlers.typed import came, newest_notice, shown, shown_late
from models.alert import recent_alert
from models.conversation import State
from models.person import Person

_END = "[吧呀啊哦噢的了呢。.！!～~ ]*"


def _whole(words: str) -> re.Pattern[str]:
    return re.compile(f"(好的?[，,、 ]?)?({words}){_END}", re.IGNORECASE)


# Words that say yes, with the kinds of what they can answer, what they fit best in front.
_YES: tuple[tuple[re.Pattern[str], tuple[tuple[str, ...], ...]], ...] = (
    (_whole("我?们?們?(接受|同意)|i accept|accept|i agree|agree"), ((INVITATION, AGREEMENT),)),
    (_whole("我?们?們?(可以)?接|算我一个|算我一個|yes,? i (will|do|would)"), ((INVITATION,), (TURN,))),
    (_whole("我?能?去|我?可以去|i can come|我去得|去得"), ((TURN,), (INVITATION,))),
    (_whole("我?(还|還|仲)?在(继续|繼續|做|呢)?|(都|挺|很)好|一切都好|(还|還)在继续中"), ((WELL,),)),
    (
        _whole("我?可以|我?(很|十分|非常)?(愿意|願意)|行|没问题|沒問題|冇問題|係|是|得|yes|sure|yes please"),
        ((INVITATION, AGREEMENT, TURN, WELL),),
    ),
)
_SURE = frozenset((0, 1, 2))  # of these even what has lapsed is answered; the others may be about anything
_HARD = _whole("我?(有点|有點|有些|有啲)(难|難|累|吃力|辛苦)|唔太得")
# 收到, 好的, OK and their like, and a bare 好, which is no more.
_NOD = re.compile(rf"(好的?|好滴|嗯+|ok|收到了?|知道了|明白){_END}", re.IGNORECASE)
_LABEL = _whole("不方便|晚点问我|遲些再問我|i cannot|ask me later")
_TAKES_BACK = _whole(
    "(我?(按|点|點|选|選)错了|(按|點|选|選)錯了)([，,、 ]?撤回)?|撤回(刚才的|剛才的)?(接受|邀请|邀請)?"
    "|我?(反悔|后悔|後悔)了?|我?(不想|唔想)(去|接)了?|我不(去|接)了|take (it )?back"
)
_OURS = frozenset((offer.OFFER.name, "agreement", "turn", "silence"))


def heard(session: Session, person: Person, state: State, words: str) -> Reply | None:
    """The answer to a plain yes or a bare nod; None where nothing waits that it could be about, or it answers what
    stands on the screen. Whoever has just cried for help is heard before that."""
    yes = any(pattern.fullmatch(words) for pattern, _kinds in _YES)
    nod = state.current is None and (_NOD.fullmatch(words) is not None or menu.acknowledged(words))
    label = _LABEL.fullmatch(words) is not None
    back = _TAKES_BACK.fullmatch(words) is not None
    if not (yes or nod or label or back) or _belongs_elsewhere(session, person, state, words):
        return None
    if recent_alert(session, person.id) is not None and not is_ordinary(words):
        return None
    if back:
        return _take_back(session, person, state)
    waiting = open_questions.waiting(session, person)
    if yes:
        return _yes(session, person, state, words, waiting)
    if nod:
        return _nod(session, person, state, waiting)
    several = sum(one.kind == INVITATION for one in waiting) > 1
    return _no_or_later(session, person, state, words, waiting) if several else None


def sentence(session: Session, person: Person, state: State, words: str) -> Reply | None:
    """The answer to a sentence that nothing else could make sense of: a no, 晚点, why not, 有点难. No talk is under
    way."""
    screen = _on_screen(session, person, state)
    because = _because(session, person, state, words) if offer.WHY.name in screen else None
    if because is not None:
        return because
    waiting = open_questions.waiting(session, person)
    if _HARD.fullmatch(words):
        return _hard(session, person, state, waiting)
    if offer.OFFER.name in screen and offer.hindered(words):
        words = f"不方便，{words}"
    return _no_or_later(session, person, state, words, waiting)


def _belongs_elsewhere(session: Session, person: Person, state: State, words: str) -> bool:
    """Whether the words answer the question of the talk under way, or mean a button of something else that stands on
    the screen."""
    if state.current is not None and standing.takes_words(state, words):
        # An invitation is on the screen, and another one has come below it: nobody knows which is meant.
        return state.current.dialogue != offer.OFFER.name or came(state, words) is None
    option = came(state, words) or shown(state, words) or shown_late(session, person, state, words)
    asked = late.waiting(session, person.id, option.partition(":")[0]) if option else None
    return option is not None and (asked is None or asked.dialogue not in _OURS)


def _on_screen(session: Session, person: Person, state: State) -> set[str]:
    """The talks whose questions were shown last."""
    notice = newest_notice(state)
    seen = [*(notice.options if notice is not None else ()), *state.shown]
    prompts = {option.partition(":")[0] for option, _label in seen if option[:2] != "m:"}
    found = (late.waiting(session, person.id, prompt) for prompt in prompts)
    return {one.dialogue for one in found if one is not None}


def _because(session: Session, person: Person, state: State, words: str) -> Reply | None:
    """A reason in own words for a no that stands."""
    why = offer.why_not(words)
    index = next((at for at, choice in enumerate(offer.reasons()) if choice.value == why), None)
    return talk.press(session, person, state, state.shown[index][0], "") if index is not None else None


def _yes(session: Session, person: Person, state: State, words: str, waiting: list[Waits]) -> Reply | None:
    at, kinds = next((at, kinds) for at, (pattern, kinds) in enumerate(_YES) if pattern.fullmatch(words))
    if state.current is not None and at not in _SURE:
        return None
    among = next((found for each in kinds if (found := [one for one in waiting if one.kind in each])), [])
    if at not in _SURE:
        # 可以 or 是 after what nobody waits for any more may be about anything.
        among = [one for one in among if not one.lapsed or at == 3] or [one for one in among if one.kind == INVITATION]
    if not among:
        return None
    if len(among) > 1:
        text = _("有 {count} 件事等你回答，你答应的是哪一个？请选一个。").format(count=len(among))
        return show(state, open_questions.which(session, person, among, "yes", text))
    (one,) = among
    if not one.seen or (one.lapsed and at not in (*_SURE, 3)):
        return show(state, open_questions.once_more(session, person, one))
    return talk.press(session, person, state, open_questions.option(session, person, one).id, "")


def _nod(session: Session, person: Person, state: State, waiting: list[Waits]) -> Reply | None:
    """It accepts nothing, and whoever thinks that it did is told."""
    among = [one for one in waiting if one.kind != WELL or not one.lapsed]
    if not among or cries.not_taken_yet(session, person) is not None:
        return None
    if len(among) == 1:
        before = _("收到。下面这件事还等你回答，只回“收到”“好的”不算答应：")
        return show(state, open_questions.once_more(session, person, among[0], before))
    text = _("收到。还有 {count} 件事等你回答，只回“收到”“好的”不算答应。愿意的请选：").format(count=len(among))
    return show(state, open_questions.which(session, person, among, "yes", text))


def _take_back(session: Session, person: Person, state: State) -> Reply | None:
    """A yes that can still be taken back: it is asked once more, with what it was about; of several which one."""
    options = taking_back.options(session, person)
    # What is on the screen with these words is pressed, and of something else they are an answer.
    if not options or state.current is not None or shown(state, "按错了，撤回") is not None:
        return None
    if len(options) == 1:
        return talk.press(session, person, state, options[0].id, "")
    return show(state, Reply(_("要撤回哪一个？请选一个。"), options, numbered=True))


def _hard(session: Session, person: Person, state: State, waiting: list[Waits]) -> Reply | None:
    """Somebody who was asked whether all is well says that it is not."""
    if not any(one.kind == WELL for one in waiting):
        return None
    text = _("谢谢你说出来，不容易。想先停一停，还是做不下去了？选一个就行，会有人接着来。")
    return show(state, Reply(text, silence.hard_options(session, person)))


def _no_or_later(session: Session, person: Person, state: State, words: str, waiting: list[Waits]) -> Reply | None:
    """A typed sentence that answers an invitation. Of several it is asked which one."""
    among = [one for one in waiting if one.kind == INVITATION]
    if not among:
        return None
    meant = offer.meant(words, len(among))
    if meant is None:
        return None
    if len(among) == 1:
        return talk.begin(session, person, state, offer.OFFER, meant)
    said = offer.said_of(words)
    text = _("有 {count} 个邀请等你回答，你说的是哪一个？请选一个。").format(count=len(among))
    return show(state, open_questions.which(session, person, among, said, text))
