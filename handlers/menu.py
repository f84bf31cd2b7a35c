"""Global words, menu entries, deep links, words that begin a talk: one table each, looked at before any talk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlmodel import Session

from config.texts import LANGUAGES, SOURCE, _, language_for, speaking
from handlers import account, check_in, family, guardian, lone_visit, preferences, recognition, relay, visits
from handlers.dialogue import Answer, Dialogue
from handlers.here import here
from handlers.intents import intent
from handlers.menu_entries import DIALOGUES as DIALOGUES
from handlers.menu_entries import ENTRIES as ENTRIES
from handlers.menu_entries import Entry as Entry
from handlers.menu_entries import dialogue as dialogue
from handlers.menu_entries import entry as entry
from handlers.menu_entries import has_entry as has_entry
from handlers.menu_entries import keys_of as keys_of
from handlers.menu_entries import title as title
from handlers.menu_words import ACKNOWLEDGED, CODE, GREETS, INTENTS, LANGUAGE_WORDS, LONGEST_WISH, WORD
from handlers.message import Inbound, MenuColumn, MenuEntry, Option, Reply
from handlers.operator import who_is_responsible
from models import family_doors
from models.code import kind_of, pauses
from models.person import Person
from models.role import highest
from models.team import memberships
from models.volunteer import volunteer_of


@dataclass(frozen=True, slots=True)
class Begun:
    """A talk that words or a link begin, with what is known already. `always` = also in the middle of another talk."""

    dialogue: Dialogue
    answers: dict[str, Answer]
    always: bool = False


def global_word(words: str) -> str | None:
    """ "cancel", "enough", "back", "menu" or "help" when the whole message is such a word."""
    return WORD.get(words.casefold().strip("。.!！“”「」 "))


def greets(words: str) -> bool:
    """A bare hello."""
    return bool(GREETS.match(words))


def acknowledged(words: str) -> bool:
    """A bare 收到, 好的 or [OK]: it accepts nothing and starts nothing."""
    return bool(ACKNOWLEDGED.match(words))


def begins(words: str) -> Begun | Entry | None:
    """The talk that these words begin, or the entry that they mean."""
    typed = CODE.match(words)
    if typed:
        guards = typed[1].casefold() in ("监护", "監護", "guardian")
        return Begun(guardian.GUARDIAN if guards else account.BIND, {"code": {"t": typed[2]}}, always=True)
    about_visits = visits.told_at_once(words) if len(words) <= LONGEST_WISH else None
    if about_visits is not None and about_visits[2]:
        return Begun(*about_visits)
    language = LANGUAGE_WORDS.get(words.casefold().removesuffix("中文"))
    if language is not None:
        return Begun(preferences.LANGUAGE, {"language": {"c": language}}, always=True)
    always = next((key for pattern, key, anywhere in INTENTS if anywhere and pattern.search(words)), None)
    if always is not None:
        return _found(ENTRIES[always], always=True)
    plain = words.casefold()
    for found in ENTRIES.values():
        if plain in (found.label.casefold(), _(found.label).casefold()):
            return _found(found)
    if len(words) > LONGEST_WISH:
        return None
    if about_visits is not None:
        return Begun(*about_visits)
    told = preferences.told_at_once(words) or lone_visit.told_at_once(words) or relay.told_at_once(words)
    if told is not None:
        return Begun(*told)
    meant = next((key for pattern, key, _anywhere in INTENTS if pattern.search(words)), None)
    if meant is not None and not is_named(words) and intent(words) == "told_hours":
        return None  # “周六做志愿者两个小时” is no wish to register
    return _found(ENTRIES[meant]) if meant is not None else None


def is_named(words: str) -> bool:
    """Whether a whole message is an entry's name, or the plain wish for it. Not “回复” and its like, which may be typed
    for the button that has just been pressed."""
    plain = words.casefold()
    if any(plain in (found.label.casefold(), _(found.label).casefold()) for found in ENTRIES.values()):
        return True
    return any(key != "messages" and pattern.fullmatch(words) for pattern, key, _always in INTENTS)


def _found(entry: Entry, *, always: bool = False) -> Begun | Entry:
    return Begun(entry.dialogue, {}, always) if entry.dialogue else entry


def always(found: Begun | Entry) -> bool:
    """Whether it is heard even in the middle of another talk."""
    return found.always if isinstance(found, Begun) else found.key in ("sos", "worried", "my", "my_data")


def scene(value: str) -> Begun | None:
    """A QR scene or deep-link parameter: `g_CODE` for a guardian, `b_CODE` for binding, `s_`, `a_` or `d_` for checking
    in at a station, an activity or a family's door, or an entry's key."""
    if check_in.is_scene(value):
        return Begun(check_in.CHECK_IN, {"where": {"t": value}})
    kind, _underscore, code = value.partition("_")
    if kind == "g" and code:
        return Begun(guardian.GUARDIAN, {"code": {"t": code}})
    if kind == "b" and code:
        return Begun(account.BIND, {"code": {"t": code}})
    found = ENTRIES.get(value)
    return Begun(found.dialogue, {}) if found and found.dialogue else None


def behind_code(session: Session, person: Person, code: str) -> Begun | None:
    """The talk that a code by itself belongs to; None for one that nobody was given, which counts as a wrong try."""
    if not pauses(session, person.id) and family_doors.look(session, code, person.id) is not None:
        return Begun(family.JOIN, {"code": {"t": code}})
    talks = {"guardian": guardian.GUARDIAN, "bind": account.BIND, "recognition": recognition.RECOGNITION_CODE}
    kind = kind_of(session, code, person.id, tuple(talks))
    return Begun(talks[kind], {"code": {"t": code}}) if kind else None


def language_of(inbound: Inbound) -> str:
    """The language to begin with: the platform's hint, Chinese without one."""
    return language_for(inbound.language)


def role_of(session: Session, person: Person) -> str:
    """Which menu the person should see."""
    return highest(session, person.id)


def menus() -> dict[str, tuple[MenuColumn, ...]]:
    """The menus for WeChat: by role, and again in English (marked @en) for whoever chose that language. Cantonese
    readers use Telegram (programme §13); each menu more counts against the hundred that an account may have."""
    return _in_languages((SOURCE, "en"), columns)


def _in_languages(
    languages: tuple[str, ...], make: Callable[[], dict[str, tuple[MenuColumn, ...]]]
) -> dict[str, tuple[MenuColumn, ...]]:
    found: dict[str, tuple[MenuColumn, ...]] = {}
    for language in languages:
        with speaking(language):
            mark = "" if language == SOURCE else f"@{language}"
            found |= {f"{role}{mark}": made for role, made in make().items()}
    return found


def columns() -> dict[str, tuple[MenuColumn, ...]]:
    """The menus by role, in the current language: 3 × 5, at most 4 and 8 Chinese characters."""

    def column(label: str, *keys: str) -> MenuColumn:
        return MenuColumn(label, tuple(MenuEntry(key, _(ENTRIES[key].label)) for key in keys))

    serve = column(_("去服务"), "check_in", "book_visit", "visit_report", "add_hours", "hand_over")
    find = column(_("找帮助"), "register", "activities", "contact", "worried", "sos")
    return {
        "volunteer": (serve, column(_("我的"), "pairings", "hours", "stars", "profile", "privacy"), find),
        "specialist": (
            serve,
            column(_("今天办"), "todo", "unpaired", "unvisited", "hours_to_confirm", "hand_overs"),
            find,
        ),
        "organiser": (
            serve,
            column(_("管全县"), "nobody_dropped", "monthly_report", "ledger", "theme_days", "approvals"),
            find,
        ),
    }


def commands() -> dict[str, tuple[MenuColumn, ...]]:
    """The menus for a platform with a list of commands: the same, with what works everywhere, in every language; those
    other than the source are marked with it (@en)."""

    def with_everywhere() -> dict[str, tuple[MenuColumn, ...]]:
        entries = [
            MenuEntry("menu", _("菜单")),
            MenuEntry("my", _("我的")),
            MenuEntry("language", _("语言 Language")),
            MenuEntry("help", _("帮助")),
            MenuEntry("cancel", _("取消")),
            MenuEntry("back", _("返回")),
        ]
        to_answer = ENTRIES["messages"]
        waiting = MenuEntry(to_answer.key, _(to_answer.label))
        return {
            role: (
                *own,
                MenuColumn(_("随时可用"), tuple(entries if role == "volunteer" else [waiting, *entries])),
            )
            for role, own in columns().items()
        }

    return _in_languages(LANGUAGES, with_everywhere)


def greeting(session: Session, person: Person) -> Reply:
    """What somebody reads who has just come: what this is, and what to do first."""
    role = role_of(session, person)
    if volunteer_of(session, person.id) is not None:
        text = _("欢迎回来！这里是暖阳。回复“菜单”看看能做什么。")
        return Reply(text, options("profile", "contact"), menu=role)
    text = _(
        "你好，这里是暖阳——青年志愿者助残“阳光行动”的小助手。\n"
        "现在可以在这里报名当志愿者、接受结对、约探访、签到和记时长、给负责的同事留言；活动通知还在准备。\n"
        "想加入，回复“报名”；随时可以回复“菜单”“帮助”或“联系专员”。"
    )
    return Reply(text, options("register", "recognise", "language"), menu=role)


def overview(session: Session, person: Person, *, talking: bool) -> Reply:
    """The menu in words, with what can be begun now."""
    role = role_of(session, person)
    lines = [_("菜单")]
    for column in columns()[role]:
        entries = _("、").join(entry.label for entry in column.entries)
        lines.append(_("{item}：{value}").format(item=column.label, value=entries))
    if talking:
        lines.append(still_waiting())
        return Reply("\n".join(lines), menu=role)
    return Reply("\n".join(lines), options(*first_steps(session, person), "my", "contact", "sos"), menu=role)


def still_waiting() -> str:
    """Said where something else is shown while a question waits."""
    return _("刚才的问题还等着你：直接回答就行，或回复“取消”。")


def first_steps(session: Session, person: Person) -> tuple[str, ...]:
    """What is offered before all else: what waits for an answer, to whoever has a role; registering, to whoever is not
    registered yet."""
    waiting = ("messages",) if _has_role(session, person) else ()
    return waiting if volunteer_of(session, person.id) is not None else (*waiting, "register")


def _has_role(session: Session, person: Person) -> bool:
    return role_of(session, person) != "volunteer"


def help_text(session: Session, person: Person, *, talking: bool) -> Reply:
    """What works everywhere, and who answers for it."""
    place = here(session)
    lines = [
        _("随时可以回复："),
        _("“取消”结束现在的对话，“返回”改上一题，“菜单”看能做什么。"),
        _("“联系专员”可以留言，负责的人看到会回复，要等多久说不准。遇到危险请先拨打110或120。"),
    ]
    if _has_role(session, person):
        lines.append(_("你负责的：“留言”看等你答复的话，“要打电话的人”看消息送不到的人，“团队”看团队和专员。"))
    elif memberships(session, person.id):
        lines.append(_("“团队”看你所在的团队。"))
    lines.append(who_is_responsible(place.operator, place.operator_contact))
    return Reply("\n".join(lines), () if talking else options(*first_steps(session, person), "my", "contact"))


def nothing_to(word: str) -> Reply:
    """取消, 先到这里 or 返回 where no talk is under way."""
    text = {
        "cancel": _("现在没有进行中的对话，不用取消。"),
        "enough": _("好的，先到这里，记下的都保存了。"),
    }.get(word, _("已经在最外面了。"))
    return Reply(text + _("想做什么，回复“菜单”。"))


def not_yet(found: Entry) -> Reply:
    """An entry whose talk does not exist yet says so kindly."""
    text = _("“{label}”正在准备，还不能用。想说的事可以先留言：回复“联系专员”。").format(label=_(found.label))
    return Reply(text, options("my", "contact"))


def unknown_entry() -> Reply:
    """A command or menu key that we do not know."""
    return Reply(_("没有这个指令。回复“菜单”看看能做什么，或回复“联系专员”。"), options("my", "contact"))


def options(*keys: str) -> tuple[Option, ...]:
    """Menu entries as things to choose below an answer."""
    return tuple(Option(f"m:{key}", _(ENTRIES[key].label)) for key in keys)
