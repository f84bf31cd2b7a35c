"""`nuanyang match`."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.cli import run
from tests.commanding import on_database, reads
from tests.pairable import Pairable

Out = pytest.CaptureFixture[str]


def test_it_tells_how_many_were_found_and_why_others_were_not(here: Path, capsys: Out) -> None:
    with on_database(here) as database:
        made = Pairable(database)
        made.volunteer()
        for language in (None, "sign", "sign"):
            made.listed(language=language)
        made.listed(sex_wanted="male")
    assert run(["match", "4401"]) == 0
    said = capsys.readouterr().out
    assert said.splitlines() == [
        "广东省广州市：等待 4 人，已有提议 1 人，还没找到 3 人。",
        "附近没有会手语的志愿者：2",
        "附近没有家里希望的性别的志愿者：1",
    ]
    assert [actor for actor, _subject in reads(here, "matching.run")] == ["machine"]


def test_where_nobody_waits_it_says_so_and_who_would(here: Path, capsys: Out) -> None:
    assert run(["match", "440106"]) == 0
    said = capsys.readouterr()
    assert said.out == "广东省广州市天河区：现在没有等待结对的人。\n"
    assert "家里已同意结对" in said.err


def test_a_region_that_is_none_is_refused_in_one_line(here: Path, capsys: Out) -> None:
    assert run(["match", "4290"]) == 1
    said = capsys.readouterr()
    assert not said.out
    assert said.err == "没有代码为 4290 的地区：写 2 位、4 位或 6 位行政区划代码。\n"
