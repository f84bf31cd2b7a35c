"""Global words, menu entries, deep links, words that begin a talk: one table each, looked at before any talk."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from sqlmodel import Session

from config.texts import N_, SOURCE, _, language_for, speaking
from handlers import (
    account,
    contact,
    guardian,
    guardian_record,
    preferences,
    privacy,
    profile,
    recognition,
    registration,
    safeguarding,
)
from handlers.dialogue import Answer, Dialogue
from handlers.here import here
from handlers.message import Inbound, MenuColumn, MenuEntry, Option, Reply
from handlers.operator import who_is_responsible
from models.conversation import Run
from models.person import Person
from models.role import grants
from models.volunteer import volunteer_of

DIALOGUES: dict[str, Dialogue] = {
    dialogue.name: dialogue
    for dialogue in (
        registration.REGISTRATION,
        guardian.GUARDIAN,
        guardian_record.GUARDIAN_RECORD,
        profile.PROFILE,
        profile.CHANGE,
        preferences.LANGUAGE,
        preferences.QUIET,
        preferences.PAUSE,
        preferences.ADDRESS,
        account.BIND,
        account.UNBIND,
        recognition.RECOGNITION,
        recognition.RECOGNITION_CHECK,
        privacy.CONSENTS,
        privacy.DELETE,
        contact.CONTACT,
        contact.CONTACT_ANSWER,
        safeguarding.TELL_MORE,
    )
}


@dataclass(frozen=True, slots=True)
class Entry:
    """A menu entry or command: it begins a talk, or says something; with neither it does not exist yet."""

    key: str
    label: str
    dialogue: Dialogue | None = None
    say: Callable[[Session, Person], Reply] | None = None


@dataclass(frozen=True, slots=True)
class Begun:
    """A talk that words or a link begin, with what is known already. `always` = also in the middle of another talk."""

    dialogue: Dialogue
    answers: dict[str, Answer]
    always: bool = False


# The WeChat menu of programme.md §13, and what hangs below “我的”. Keys are Telegram's commands too.
ENTRIES: dict[str, Entry] = {
    entry.key: entry
    for entry in (
        Entry("check_in", N_("签到签退")),
        Entry("book_visit", N_("约探访")),
        Entry("visit_report", N_("探访记录")),
        Entry("add_hours", N_("补记时长")),
        Entry("hand_over", N_("请假交接")),
        Entry("pairings", N_("我的结对")),
        Entry("hours", N_("我的时长")),
        Entry("stars", N_("星级证明")),
        Entry("profile", N_("我的资料"), say=profile.overview),
        Entry("privacy", N_("隐私授权"), say=privacy.overview),
        Entry("register", N_("报名注册"), registration.REGISTRATION),
        Entry("activities", N_("近期活动")),
        Entry("contact", N_("联系专员"), contact.CONTACT),
        Entry("worried", N_("我很担心TA"), say=safeguarding.worried),
        Entry("sos", N_("紧急求助"), say=safeguarding.sos),
        Entry("todo", N_("待办清单")),
        Entry("unpaired", N_("待结对")),
        Entry("unvisited", N_("未探访")),
        Entry("hours_to_confirm", N_("待审时长")),
        Entry("hand_overs", N_("交接清单")),
        Entry("nobody_dropped", N_("一户不落")),
        Entry("monthly_report", N_("月报")),
        Entry("ledger", N_("台账")),
        Entry("theme_days", N_("主题日")),
        Entry("approvals", N_("待审批")),
        Entry("more_profile", N_("填写更多资料"), profile.PROFILE),
        Entry("change_profile", N_("改一项资料"), profile.CHANGE),
        Entry("address_form", N_("称呼"), preferences.ADDRESS),
        Entry("language", N_("语言 Language"), preferences.LANGUAGE),
        Entry("quiet_hours", N_("免打扰时段"), preferences.QUIET),
        Entry("pause", N_("暂停到某天"), preferences.PAUSE),
        Entry("bind", N_("绑定另一个账号"), account.BIND),
        Entry("unbind", N_("解除绑定"), account.UNBIND),
        Entry("recognise", N_("我以前注册过"), recognition.RECOGNITION),
        Entry("consents", N_("查看和撤回授权"), privacy.CONSENTS),
        Entry("my_data", N_("我的数据"), say=privacy.my_data),
        Entry("delete_me", N_("删除我的数据"), privacy.DELETE),
        Entry("guardian", N_("我是监护人"), guardian.GUARDIAN),
        Entry("guardian_record", N_("登记监护人书面同意"), guardian_record.GUARDIAN_RECORD),
        Entry("my", N_("我的"), say=profile.my),
    )
}

LONGEST_WISH = 40  # characters: a longer text tells something, and is not searched for what it may want
COMMAND_WORDS = {"menu": "menu", "help": "help", "cancel": "cancel", "back": "back", "enough": "enough"}
GLOBAL_WORDS = {
    "cancel": ("取消", "退出", "不填了", "算了", "结束", "結束", "cancel", "quit", "exit", "stop"),
    "enough": (
        "先到这里",
        "先到這裡",
        "先到這裏",
        "先到呢度",
        "that's enough",
        "that’s enough",
        "enough for now",
        "stop here",
    ),
    "back": ("返回", "上一步", "上一题", "上一題", "back"),
    "menu": ("菜单", "菜單", "目录", "目錄", "主菜单", "主菜單", "選單", "主選單", "menu"),
    "help": ("帮助", "幫助", "怎么用", "怎樣用", "help", "?"),
}
_WORD = {spelling: word for word, spellings in GLOBAL_WORDS.items() for spelling in spellings}

# Words that begin a talk, the first match wins: (pattern, entry, also in the middle of another talk).
_INTENTS: tuple[tuple[re.Pattern[str], str, bool], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), key, always)
    for pattern, key, always in (
        (
            r"^(联系|找|搵|聯絡|聯繫)(专员|專員|人工|客服|真人|工作人员|工作人員)$|^contact( a person| us)?$",
            "contact",
            True,
        ),
        (r"^(紧急求助|緊急求助|sos|emergency( help)?)$", "sos", True),
        (r"^我很?担心|^我很?擔心|^i(['’]m| am) (very )?worried", "worried", True),
        (r"^(语言|語言|language)( language)?$", "language", True),
        (r"^(我的数据|我的數據|我的資料副本|my data)$", "my_data", True),
        (r"^(我的|my|me)$", "my", True),
        (r"语言|語言|language|说英文|繁體|简体|english", "language", False),
        (r"删除我的|刪除我的|注销|註銷|delete my", "delete_me", False),
        (r"我的数据|我的數據|我的資料副本|my data", "my_data", False),
        (r"授权|授權|撤回|consent|privacy|隐私|隱私|私隱", "privacy", False),
        (
            r"(换|換|改|更)(了|个|個)?.{0,4}(手机|手機|电话|電話|号码|號碼)|phone number|new number",
            "change_profile",
            False,
        ),
        (
            r"[换換]了?.{0,4}(微信|账号|帳號|帳戶)|以前(注册|报名)过|註冊過|以前(登記|報名)過|registered before",
            "recognise",
            False,
        ),
        (r"解除绑定|解除綁定|解绑|解綁|unbind|unlink", "unbind", False),
        (r"绑定|綁定|bind|^link\b|link .*account", "bind", False),
        (r"免打扰|免打擾|勿扰|quiet", "quiet_hours", False),
        (r"暂停|暫停|pause", "pause", False),
        (r"称呼|稱呼", "address_form", False),
        (
            r"报名|報名|注册|註冊|登记成?为?志愿者|登記成?為?義工|[当當做](义工|義工|志愿者|志願者)|想[当當]"
            r"|register|sign ?up|volunteer",
            "register",
            False,
        ),
        (r"监护人|監護人|guardian", "guardian", False),
        (r"^我的资料$|^我的資料$|profile", "profile", False),
        (r"^我的$|^my$", "my", False),
    )
)
# “link an account” is no code: one has a digit in it, or is as long as a code.
_LANGUAGES = {"english": "en", "繁體": "zh_HK", "繁体": "zh_HK", "简体": "zh_CN", "簡體": "zh_CN"}
_CODE = re.compile(
    r"^(监护|監護|guardian|绑定|綁定|bind|link)\s*[:：]?\s*(?=.*\d|(?:[a-z0-9][ -]?){8}$)([a-z0-9][a-z0-9 -]{6,14})$",
    re.IGNORECASE,
)
_ACKNOWLEDGED = re.compile(
    r"^(收到|好的?|嗯+|ok|okay|谢谢|謝謝|多谢|多謝|知道了|thanks?|thank you|\[ok\]|👌|👍)[。.!！~～\[\]a-z ]*$",
    re.IGNORECASE,
)


_GREETS = re.compile(
    r"^(你好|您好|妳好|你哋好|大家好|哈[喽囉啰]|嗨|喂|在吗|在嗎|在不在|早|早安|(早上|上午|中午|下午|晚上)好|早晨|hi+|hello|hey|"
    r"good (morning|afternoon|evening))( there)?[呀啊哦吗嗎。.!！?？~～,，]*$",
    re.IGNORECASE,
)


def dialogue(name: str) -> Dialogue | None:
    """The dialogue of a name; None for one that a later version no longer has."""
    return DIALOGUES.get(name)


def entry(key: str) -> Entry | None:
    """The menu entry of a key."""
    return ENTRIES.get(key)


def title(name: str) -> str:
    """How a talk is called on the menu; its entry's label."""
    return next((_(found.label) for found in ENTRIES.values() if found.dialogue and found.dialogue.name == name), name)


def keys_of(runs: list[Run]) -> tuple[str, ...]:
    """The entries that begin these talks."""
    names = {run.dialogue for run in runs}
    return tuple(entry.key for entry in ENTRIES.values() if entry.dialogue and entry.dialogue.name in names)


def global_word(words: str) -> str | None:
    """ "cancel", "enough", "back", "menu" or "help" when the whole message is such a word."""
    return _WORD.get(words.casefold().strip("。.!！“”「」 "))


def greets(words: str) -> bool:
    """A bare hello."""
    return bool(_GREETS.match(words))


def acknowledged(words: str) -> bool:
    """A bare 收到, 好的 or [OK]: it accepts nothing and starts nothing."""
    return bool(_ACKNOWLEDGED.match(words))


def begins(words: str) -> Begun | Entry | None:
    """The talk that these words begin, or the entry that they mean."""
    typed = _CODE.match(words)
    if typed:
        guards = typed[1].casefold() in ("监护", "監護", "guardian")
        return Begun(guardian.GUARDIAN if guards else account.BIND, {"code": {"t": typed[2]}}, always=True)
    language = _LANGUAGES.get(words.casefold().removesuffix("中文"))
    if language is not None:
        return Begun(preferences.LANGUAGE, {"language": {"c": language}}, always=True)
    always = next((key for pattern, key, anywhere in _INTENTS if anywhere and pattern.search(words)), None)
    if always is not None:
        return _found(ENTRIES[always], always=True)
    plain = words.casefold()
    for found in ENTRIES.values():
        if plain in (found.label.casefold(), _(found.label).casefold()):
            return _found(found)
    if len(words) > LONGEST_WISH:
        return None
    meant = next((key for pattern, key, _anywhere in _INTENTS if pattern.search(words)), None)
    return _found(ENTRIES[meant]) if meant is not None else None


def _found(entry: Entry, *, always: bool = False) -> Begun | Entry:
    return Begun(entry.dialogue, {}, always) if entry.dialogue else entry


def always(found: Begun | Entry) -> bool:
    """Whether it is heard even in the middle of another talk."""
    return found.always if isinstance(found, Begun) else found.key in ("sos", "worried", "my", "my_data")


def scene(value: str) -> Begun | None:
    """A QR scene or deep-link parameter: `g_CODE` for a guardian, `b_CODE` for binding, or an entry's key."""
    kind, _underscore, code = value.partition("_")
    if kind == "g" and code:
        return Begun(guardian.GUARDIAN, {"code": {"t": code}})
    if kind == "b" and code:
        return Begun(account.BIND, {"code": {"t": code}})
    found = ENTRIES.get(value)
    return Begun(found.dialogue, {}) if found and found.dialogue else None


def language_of(inbound: Inbound) -> str:
    """The language to begin with: the platform's hint, Chinese without one."""
    return language_for(inbound.language)


def role_of(session: Session, person: Person) -> str:
    """Which menu the person should see."""
    held = {grant.role for grant in grants(session, person.id)}
    return "organiser" if "organiser" in held else "specialist" if "specialist" in held else "volunteer"


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
    """The menus for a platform with a list of commands: the same, with what works everywhere. English is marked @en."""
    found: dict[str, tuple[MenuColumn, ...]] = {}
    for language, mark in ((SOURCE, ""), ("en", "@en")):
        with speaking(language):
            everywhere = MenuColumn(
                _("随时可用"),
                (
                    MenuEntry("menu", _("菜单")),
                    MenuEntry("my", _("我的")),
                    MenuEntry("language", _("语言 Language")),
                    MenuEntry("help", _("帮助")),
                    MenuEntry("cancel", _("取消")),
                    MenuEntry("back", _("返回")),
                ),
            )
            found |= {f"{role}{mark}": (*own, everywhere) for role, own in columns().items()}
    return found


def greeting(session: Session, person: Person) -> Reply:
    """What somebody reads who has just come: what this is, and what to do first."""
    role = role_of(session, person)
    if volunteer_of(session, person.id) is not None:
        text = _("欢迎回来！这里是暖阳。回复“菜单”看看能做什么。")
        return Reply(text, options("profile", "contact"), menu=role)
    text = _(
        "你好，这里是暖阳——青年志愿者助残“阳光行动”的小助手。\n"
        "在这里可以报名当志愿者、和身边的残疾朋友结对、记录探访和服务时长。\n"
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
        lines.append(_("刚才的问题还等着你：直接回答就行，或回复“取消”。"))
        return Reply("\n".join(lines), menu=role)
    return Reply("\n".join(lines), options(*first_steps(session, person), "my", "contact", "sos"), menu=role)


def first_steps(session: Session, person: Person) -> tuple[str, ...]:
    """What is offered before all else: registering, to whoever is not registered yet."""
    return () if volunteer_of(session, person.id) is not None else ("register",)


def help_text(session: Session, person: Person, *, talking: bool) -> Reply:
    """What works everywhere, and who answers for it."""
    place = here(session)
    lines = [
        _("随时可以回复："),
        _("“取消”结束现在的对话，“返回”改上一题，“菜单”看能做什么。"),
        _("“联系专员”可以留言，负责的人看到会回复，要等多久说不准。遇到危险请先拨打110或120。"),
        who_is_responsible(place.operator, place.operator_contact),
    ]
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
