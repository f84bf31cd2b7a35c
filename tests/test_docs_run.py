"""What the documents show, run: the example dialogue, the operator's statements, the tour of the READMEs."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import pytest
from sqlalchemy import text

from handlers import menu
from models.database import Database
from tests.conftest import StoppedClock
from tests.documents import READMES, ROOT, blocks, section
from tests.phones import Exchange, Stage
from tests.phones import exchange as exchange
from tests.playing import Play, Script

# --- the example dialogue runs ---


@pytest.fixture
def borrow(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """The page's dialogue as a module, on the menu as the page says."""
    code, entry = blocks(ROOT / "docs/adding-a-dialogue.md", "python")
    module = types.ModuleType("handlers.borrow")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(compile(code, "docs/adding-a-dialogue.md", "exec"), module.__dict__)
    made = eval(entry, {"Entry": menu.Entry, "N_": lambda words: words, "borrow": module})
    monkeypatch.setitem(menu.DIALOGUES, module.BORROW.name, module.BORROW)
    monkeypatch.setitem(menu.ENTRIES, made.key, made)
    return module


@pytest.mark.parametrize("platform", ["wechat", "telegram"])
async def test_the_example_dialogue_talks_as_its_page_says(
    platform: str,
    borrow: types.ModuleType,
    database: Database,
    clock: StoppedClock,
    exchange: Exchange,
    tmp_path: Path,
) -> None:
    script = tmp_path / "borrow.chat"
    script.write_text(blocks(ROOT / "docs/adding-a-dialogue.md", "chat")[0], "utf-8")
    stage = Stage(database, tmp_path / "spool", exchange)
    happened = await Play(Script.read(script), stage, platform, clock).run()
    assert "\n".join(happened).rstrip() == script.read_text("utf-8").rstrip()
    with database.read() as session:
        rows = session.execute(text("SELECT subject FROM audit WHERE action = 'aid.borrowed'")).scalars().all()
    assert rows == ["wheelchair"]


# --- the operator's statements run ---


def test_the_sql_of_the_operating_guide_is_taken_by_both_databases(database: Database) -> None:
    statements = [
        part for block in blocks(ROOT / "docs/operating.md", "sql") for part in block.split(";") if part.strip()
    ]
    assert statements
    for statement in statements:
        with database.engine.begin() as connection:
            connection.execute(text(statement))


# --- the tour of the READMEs runs ---

TOUR = """平台：微信
阿林：〔关注〕
阿林：报名
阿林：〔按 同意〕
阿林：林小阳
阿林：13800138000
阿林：返回
阿林：13800138000
阿林：帮助
阿林：〔贴纸〕
阿林：2005-08-13
阿林：广州天河
阿林：〔按 提交〕
阿林：我的
阿林：绑定
阿林：〔按 在这里拿一个绑定码〕
阿林@另：〔关注〕
阿林@另：绑定
阿林@另：〈码1〉
阿林@另：〔按 是我的，绑定〕
阿林@另：我的
阿林：〔取消关注〕
阿林：〔关注〕
阿林：我以前注册过
阿林：13800138000
阿林：2005-08-13
〔外发〕
阿林：〈码2〉
阿林：我的资料
"""


async def test_the_tour_of_the_readmes_goes_as_they_tell(
    database: Database, clock: StoppedClock, exchange: Exchange, tmp_path: Path
) -> None:
    for readme in READMES:
        for typed in ("报名", "我的", "绑定", "返回", "帮助", "我以前注册过", "13800138000", "2005-08-13", "广州天河"):
            assert f"`{typed}`" in section(readme, "A tour", "走一遍"), typed
    script = tmp_path / "tour.chat"
    script.write_text(TOUR, "utf-8")
    stage = Stage(database, tmp_path / "spool", exchange)
    happened = "\n".join(await Play(Script.read(script), stage, "wechat", clock).run())
    after = {line: happened.split(f"\n{line}\n")[-1].split("\n阿林")[0] for line in TOUR.splitlines()[1:]}
    assert "注册成功" in after["阿林：〔按 提交〕"]
    assert "绑好了" in after["阿林@另：〔按 是我的，绑定〕"]
    assert "（不回复）" in after["阿林：〔取消关注〕"]
    assert "报名" in after["阿林：〔关注〕"], "whoever unfollowed comes back as somebody new"
    assert "欢迎回来" in after["阿林：〈码2〉"]
    assert "林小阳" in after["阿林：我的资料"]
