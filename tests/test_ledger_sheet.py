"""Files as they are handed over: what can be read is read with its row numbers, the rest is refused with a reason."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable
from datetime import date, datetime
from functools import cache

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from xlsxwriter import Workbook

from models import ledger_sheet
from models.ledger_columns import SheetError
from models.ledger_sheet import read_sheet
from tests.sheets import CERTIFICATE, GOOD, HEADINGS, ID, OTHER, archive, changed, text, workbook

LIST = [HEADINGS, GOOD, OTHER]
AS_READ = [HEADINGS, GOOD, (*OTHER[:-1], None)]
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
TRADITIONAL = [("姓名", "殘疾人證號", "聯繫電話"), ("測試甲", CERTIFICATE, "13800138000")]


def reason(data: bytes) -> str:
    with pytest.raises(SheetError) as caught:
        read_sheet(data, "台账.xlsx")
    return caught.value.reason


def made(draw: Callable[[Workbook], None]) -> bytes:
    file = io.BytesIO()
    with Workbook(file, {"in_memory": True}) as book:
        draw(book)
    return file.getvalue()


def far_away(book: Workbook) -> None:
    sheet = book.add_worksheet()
    sheet.write_row(0, 0, HEADINGS)
    sheet.write(1_048_575, 16_383, "x")


def far_below(book: Workbook) -> None:
    sheet = book.add_worksheet()
    sheet.write_row(0, 0, HEADINGS)
    sheet.write(300_000, 0, "x")


def far_right(book: Workbook) -> None:
    sheet = book.add_worksheet()
    sheet.write_row(0, 0, HEADINGS)
    sheet.write(1, 300, "x")


def ods(content: str) -> bytes:
    spaces = "".join(
        f' xmlns:{short}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
        for short, name in (("office", "office"), ("table", "table"), ("text", "text"))
    )
    body = (
        f'<?xml version="1.0"?><office:document-content{spaces}><office:body><office:spreadsheet>'
        f'<table:table table:name="表">{content}</table:table>'
        "</office:spreadsheet></office:body></office:document-content>"
    )
    manifest = '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>'
    parts = {
        "mimetype": b"application/vnd.oasis.opendocument.spreadsheet",
        "content.xml": body.encode(),
        "META-INF/manifest.xml": manifest.encode(),
    }
    return archive(**parts)


def ods_row(*cells: str, repeated: int = 1) -> str:
    said = f' table:number-columns-repeated="{repeated}"' if repeated > 1 else ""
    return (
        "<table:table-row>"
        + "".join(
            f'<table:table-cell office:value-type="string"{said}><text:p>{cell}</text:p></table:table-cell>'
            for cell in cells
        )
        + "</table:table-row>"
    )


def lying_zip() -> bytes:
    """An archive that says of itself that it unpacks to 3 GiB."""
    data = bytearray(workbook(LIST))
    place = data.rindex(b"PK\x01\x02")
    data[place + 24 : place + 28] = struct.pack("<I", 3 << 30)
    return bytes(data)


def locked_zip() -> bytes:
    data = bytearray(workbook(LIST))
    place = data.index(b"PK\x01\x02")
    data[place + 8] |= 1
    return bytes(data)


def unpacking_to(size: int) -> bytes:
    return changed(workbook(LIST), "xl/styles.xml", b"<styleSheet", b" " * size + b"<styleSheet")


REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "no bytes": (lambda: b"", "empty"),
    "only blanks": (lambda: b" \r\n\t \r\n", "empty"),
    "only a byte order mark": (lambda: b"\xef\xbb\xbf", "empty"),
    "a workbook without a cell": (lambda: workbook([]), "empty"),
    "an .ods without a cell": (lambda: ods(""), "empty"),
    "an ordinary letter": (lambda: "各位同事：请查收台账。".encode(), "no_heading"),
    "rows without headings": (lambda: text([GOOD, OTHER]), "no_heading"),
    "headings without a number": (lambda: text([("姓名", "联系电话"), ("测试甲", "13800138000")]), "no_heading"),
    "headings without a name": (lambda: text([("残疾人证号", "联系电话"), (CERTIFICATE, "1")]), "no_heading"),
    "headings in row 21": (lambda: text([*[("说明",)] * 20, *LIST]), "no_heading"),
    "two columns for one thing": (lambda: text([("姓名", "身份证号", "身份证号码"), GOOD]), "doubtful_heading"),
    "two columns of names": (lambda: workbook([("姓名", "姓名", "身份证号"), GOOD]), "doubtful_heading"),
    "a PDF": (lambda: b"%PDF-1.7\n1 0 obj\n", "not_a_table"),
    "a picture": (lambda: b"\x89PNG\r\n\x1a\n" + bytes(100), "not_a_table"),
    "a photo": (lambda: b"\xff\xd8\xff\xe0" + bytes(range(256)), "not_a_table"),
    "a RAR archive": (lambda: b"Rar!\x1a\x07\x00" + bytes(50), "not_a_table"),
    "a program": (lambda: b"\x7fELF\x02\x01\x01" + bytes(200), "not_a_table"),
    "a zip of other things": (lambda: archive(**{"a.txt": b"x"}), "not_a_table"),
    "a Word document": (
        lambda: archive(**{"word/document.xml": b"<x/>", "[Content_Types].xml": b"<Types/>"}),
        "broken",
    ),
    "half a zip": (lambda: workbook(LIST)[:900], "broken"),
    "a zip without its end": (lambda: workbook(LIST)[:-60], "broken"),
    "only the start of a zip": (lambda: b"PK\x03\x04", "broken"),
    "a workbook without its sheet": (
        lambda: changed(workbook(LIST), "xl/worksheets/sheet1.xml", b"<sheetData>", b"<sheet"),
        "broken",
    ),
    "an old .xls cut off": (lambda: OLE + bytes(600), "broken"),
    "only the mark of an .xls": (lambda: OLE, "broken"),
    "a workbook with a password": (lambda: OLE + bytes(600) + "EncryptedPackage".encode("utf-16-le"), "encrypted"),
    "a zip with a password": (locked_zip, "encrypted"),
    "a web page under a name of Excel's": (lambda: b"<html><table><tr><td>x</td></tr></table></html>", "web_page"),
    "a web page with a mark": (lambda: b"\xef\xbb\xbf\r\n<!DOCTYPE html><html></html>", "web_page"),
    "XML of Excel 2003": (lambda: b'<?xml version="1.0"?><?mso-application progid="Excel.Sheet"?>', "web_page"),
    "more bytes than we take": (lambda: bytes(ledger_sheet.MOST_BYTES + 1), "too_large"),
    "an archive that would unpack to too much": (lying_zip, "too_large"),
    "a cell in the last row and column": (lambda: made(far_away), "too_large"),
    "too many rows": (lambda: made(far_below), "too_large"),
    "too many columns": (lambda: made(far_right), "too_large"),
    "too many rows of text": (lambda: text(LIST) + b"a\n" * 200_001, "too_large"),
    "too many columns of text": (lambda: text([*LIST, ["x"] * 201]), "too_large"),
    "an .ods that repeats a cell a milliard times": (
        lambda: ods(ods_row(*HEADINGS) + ods_row("x", repeated=1_000_000_000)),
        "too_large",
    ),
    "half of a two-byte text": (lambda: "姓名".encode("utf-16")[:-1], "no_heading"),
    "zeros": (lambda: bytes(5000), "not_a_table"),
    "signs of no encoding": (lambda: b"\xff\xff\x80\x81" * 50, "encoding"),
}


@pytest.mark.parametrize(("make", "why"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_taken_is_refused_with_its_reason(make: Callable[[], bytes], why: str) -> None:
    assert reason(make()) == why


TEXTS = {
    "UTF-8": text(LIST),
    "UTF-8 with a mark": text(LIST, "utf-8-sig"),
    "UTF-16": text(LIST, "utf-16"),
    "UTF-16, the other way round": b"\xfe\xff" + text(LIST, "utf-16-be"),
    "UTF-16 without a mark": text(LIST, "utf-16-le"),
    "GBK": text(LIST, "gbk"),
    "GB18030": text(LIST, "gb18030"),
    "semicolons": text(LIST, delimiter=";"),
    "tabs": text(LIST, "gbk", delimiter="\t"),
    "Excel's hint of the delimiter": b"sep=;\r\n" + text(LIST, delimiter=";"),
    "lines of Unix": text(LIST).replace(b"\r\n", b"\n"),
    "lines of an old Mac": text(LIST).replace(b"\r\n", b"\r"),
    "the end mark of DOS": text(LIST) + b"\x1a",
}


@pytest.mark.parametrize("data", TEXTS.values(), ids=TEXTS)
def test_text_is_read_in_every_usual_encoding(data: bytes) -> None:
    rows = [row for row in read_sheet(data, "台账.csv").rows if row]
    assert rows == AS_READ


def test_big5_is_known_by_its_headings() -> None:
    sheet = read_sheet(text(TRADITIONAL, "big5"), "台帳.csv")
    assert (sheet.encoding, sheet.rows) == ("big5hkscs", TRADITIONAL)


def test_a_workbook_is_known_by_its_bytes_and_not_by_its_name() -> None:
    sheet = read_sheet(workbook(LIST), "台账.csv")
    assert (sheet.name, sheet.encoding, sheet.sheets) == ("表1", None, ("表1",))
    assert sheet.rows == AS_READ


def test_rows_keep_the_numbers_that_excel_shows() -> None:
    title = [(), (), ("2026 年台账",), (), *LIST, (), GOOD]
    assert read_sheet(workbook(title), "").rows[4][:2] == HEADINGS[:2]
    assert read_sheet(workbook(title), "").rows[8][:2] == GOOD[:2]
    assert read_sheet(text(title), "").rows[8][:2] == GOOD[:2]


def test_a_row_over_several_lines_is_one_row() -> None:
    rows = read_sheet(text([HEADINGS, (*GOOD[:-1], "一\n二\n三"), OTHER]), "").rows
    assert (rows[1][-1], rows[2][0]) == ("一\n二\n三", "测试乙")


def test_a_quotation_mark_that_is_never_closed_spoils_its_own_line_only() -> None:
    lines = text([HEADINGS, (*GOOD[:-1], "一\n二"), GOOD, OTHER, GOOD]).replace("测试乙".encode(), '"测试乙'.encode())
    rows = read_sheet(lines, "").rows
    assert [row[0] for row in rows] == ["姓名", "测试甲", "测试甲", "测试乙", "测试甲"]
    assert rows[1][-1] == "一\n二"


def test_a_sign_that_cannot_be_read_spoils_its_own_cell_only() -> None:
    for encoding in ("utf-8", "gbk"):
        data = text(LIST, encoding).replace("测试甲".encode(encoding), b"\xff" + "甲".encode(encoding))
        rows = read_sheet(data, "").rows
        assert "\ufffd" in str(rows[1][0])
        assert rows[1][1:] == GOOD[1:]
        assert rows[2] == AS_READ[2]


def test_excels_trick_for_keeping_a_number_as_text_is_undone() -> None:
    for cell in (f'="{CERTIFICATE}"', f"={CERTIFICATE[:-2].replace('X', '1')}"):
        (_headings, row) = read_sheet(text([HEADINGS[:2], ("测试甲", cell)]), "").rows
        assert row[1] == cell.strip('="')
    (_headings, row) = read_sheet(text([HEADINGS[:2], ("测试甲", "=A1")]), "").rows
    assert row[1] == "=A1"


def test_the_sheet_whose_headings_fit_best_is_taken() -> None:
    data = workbook(说明=[("填表说明",)], 旧=[HEADINGS[:2], GOOD[:2]], 新=LIST, 空=[])
    sheet = read_sheet(data, "")
    assert (sheet.name, sheet.sheets, sheet.rows) == ("新", ("说明", "旧", "新", "空"), AS_READ)


def test_a_hidden_sheet_comes_last() -> None:
    def draw(book: Workbook) -> None:
        for name in ("藏", "明"):
            sheet = book.add_worksheet(name)
            for number, row in enumerate(LIST):
                sheet.write_row(number, 0, row)
        book.worksheets()[0].hide()
        book.worksheets()[1].activate()
        book.add_chartsheet("图")

    assert read_sheet(made(draw), "").sheets == ("明", "藏")
    assert read_sheet(made(draw), "").name == "明"


def test_cells_of_a_workbook_keep_their_kinds() -> None:
    row = ("测试甲", 4.40106199003071e17, True, date(2008, 3, 5), datetime(2008, 3, 5, 10, 30), 3.5, 13800138000)
    assert read_sheet(workbook([HEADINGS[:7], row]), "").rows[1] == row


def test_merged_villages_hold_for_each_of_their_rows_and_other_cells_do_not() -> None:
    def draw(book: Workbook) -> None:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ("镇街", "村居", "姓名", "残疾人证号"))
        for row in range(1, 6):
            sheet.write(row, 3, f"{row}")
        sheet.merge_range(1, 0, 4, 0, "甲镇")
        sheet.merge_range(1, 1, 2, 1, "乙村")
        sheet.merge_range(1, 2, 2, 2, "测试甲")

    rows = read_sheet(made(draw), "").rows
    assert [row[0] for row in rows[1:]] == ["甲镇"] * 4 + [None]
    assert [row[1] for row in rows[1:]] == ["乙村", "乙村", None, None, None]
    assert [row[2] for row in rows[1:]] == ["测试甲", None, None, None, None]


def test_blank_villages_that_are_not_merged_stay_blank() -> None:
    rows = read_sheet(workbook([("镇街", "姓名", "身份证号"), ("甲镇", "测试甲", ID), (None, "测试乙", ID)]), "").rows
    assert rows[2][0] is None


def test_merged_headings_in_two_rows_are_read_together() -> None:
    def draw(book: Workbook) -> None:
        sheet = book.add_worksheet()
        sheet.merge_range(0, 0, 0, 4, "2026 年残疾人台账")
        sheet.merge_range(1, 0, 2, 0, "姓名")
        sheet.merge_range(1, 1, 2, 1, "残疾证号")
        sheet.merge_range(1, 2, 1, 3, "监护人")
        sheet.write_row(2, 2, ("姓名", "电话"))
        sheet.merge_range(1, 4, 2, 4, "联系电话")
        sheet.write_row(3, 0, ("测试甲", CERTIFICATE, "测试乙", "1", "2"))

    rows = read_sheet(made(draw), "").rows
    assert rows[2] == ("姓名", "残疾证号", "姓名", "电话", "联系电话")
    assert rows[3] == ("测试甲", CERTIFICATE, "测试乙", "1", "2")


def test_a_formula_without_a_value_and_an_error_do_not_look_empty() -> None:
    def draw(book: Workbook) -> None:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, HEADINGS)
        sheet.write_formula(1, 0, '="测试"&"甲"', None, "测试甲")
        sheet.write_formula(1, 1, "=B9", None, "")
        sheet.write_formula(1, 2, "=1/0", None, "#DIV/0!")
        sheet.write_formula(1, 7, "=A1&B1", None, "")
        sheet.write_blank(2, 0, None, book.add_format({"bold": True}))
        sheet.write_formula(2, 1, "=NA()", None, "#N/A")
        sheet.write_formula(3, 0, "=A9", None, "")

    rows = read_sheet(made(draw), "").rows
    assert rows[1] == ("测试甲", "=B9", "#DIV/0!", None, None, None, None, "=A1&B1")
    assert (rows[2][:2], rows[3][0]) == ((None, "#N/A"), "=A9")


@pytest.mark.long
def test_one_text_in_a_great_many_cells_is_too_much() -> None:
    row = b"<row>" + b'<c t="s"><v>%d</v></c>' % len(HEADINGS) * 200 + b"</row>"
    data = workbook([HEADINGS, ("甲" * 32_000,)])
    assert reason(changed(data, "xl/worksheets/sheet1.xml", b"</sheetData>", row * 20 + b"</sheetData>")) == "too_large"


def test_an_ods_is_read() -> None:
    sheet = read_sheet(ods("".join(ods_row(*row) for row in LIST)), "台账.ods")
    assert (sheet.name, sheet.rows) == ("表", AS_READ)


def test_a_large_archive_within_the_limits_is_read() -> None:
    assert read_sheet(unpacking_to(1 << 20), "").rows == AS_READ


@cache
def real_files() -> tuple[bytes, ...]:
    return workbook(LIST), text(LIST, "gbk"), text(LIST, "utf-16"), ods(ods_row(*HEADINGS) + ods_row(*GOOD))


def reads_or_refuses(data: bytes) -> None:
    try:
        sheet = read_sheet(data, "台账.xlsx")
    except SheetError as error:
        assert error.reason
    else:
        assert sheet.rows


@given(st.binary(max_size=3000))
@example(b"sep=,\n")
@example(b'"')
@example(b"\xff\xfe\x00")
@example(b"\xef\xbb\xbf\x00")
@settings(max_examples=300)
def test_any_bytes_are_a_sheet_or_a_sheet_error(data: bytes) -> None:
    reads_or_refuses(data)


@given(
    st.binary(max_size=300), st.sampled_from([b"PK\x03\x04", b"PK\x05\x06", OLE, b"\xff\xfe", "姓名,证号\n".encode()])
)
@settings(max_examples=60)
def test_any_bytes_behind_a_known_beginning_are_a_sheet_or_a_sheet_error(data: bytes, start: bytes) -> None:
    reads_or_refuses(start + data)


@given(st.data())
@settings(max_examples=60)
def test_a_real_file_with_bits_turned_is_a_sheet_or_a_sheet_error(data: st.DataObject) -> None:
    damaged = bytearray(data.draw(st.sampled_from(real_files())))
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    reads_or_refuses(bytes(damaged[: data.draw(st.integers(1, len(damaged)))]))


@given(st.data())
@settings(max_examples=40)
def test_damaged_markup_inside_a_good_archive_is_a_sheet_or_a_sheet_error(data: st.DataObject) -> None:
    with zipfile.ZipFile(io.BytesIO(workbook(LIST))) as whole:
        parts = {name: bytearray(whole.read(name)) for name in whole.namelist()}
    part = parts[data.draw(st.sampled_from(["xl/worksheets/sheet1.xml", "xl/workbook.xml", "xl/sharedStrings.xml"]))]
    for _ in range(data.draw(st.integers(1, 3))):
        part[data.draw(st.integers(0, len(part) - 1))] = data.draw(st.integers(0, 255))
    reads_or_refuses(archive(**{name: bytes(content) for name, content in parts.items()}))


def test_a_reader_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_sheet, "_PATIENCE", 0.0)
    assert reason(workbook(LIST)) == "too_large"
