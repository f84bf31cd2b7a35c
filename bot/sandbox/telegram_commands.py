"""The bot's command lists, by scope and language, and which of them a person sees."""

from __future__ import annotations

from typing import Any

from bot.sandbox.memory import Person
from bot.sandbox.phones import Phones
from bot.sandbox.telegram_params import Params, a_list, an_object
from bot.sandbox.telegram_refusals import bad

COMMAND_LETTERS = set("abcdefghijklmnopqrstuvwxyz0123456789_")


class TelegramCommands:
    """setMyCommands and its relatives; every method raises Denied."""

    def __init__(self, phones: Phones) -> None:
        self._phones = phones

    def set(self, params: Params) -> bool:
        """Put up the commands of a scope and language."""
        commands = a_list(params, "commands")
        if commands is None:
            raise bad("commands are not specified")
        if len(commands) > 100:
            raise bad("BOT_COMMANDS_TOO_MUCH")
        self._phones.memory.telegram.commands[_scope(params)] = [_command(entry) for entry in commands]
        self._phones.journal.add("menu", platform="telegram", person=None)
        return True

    def delete(self, params: Params) -> bool:
        """Take them down."""
        self._phones.memory.telegram.commands.pop(_scope(params), None)
        self._phones.journal.add("menu", platform="telegram", person=None)
        return True

    def get(self, params: Params) -> list[dict[str, str]]:
        """The commands of exactly that scope and language."""
        return self._phones.memory.telegram.commands.get(_scope(params), [])


def commands_for(phones: Phones, person: Person | None) -> list[dict[str, str]]:
    """The command list a person sees: chat scope before private chats before everybody, language before none."""
    commands = phones.memory.telegram.commands
    language = person.language.partition("-")[0] if person is not None else ""
    scopes = ["all_private_chats", "default"]
    if person is not None:
        scopes.insert(0, f"chat:{person.telegram_id}")
    for scope in scopes:
        for key in (f"{scope}|{language}", f"{scope}|"):
            if commands.get(key):
                return commands[key]
    return []


def _scope(params: Params) -> str:
    scope = an_object(params, "scope") or {"type": "default"}
    name = str(scope.get("type"))
    if name == "chat":
        name = f"chat:{scope.get('chat_id')}"
    return f"{name}|{params.get('language_code') or ''}"


def _command(entry: Any) -> dict[str, str]:
    name = entry.get("command") if isinstance(entry, dict) else None
    about = entry.get("description") if isinstance(entry, dict) else None
    if not isinstance(name, str) or not 1 <= len(name.lstrip("/")) <= 32 or set(name.lstrip("/")) - COMMAND_LETTERS:
        raise bad("BOT_COMMAND_INVALID")
    if not isinstance(about, str) or not 1 <= len(about) <= 256:
        raise bad("BOT_COMMAND_DESCRIPTION_INVALID")
    return {"command": name.lstrip("/"), "description": about}
