"""A ledger on a one-time page: uploaded, looked at, taken and taken back, by whoever may."""

from __future__ import annotations

import asyncio
import io
import threading
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import FormData
from aiohttp.test_utils import TestClient
from python_calamine import CalamineWorkbook
from sqlmodel import func, select

from bot import uploads
from bot.app import App
from models import lease, ledger_check
from models.audit import AuditEntry
from models.beneficiary import Beneficiary
from models.database import Database
from models.ledger_batch import LedgerBatch
from models.page import issue_page
from scheduler.jobs import finish_imports
from tests.chatting import Chat
from tests.conftest import StoppedClock
from tests.guarded import KEEP_OUT
from tests.guarded import app as app
from tests.guarded import web as web
from tests.ledger_files import as_csv, id_number, people, person
from tests.outgoing import deliver
from tests.people import end_role, follow
from tests.test_ledger_import import brought
from tests.test_ledger_sheet import REFUSED
from tests.uploading import COUNTY, figure, organiser, page_for, path, press, send, settled

Web = TestClient[Any, Any]
NAME = person(1)["姓名"]
# One of 64 MB need not be sent: the limit itself is tried below.
SENT = {kind: file for kind, file in REFUSED.items() if kind != "more bytes than we take"}


@pytest.fixture
def boss(database: Database) -> Chat:
    return organiser(database)


def standing(database: Database) -> int:
    with database.read() as session:
        return session.exec(select(func.count()).select_from(Beneficiary)).one()


def batches(database: Database) -> list[LedgerBatch]:
    with database.read() as session:
        return list(session.exec(select(LedgerBatch)))


async def test_a_ledger_goes_from_the_page_into_the_county(web: Web, boss: Chat, database: Database) -> None:
    at = page_for(boss)
    shown = await (await web.get(at)).text()
    assert "广州市天河区" in shown and "上传并检查" in shown
    status, words = await send(web, at, as_csv(people(3)))
    assert (status, figure(words, "新增"), standing(database)) == (200, 3, 0)
    assert NAME not in words
    [told] = [one for one in deliver(database, boss) if one.kind == "notice.import"]
    assert "新增 3" in told.text and NAME not in told.text
    assert boss.labels()[:3] == ["看结果", "收下", "放弃"]
    status, words = await press(web, at, "take", database)
    assert (status, standing(database)) == (200, 3) and "已收下" in words
    assert [one.text for one in deliver(database) if "已收下" in one.text]
    status, words = await press(web, at, "undo", database)
    assert (status, standing(database)) == (200, 0) and "已撤回" in words
    with database.read() as session:
        actors = {entry.actor for entry in session.exec(select(AuditEntry)) if entry.action.startswith("ledger.")}
    assert actors == {boss.person().id}


async def test_what_is_wrong_stands_beside_its_row_and_comes_back_as_a_file(
    web: Web, boss: Chat, database: Database
) -> None:
    rows = [person(0), person(1, 联系电话="123"), person(2, 残疾人证号="4.40106E+17")]
    at = page_for(boss)
    _status, words = await send(web, at, as_csv(rows))
    assert (figure(words, "新增"), figure(words, "不能收")) == (2, 1)
    assert "第 3 行（联系电话）" in words and "第 4 行（残疾人证号）" in words
    assert "末几位已经丢失" in words and NAME not in words and id_number(1) not in words
    answer = await web.post(at, data={"do": "file"})
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert answer.headers["Cache-Control"] == KEEP_OUT["Cache-Control"]
    sheet = CalamineWorkbook.from_filelike(io.BytesIO(await answer.read())).get_sheet_by_index(0).to_python()
    assert (len(sheet), sheet[0][-1], sheet[1][0]) == (3, "问题", NAME)
    with database.read() as session:
        assert session.exec(select(AuditEntry).where(AuditEntry.action == "ledger.file_read")).one()


@pytest.mark.parametrize(("make", "why"), SENT.values(), ids=SENT)
async def test_a_file_that_is_none_is_told_honestly_and_another_may_follow(
    web: Web, boss: Chat, database: Database, make: Any, why: str, app: App
) -> None:
    at, data = page_for(boss), make()
    _status, words = await send(web, at, data, "坏.xlsx")
    assert 'role="alert"' in words and "上传并检查" in words and "检查中断" not in words
    assert standing(database) == 0 and batches(database) == []
    assert list(app.spool.folder.iterdir()) == []
    if data:
        assert [one for one in deliver(database, boss) if "没有检查成" in one.text]
    _status, words = await send(web, at, as_csv(people(1)))
    assert figure(words, "新增") == 1


async def test_a_file_that_is_too_large_is_refused_with_what_to_do(
    web: Web, boss: Chat, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "MOST_BYTES", 100_000)
    monkeypatch.setattr(uploads, "DRAINED", 300_000)
    at = page_for(boss)
    for size in (100_001, 400_000):
        status, words = await send(web, at, b"x" * size)
        assert status == 422 and "拆成几份" in words and "--part" not in words
    assert batches(database) == []


async def test_what_is_no_upload_of_a_browser_is_refused(web: Web, boss: Chat, database: Database) -> None:
    at = page_for(boss)
    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    other = head.replace(b'"file"', b'"other"')
    for body in (b"", b"nothing", b"--x--\r\n", other + b"a\r\n--x--\r\n", head + b"a", head + b"a\r\n" + head + b"b"):
        answer = await web.post(at, data=body, headers=kind)
        assert answer.status == 422, body
        assert 'role="alert"' in await answer.text()
    nested = b"--x\r\nContent-Type: multipart/mixed; boundary=y\r\n\r\n--y\r\n\r\na\r\n--y--\r\n--x--\r\n"
    assert (await web.post(at, data=nested, headers=kind)).status == 422
    assert (await web.post(at, data=b"x", headers={"Content-Type": "multipart/form-data"})).status == 422
    assert (await web.post(at, data=b"x", headers={"Content-Type": "application/octet-stream"})).status == 415
    assert (await web.post(at, data=b"x", headers={**kind, "Content-Encoding": "gzip"})).status in (400, 403)
    assert batches(database) == []


async def test_an_upload_that_never_ends_is_ended(
    web: Web, boss: Chat, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "SILENT_SECONDS", 0.2)
    at = page_for(boss)

    async def dripping() -> Any:
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nabc'
        await asyncio.sleep(5)

    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = await web.post(at, data=dripping(), headers=kind)
    assert answer.status == 422 and "传得太慢" in await answer.text()
    assert batches(database) == []


async def test_a_disk_that_takes_no_more_is_told(
    web: Web, boss: Chat, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full(io.BytesIO):
        def write(self, _data: Any) -> int:
            raise OSError(28, "no space")

    monkeypatch.setattr("tempfile.TemporaryFile", lambda **_where: Full())
    status, words = await send(web, page_for(boss), as_csv(people(1)))
    assert status == 422 and "放不下" in words and batches(database) == []


async def test_a_check_that_waits_for_another_is_not_taken_for_dead(
    web: Web, boss: Chat, database: Database, clock: StoppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "BEAT_SECONDS", 0.02)
    ended, read = threading.Event(), uploads.read_ledger

    def slow(*given: Any, **more: Any) -> Any:
        assert ended.wait(20)
        return read(*given, **more)

    monkeypatch.setattr(uploads, "read_ledger", slow)
    at = page_for(boss)
    form = FormData()
    form.add_field("file", as_csv(people(2)), filename="a.csv")
    assert "正在检查" in await (await web.post(at, data=form)).text()
    for _time in range(3):
        clock.pass_time(timedelta(minutes=1))
        await asyncio.sleep(0.3)
    assert "正在检查" in await (await web.get(at)).text()
    ended.set()
    assert figure((await settled(web, at))[1], "新增") == 2


async def test_only_whoever_may_import_there_can_and_it_is_looked_at_each_time(
    web: Web, boss: Chat, database: Database
) -> None:
    at = page_for(boss)
    await send(web, at, as_csv(people(2)))
    fresh = page_for(boss)
    end_role(database, boss)
    for answer in (
        await web.get(at),
        await web.get(fresh),
        await web.post(at, data={"do": "take"}),
        await web.post(at, data={"do": "file"}),
        await web.post(at, data={"do": "names"}),
    ):
        assert answer.status == 403
        assert "不负责这个地区" in await answer.text()
    assert (await send(web, fresh, as_csv(people(2))))[0] == 403
    assert [batch.state for batch in batches(database)] == ["checked"]
    assert [one for one in deliver(database) if one.kind == "notice.import" and one.text] == []


async def test_a_page_ends_with_its_time_and_belongs_to_its_door(
    web: Web, boss: Chat, database: Database, clock: StoppedClock
) -> None:
    at = page_for(boss)
    clock.pass_time(timedelta(minutes=31))
    assert (await web.get(at)).status == 404
    assert (await send(web, at, as_csv(people(1))))[0] == 404
    for token in ("x" * 22, "y"):
        assert (await send(web, f"/p/{token}", as_csv(people(1))))[0] == 404
    with database.write() as session:
        other = issue_page(session, boss.person().id, "data", {})
    assert (await send(web, f"/p/{other}", as_csv(people(1))))[0] == 404
    assert batches(database) == []


async def test_of_two_windows_one_file_is_checked_and_one_press_counts(
    web: Web, boss: Chat, database: Database
) -> None:
    at = page_for(boss)
    form = [FormData(), FormData()]
    for number, one in enumerate(form):
        one.add_field("file", as_csv(people(number + 1)), filename="a.csv", content_type="text/csv")
    await asyncio.gather(*(web.post(at, data=one) for one in form))
    await settled(web, at)
    assert len(batches(database)) == 1
    pressed = await asyncio.gather(*(web.post(at, data={"do": "take"}) for _time in range(3)))
    assert {answer.status for answer in pressed} == {200}
    status, words = await press(web, at, "drop", database)
    assert (status, batches(database)[0].state) == (200, "taken") or status == 409
    assert "正在收下" in words or "已收下" in words or "现在不能这样做" in words


async def test_a_press_from_a_strange_page_does_nothing(web: Web, boss: Chat, database: Database) -> None:
    at = page_for(boss)
    await send(web, at, as_csv(people(1)))
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "https://evil.test"}):
        assert (await web.post(at, data={"do": "take"}, headers=headers)).status == 403
        form = FormData()
        form.add_field("file", b"x", filename="a.csv")
        assert (await web.post(at, data=form, headers=headers)).status == 403
    assert batches(database)[0].state == "checked"
    own = {"Sec-Fetch-Site": "same-origin", "Origin": "null"}  # as a browser sends it from a page that tells nothing
    assert (await web.post(at, data={"do": "drop"}, headers=own)).status == 200
    assert "已放弃" in (await settled(web, at))[1]
    status, words = await press(web, at, "take", database)
    assert (status, standing(database)) == (409, 0) and "重新导入一次" in words


async def test_doubtful_rows_are_taken_by_their_numbers(web: Web, boss: Chat, database: Database) -> None:
    brought(database, [person(1)])
    like = person(1, 残疾人证号=id_number(3) + "42")
    at = page_for(boss, "只是一部分")
    _status, words = await send(web, at, as_csv([like, person(4)]))
    assert figure(words, "存疑") == 1 and 'for="doubtful"' in words
    for wrong in ("abc", "3", "2,99999999999", "-2"):
        status, words = await press(web, at, "take", database, doubtful=wrong)
        assert status == 409 and 'role="alert"' in words
    await press(web, at, "take", database, doubtful="2，")
    assert standing(database) == 3


async def test_so_many_missing_must_be_meant(web: Web, boss: Chat, database: Database) -> None:
    brought(database, people(30))
    at = page_for(boss)
    _status, words = await send(web, at, as_csv(people(5)))
    assert "文件确实是整本台账" in words
    assert (await press(web, at, "take", database))[0] == 409
    await press(web, at, "take", database, many_gone="1")
    assert batches(database)[-1].state == "taken" or {"taken"} == {one.state for one in batches(database)}


async def test_those_whom_an_import_cannot_take_back_are_named_on_the_page_only(
    web: Web, boss: Chat, database: Database
) -> None:
    at = page_for(boss)
    await send(web, at, as_csv(people(3)))
    await press(web, at, "take", database)
    brought(database, [person(1)], part=True)  # a later ledger names this one, too
    deliver(database)
    _status, words = await press(web, at, "undo", database)
    assert "1 人之后又有变化" in words and NAME not in words
    _status, words = await press(web, at, "names", database)
    assert NAME in words and "第 3 行" in words
    assert standing(database) == 1
    [told] = [one for one in deliver(database, boss) if one.kind == "notice.import"]
    assert "有 1 人之后又有变化" in told.text and NAME not in told.text


async def test_a_check_that_is_cut_off_says_so_on_the_page_and_later_in_chat(
    web: Web, boss: Chat, database: Database, clock: StoppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dead(_uploads: Any, _page: Any, _mine: Any, file: Any) -> None:
        """The process ended here."""
        file.close()

    at = page_for(boss)
    with monkeypatch.context() as patch:
        patch.setattr(uploads.Uploads, "start", dead)
        form = FormData()
        form.add_field("file", as_csv(people(1)), filename="a.csv")
        assert "正在检查" in await (await web.post(at, data=form)).text()
    clock.pass_time(timedelta(minutes=2))
    assert "检查中断了" in await (await web.get(at)).text()
    clock.pass_time(timedelta(minutes=9))
    [told] = [one for one in deliver(database, boss) if one.kind == "notice.import"]
    assert "检查中断了" in told.text
    _status, words = await send(web, at, as_csv(people(1)))
    assert figure(words, "新增") == 1
    clock.pass_time(timedelta(minutes=11))
    assert [one.text for one in deliver(database) if "检查中断" in one.text] == []


async def test_an_error_of_ours_is_told_and_no_cell_is_logged(
    web: Web, boss: Chat, database: Database, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def broken(*_anything: Any, **_more: Any) -> None:
        raise RuntimeError(NAME)

    monkeypatch.setattr(ledger_check, "check", broken)
    _status, words = await send(web, page_for(boss), as_csv(people(2)))
    assert "我们的程序出了错" in words and NAME not in words
    assert NAME not in "".join(capfd.readouterr())


async def test_a_crash_in_the_middle_of_taking_is_gone_on_with_by_the_next_round(
    web: Web, boss: Chat, database: Database
) -> None:
    at = page_for(boss)
    await send(web, at, as_csv(people(2)))
    answer = await web.post(at, data={"do": "take"})
    assert "正在收下" in await answer.text() and answer.headers["Refresh"]
    assert standing(database) == 0, "what was begun stands in its row, and no process has it in its head"
    await press(web, at, "", database)
    assert standing(database) == 2


async def test_one_process_at_a_time_goes_on_with_an_import(web: Web, boss: Chat, database: Database) -> None:
    at = page_for(boss)
    await send(web, at, as_csv(people(2)))
    await web.post(at, data={"do": "take"})
    with database.write() as session:
        assert lease.hold(session, "imports", "another process") is not None
    await asyncio.to_thread(finish_imports, database)
    assert standing(database) == 0
    with database.write() as session:
        lease.give_up(session, "another process")
    await asyncio.to_thread(finish_imports, database)
    assert standing(database) == 2


async def test_in_chat_an_import_is_seen_taken_and_taken_back(web: Web, boss: Chat, database: Database) -> None:
    await send(web, page_for(boss), as_csv(people(2)))
    deliver(database, boss)
    boss.press("看结果")
    assert figure((await settled(web, path(boss)))[1], "新增") == 2
    boss.say("最近的导入")
    boss.press(boss.labels()[0])
    assert "正在收下" in boss.press("收下")
    await asyncio.to_thread(finish_imports, database)
    assert standing(database) == 2
    boss.say("最近的导入")
    assert "已收下" in boss.labels()[0]
    boss.press(boss.labels()[0])
    boss.press("撤回")
    assert "没有做任何改动" in boss.press("先不撤")
    boss.say("最近的导入")
    boss.press(boss.labels()[0])
    boss.press("撤回")
    assert "正在撤回" in boss.press("撤回")
    await asyncio.to_thread(finish_imports, database)
    assert standing(database) == 0


def test_somebody_without_the_role_gets_no_page(database: Database) -> None:
    chat = Chat(database, "nobody")
    follow(chat)
    assert "组织者用的" in chat.say("导入台账") and chat.said.links == ()


def test_an_organiser_of_a_province_names_the_city_or_county(database: Database) -> None:
    chat = organiser(database, "44")
    chat.say("导入台账")
    assert "没找到你负责的" in chat.say("南宁")
    assert "广东省广州市天河区" in chat.say("广州天河")
    chat.press("整本台账")
    assert chat.said.links


def test_on_telegram_no_name_is_in_the_chat(database: Database) -> None:
    chat = organiser(database, COUNTY, "telegram")
    brought(database, people(2))
    assert page_for(chat)
    chat.say("最近的导入")
    chat.press(chat.labels()[0])
    assert NAME not in chat.said.text and chat.labels()[:2] == ["看结果", "撤回"]


def test_without_pages_the_command_is_named(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.chatting.PUBLIC", "")
    chat = organiser(database)
    chat.say("导入台账")
    assert "nuanyang import ledger" in chat.press("整本台账") and chat.said.links == ()
