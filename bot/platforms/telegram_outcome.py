"""How a call to the Bot API ended, in the words of the port."""

from __future__ import annotations

from telegram.error import (
    BadRequest,
    ChatMigrated,
    Conflict,
    Forbidden,
    InvalidToken,
    TelegramError,
    TimedOut,
)

from bot.platforms.base import Outcome
from bot.platforms.telegram_request import NotSentError, Paused, UnclearError

_AFTER_NO_CONNECTION = 5.0

# Refusals that mean the person, not the message. They come with status 400.
_GONE = ("chat not found", "user not found", "peer_id_invalid", "user is deactivated", "bot was blocked")
# Only these words of a refusal may be logged: the rest of a description can quote a one-time link.
_KNOWN = ("message is too long", "message text is empty", "button_data_invalid", "wrong http url", "chat_id is empty")


def outcome_of(error: TelegramError) -> Outcome:
    """Name the end of a call that raised. `code` never holds anything a person wrote, nor the token.

    A 429 pauses this chat only (`whole_account` is never set): Telegram does not say which of its limits was hit,
    the pause per chat is the common one, and the account's own limiter keeps below the common rate.
    """
    if isinstance(error, Paused):
        return Outcome("retry", code="429", retry_after=error.seconds)
    if isinstance(error, ChatMigrated):
        # Only groups migrate, and we serve none; the new id is told all the same.
        return Outcome("retry", code="migrated", reference=str(error.new_chat_id))
    if isinstance(error, InvalidToken):
        return Outcome("stopped", code="401", ask_first=True)
    if isinstance(error, Conflict):
        return Outcome("stopped", code="409", ask_first=True)
    if isinstance(error, Forbidden):
        return Outcome("left", code="403")
    if isinstance(error, BadRequest):
        return _bad_request(error.message.lower())
    if isinstance(error, NotSentError):
        return Outcome("retry", code="not-sent", retry_after=_AFTER_NO_CONNECTION)
    if isinstance(error, UnclearError):
        return Outcome("uncertain", code=str(error.status))
    if isinstance(error, TimedOut):
        return Outcome("uncertain", code="timeout")
    return Outcome("uncertain", code="connection-lost")


def _bad_request(words: str) -> Outcome:
    if any(gone in words for gone in _GONE):
        return Outcome("left", code="400")
    known = next((known for known in _KNOWN if known in words), "")
    return Outcome("refused", code=f"400 {known}".rstrip())
