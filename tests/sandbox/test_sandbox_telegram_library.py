"""The played Bot API through the eyes of python-telegram-bot, which other people wrote."""

from __future__ import annotations

from typing import Any

import pytest

from bot.sandbox.telegram_flood import TelegramLimits


async def test_python_telegram_bot_reads_every_update(play: Any) -> None:
    from telegram import Update

    async with play(telegram=TelegramLimits(chat_burst=20)) as ground:
        await ground.begin()
        for act in ("image", "sticker", "voice", "video", "file", "contact", "unfollow", "follow"):
            await ground.act("telegram", do=act)
        markup = {"inline_keyboard": [[{"text": "好", "callback_data": "y"}]]}
        await ground.tg("sendMessage", chat_id=await ground.chat_id(), text="一", reply_markup=markup)
        shown = (await ground.chat("telegram"))[-1]
        await ground.act("telegram", do="press", message_id=shown["id"], button_id="b0-0")
        await ground.state_of("telegram", shown["id"], "delivered")
        for update in ground.product.updates:
            read = Update.de_json(update, None)
            assert read.effective_user.id == await ground.chat_id()
        assert len(ground.product.updates) == 11


async def test_python_telegram_bot_can_be_the_bot(play: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PTB_TIMEDELTA", "1")  # without it reading retry_after is a deprecation warning
    from telegram import (
        Bot,
        BotCommand,
        InlineKeyboardButton,
        InlineKeyboardMarkup,
        KeyboardButton,
        ReplyKeyboardMarkup,
    )
    from telegram.error import BadRequest, Forbidden, RetryAfter

    async with play(mode="polling", telegram=TelegramLimits(chat_burst=3)) as ground:
        base = f"{ground.base}/sandbox/telegram-api/bot"
        async with Bot("123456789:AA-sandbox_token", base_url=base) as bot:
            chat = await ground.chat_id()
            with pytest.raises(Forbidden):
                await bot.send_message(chat, "你好")
            await ground.act("telegram", do="follow")
            (update,) = await bot.get_updates(timeout=1)
            assert update.message.text == "/start"
            keys = InlineKeyboardMarkup([[InlineKeyboardButton("好", callback_data="y")]])
            sent = await bot.send_message(chat, "<b>可以吗？</b>", parse_mode="HTML", reply_markup=keys)
            board = ReplyKeyboardMarkup([[KeyboardButton("发送位置", request_location=True)]])
            await bot.send_message(chat, "在哪？", reply_markup=board)
            assert (await ground.get("/chats/telegram/p1"))["keyboard"]["rows"][0][0]["request_location"]
            await ground.act("telegram", do="press", message_id=f"m{sent.message_id}", button_id="b0-0")
            (press,) = await bot.get_updates(offset=update.update_id + 1)
            assert press.callback_query.data == "y"
            assert await press.callback_query.answer("记下了")
            with pytest.raises(BadRequest, match="too old"):
                await bot.answer_callback_query(press.callback_query.id)
            await bot.set_my_commands([BotCommand("start", "开始")])
            assert [command.command for command in await bot.get_my_commands()] == ["start"]
            await bot.send_photo(chat, b"\x89PNG...")
            with pytest.raises(RetryAfter):
                for _time in range(30):  # one a second is allowed, so a slow machine needs more than one
                    await bot.send_message(chat, "太快了")
