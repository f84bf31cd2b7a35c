"""The Bot API, played: one table of methods, its refusals, and what each call does to a phone."""

from __future__ import annotations

import string
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from bot.loopback import is_loopback
from bot.sandbox.media import File, MediaStore
from bot.sandbox.memory import Message, MessageKind, Person
from bot.sandbox.phones import Phones
from bot.sandbox.reading import is_web_page, whole_number
from bot.sandbox.telegram_acts import TelegramActs, chat_json
from bot.sandbox.telegram_commands import TelegramCommands
from bot.sandbox.telegram_flood import Flood
from bot.sandbox.telegram_params import Params, a_flag, a_number, allowed_updates, an_object, degrees
from bot.sandbox.telegram_refusals import FORBIDDEN_BLOCKED, FORBIDDEN_NEVER, Denied, bad
from bot.sandbox.telegram_sim import TelegramSim
from bot.sandbox.telegram_text import MOST_CAPTION, formatted, inline_buttons, reply_keyboard

SECRET_LETTERS = set(string.ascii_letters + string.digits + "_-")


class TelegramApi:
    """The methods of one bot. Parameters arrive as JSON values or, from forms, as strings."""

    def __init__(
        self, phones: Phones, media: MediaStore, sim: TelegramSim, acts: TelegramActs, flood: Flood, bot: dict[str, Any]
    ) -> None:
        self._phones = phones
        self._media = media
        self._sim = sim
        self._acts = acts
        self._flood = flood
        self._bot = bot
        commands = TelegramCommands(phones)
        self._methods: dict[str, Callable[[Params], Any]] = {
            "getme": self._get_me,
            "setwebhook": self._set_webhook,
            "deletewebhook": self._delete_webhook,
            "getwebhookinfo": self._webhook_info,
            "sendmessage": self._send_message,
            "sendphoto": lambda params: self._send_media(params, "photo", "image", "[图片]"),
            "senddocument": lambda params: self._send_media(params, "document", "link", "[文件]"),
            "sendlocation": self._send_location,
            "sendchataction": self._chat_action,
            "editmessagetext": self._edit_text,
            "editmessagereplymarkup": self._edit_markup,
            "deletemessage": self._delete_message,
            "answercallbackquery": self._answer_query,
            "setmycommands": commands.set,
            "getmycommands": commands.get,
            "deletemycommands": commands.delete,
            "setchatmenubutton": self._set_menu_button,
            "getchatmenubutton": lambda _params: self._phones.memory.telegram.menu_button,
            "getfile": self._get_file,
            "getchat": lambda params: chat_json(self._person(params)),
        }

    async def call(self, method: str, params: Params) -> Any:
        """Do one method; returns its result, raises Denied."""
        name = method.lower()
        if name == "getupdates":
            return await self._get_updates(params)
        if name not in self._methods:
            raise Denied(404, "Not Found: method not found")
        result = self._methods[name](params)
        self._phones.changed()
        return result

    def file(self, path: str) -> File | None:
        """The file behind a file_path of getFile."""
        return self._media.get(path.rpartition("/")[2])

    # The bot and how updates reach it

    def _get_me(self, _params: Params) -> dict[str, Any]:
        return self._bot | {
            "can_join_groups": False,
            "can_read_all_group_messages": False,
            "supports_inline_queries": False,
            "can_connect_to_business": False,
            "has_main_web_app": False,
        }

    def _set_webhook(self, params: Params) -> bool:
        url, secret = str(params.get("url") or ""), str(params.get("secret_token") or "")
        # The real one wants https and a public address; the sandbox never calls anything but this machine.
        if url and not (is_web_page(url) and is_loopback(urlsplit(url).netloc)):
            raise bad("bad webhook: the sandbox delivers only to this machine (127.0.0.1)")
        if len(secret) > 256 or not set(secret) <= SECRET_LETTERS:
            raise bad("secret token contains unallowed characters")
        allowed = allowed_updates(params) or []
        self._sim.set_webhook(url, secret, allowed, drop=a_flag(params, "drop_pending_updates"))
        return True

    def _delete_webhook(self, params: Params) -> bool:
        allowed = self._phones.memory.telegram.allowed
        self._sim.set_webhook("", "", allowed, drop=a_flag(params, "drop_pending_updates"))
        return True

    def _webhook_info(self, _params: Params) -> dict[str, Any]:
        memory = self._phones.memory.telegram
        info: dict[str, Any] = {
            "url": self._sim.webhook,
            "has_custom_certificate": False,
            "pending_update_count": len(memory.pending),
            "max_connections": 40,
        }
        if self._sim.last_error is not None:
            info["last_error_date"], info["last_error_message"] = self._sim.last_error
        if memory.allowed:
            info["allowed_updates"] = memory.allowed
        return info

    async def _get_updates(self, params: Params) -> list[dict[str, Any]]:
        limit = min(max(a_number(params, "limit", 100), 1), 100)
        allowed = allowed_updates(params)
        return await self._sim.get_updates(
            a_number(params, "offset", 0), limit, a_number(params, "timeout", 0), allowed
        )

    # Sending

    def _send_message(self, params: Params) -> dict[str, Any]:
        person = self._reachable(params)
        plain, rich = formatted(params.get("text"), params.get("parse_mode"))
        return self._say(person, params, "text", plain, rich)

    def _send_media(self, params: Params, field: str, kind: MessageKind, words: str) -> dict[str, Any]:
        person = self._reachable(params)
        given = params.get(field)
        media_id = given if isinstance(given, str) else ""
        if isinstance(given, File):
            media_id = self._media.put(given)
        if self._media.get(media_id) is None:
            raise bad("wrong file identifier/HTTP URL specified")
        caption = rich = ""
        if params.get("caption"):
            caption, rich = formatted(params["caption"], params.get("parse_mode"), MOST_CAPTION)
        return self._say(person, params, kind, caption or words, rich, media_url=f"/sandbox/media/{media_id}")

    def _send_location(self, params: Params) -> dict[str, Any]:
        person = self._reachable(params)
        latitude, longitude = degrees(params, "latitude", 90), degrees(params, "longitude", 180)
        return self._say(person, params, "location", f"{latitude:.5f}, {longitude:.5f}", "")

    def _chat_action(self, params: Params) -> bool:
        person = self._reachable(params)
        if not params.get("action"):
            raise bad("wrong parameter action in request")
        self._phones.journal.add("typing", platform="telegram", person=person.id)
        return True

    def _say(
        self, person: Person, params: Params, kind: MessageKind, plain: str, rich: str, media_url: str = ""
    ) -> dict[str, Any]:
        markup = an_object(params, "reply_markup")
        buttons = []
        chat = self._phones.chat("telegram", person)
        keyboard = chat.keyboard
        if markup is not None and "inline_keyboard" in markup:
            buttons = inline_buttons(markup)
        elif markup is not None and "keyboard" in markup:
            keyboard = reply_keyboard(markup)
        elif markup is not None and markup.get("remove_keyboard") is True:
            keyboard = None
        elif markup and "force_reply" not in markup:
            raise bad("object expected as reply markup")
        self._flood.take(person.telegram_id)
        chat.keyboard = keyboard
        message = self._phones.say(
            "telegram",
            person,
            "bot",
            kind,
            plain,
            html=rich,
            buttons=buttons,
            via="bot api",
            media_url=media_url,
            markup=markup,
        )
        return self._acts.message_json(person, message)

    # Changing what was sent

    def _edit_text(self, params: Params) -> dict[str, Any]:
        person, message = self._own_message(params, "message to edit not found")
        plain, rich = formatted(params.get("text"), params.get("parse_mode"))
        return self._edit(person, message, plain, rich, an_object(params, "reply_markup"))

    def _edit_markup(self, params: Params) -> dict[str, Any]:
        person, message = self._own_message(params, "message to edit not found")
        return self._edit(person, message, message.text, message.entities_html, an_object(params, "reply_markup"))

    def _edit(
        self, person: Person, message: Message, plain: str, rich: str, markup: dict[str, Any] | None
    ) -> dict[str, Any]:
        if markup is not None and "inline_keyboard" not in markup:
            raise bad("inline keyboard expected")
        buttons = inline_buttons(markup) if markup is not None else []
        if (plain, rich, buttons) == (message.text, message.entities_html, message.buttons):
            raise bad(
                "message is not modified: specified new message content and reply markup are exactly the same "
                "as a current content and reply markup of the message"
            )
        self._flood.take(person.telegram_id)
        message.text, message.entities_html, message.buttons, message.markup = plain, rich, buttons, markup
        self._phones.edited("telegram", person, message)
        return self._acts.message_json(person, message)

    def _delete_message(self, params: Params) -> bool:
        person = self._reachable(params)
        message = self._phones.find_number("telegram", person, a_number(params, "message_id", 0))
        if message is None or message.kind == "event":
            raise bad("message to delete not found")
        if (self._phones.now() - message.at).total_seconds() > 48 * 3600:
            raise bad("message can't be deleted for everyone")
        self._phones.remove("telegram", person, message)
        return True

    def _own_message(self, params: Params, otherwise: str) -> tuple[Person, Message]:
        person = self._reachable(params)
        message = self._phones.find_number("telegram", person, a_number(params, "message_id", 0))
        if message is None:
            raise bad(otherwise)
        if message.author != "bot":
            raise bad("message can't be edited")
        return person, message

    def _answer_query(self, params: Params) -> bool:
        query = str(params.get("callback_query_id") or "")
        text = params.get("text") or ""
        if not isinstance(text, str) or len(text) > 200:
            raise bad("MESSAGE_TOO_LONG")
        person = self._phones.memory.telegram.queries.pop(query, None)
        if person is None:
            raise bad("query is too old and response timeout expired or query ID is invalid")
        if text:
            alert = a_flag(params, "show_alert")
            self._phones.journal.add("toast", platform="telegram", person=person, text=text, alert=alert)
        return True

    # Menu button, files

    def _set_menu_button(self, params: Params) -> bool:
        button = an_object(params, "menu_button") or {"type": "default"}
        if button.get("type") not in ("default", "commands", "web_app"):
            raise bad("MenuButton has unsupported type")
        self._phones.memory.telegram.menu_button = button
        return True

    def _get_file(self, params: Params) -> dict[str, Any]:
        media_id = str(params.get("file_id") or "")
        file = self._media.get(media_id)
        if file is None:
            raise bad("invalid file_id")
        return {
            "file_id": media_id,
            "file_unique_id": media_id[:15],
            "file_size": len(file.content),
            "file_path": f"files/{media_id}",
        }

    # Whom

    def _person(self, params: Params) -> Person:
        chat = params.get("chat_id")
        if chat in (None, ""):
            raise bad("chat_id is empty")
        number = whole_number(chat)
        person = self._phones.by_telegram(number) if number is not None else None
        if person is None:
            raise bad("chat not found")
        return person

    def _reachable(self, params: Params) -> Person:
        person = self._person(params)
        if person.blocked:
            raise Denied(403, FORBIDDEN_BLOCKED)
        if not person.started:
            raise Denied(403, FORBIDDEN_NEVER)
        return person


def bot_json(token: str) -> dict[str, Any]:
    """The bot as a Bot API User; its id is the first half of its token."""
    return {
        "id": int(token.partition(":")[0]),
        "is_bot": True,
        "first_name": "暖阳沙盒 Bot",
        "username": "nuanyang_sandbox_bot",
    }
