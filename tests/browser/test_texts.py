"""The page's own words and files, read without a browser."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from bot.sandbox.faults import KINDS
from bot.sandbox.memory import INVENTED

STATIC = Path(__file__).resolve().parents[2] / "bot" / "sandbox" / "static"
SCRIPTS = sorted(STATIC.glob("*.js"))
SERVER = "\n".join(path.read_text(encoding="utf-8") for path in STATIC.parent.glob("*.py"))
ENTRY = re.compile(r'^  (?:"([^"]+)"|(\w+)): "((?:[^"\\]|\\.)*)",$', re.M)


def _words() -> tuple[dict[str, str], dict[str, str]]:
    chinese, english = (
        {match[1] or match[2]: match[3] for match in ENTRY.finditer((STATIC / name).read_text(encoding="utf-8"))}
        for name in ("words.zh.js", "words.en.js")
    )
    return chinese, english


def test_every_sentence_exists_in_both_languages_with_the_same_variables() -> None:
    chinese, english = _words()
    assert len(chinese) > 100
    assert chinese.keys() == english.keys()
    for key, sentence in chinese.items():
        assert set(re.findall(r"\{\w+\}", sentence)) == set(re.findall(r"\{\w+\}", english[key])), key


def test_the_english_words_hold_no_chinese_but_examples_to_type() -> None:
    _, english = _words()
    assert {key for key, text in english.items() if re.search(r"[\u3400-\u9fff]", text)} == {"name_hint", "empty_chat"}


def test_every_word_the_scripts_ask_for_exists_and_none_lies_unused() -> None:
    chinese, _ = _words()
    code = "\n".join(path.read_text(encoding="utf-8") for path in SCRIPTS if not path.name.startswith("words."))
    asked = set(re.findall(r'\bt\("([^"]+)"', code))
    assert asked - chinese.keys() == set()
    quoted = set(re.findall(r'"([\w ]+)"', code))
    composed = (*re.findall(r"(?:\bt|sentence)\(`(\w+_)\$\{", code), "via_")
    assert {key for key in chinese if key not in quoted and not key.startswith(composed)} == set()


def _page(*prefixes: str) -> set[str]:
    """What the page has sentences for under these prefixes."""
    chinese, _ = _words()
    return {key.partition("_")[2] for key in chinese if key.startswith(prefixes)}


def test_every_refusal_has_its_sentence_in_the_page_and_none_lies_unused() -> None:
    sent = {"too_large", "forbidden", *re.findall(r'Refused\(\s*"(\w+)"', SERVER)}
    assert len(sent) > 20
    assert _page("error_") - {"offline", "timeout", "other"} == sent  # those three the page finds out by itself


def test_every_word_about_a_message_has_its_sentence_in_the_page_and_none_lies_unused() -> None:
    found = re.findall(r'\{"code": "(\w+)"(?: if blocked else "(\w+)")?|code="(\w+)"', SERVER)
    sent = {word for words in found for word in words if word}
    assert _page("detail_", "note_") - {"hint"} == sent  # the hint of a field


def test_every_fault_problem_and_role_has_its_sentence_in_the_page() -> None:
    problems = set(re.findall(r'    return "(\w+)"$', (STATIC.parent / "tasks.py").read_text(encoding="utf-8"), re.M))
    assert _page("problem_") == problems | {"cut"}  # a time-out of a known length
    assert _page("role_") == {role for _, _, role in INVENTED}
    assert set(KINDS) <= _page("fault_")


def test_every_line_of_the_protocol_log_has_its_sentence_in_the_page() -> None:
    sent = set(re.findall(r'\.wire\(\s*[^()]+?, "(\w+)", ok=', SERVER)) | {
        "check_passed",
        "check_wrong",
        "check_silent",
    }
    assert {"in_answer", "not_json", "unreadable", "repeats_differ"} <= sent
    assert sent - {"delivery", "call"} <= _page("wire_")


def test_the_page_holds_no_inline_script_or_style_and_no_foreign_address() -> None:
    page = (STATIC / "index.html").read_text(encoding="utf-8")
    assert re.findall(r"<script(?![^>]* src=)|<style|\sstyle=|\son\w+=", page) == []
    for path in [*SCRIPTS, *STATIC.glob("*.css"), STATIC / "index.html"]:
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert re.findall(r"https?://[\w.]+", text) == [], path.name


def test_html_is_set_nowhere_but_in_a_document_that_runs_nothing() -> None:
    code = {path.name: path.read_text(encoding="utf-8") for path in SCRIPTS}
    for name, text in code.items():
        assert re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function", text) == [], (
            name
        )
    assert [name for name, text in code.items() if "DOMParser" in text and "parseFromString" in text] == ["sanitise.js"]


def test_vendored_files_are_what_their_list_says() -> None:
    folder = Path(__file__).parent / "vendor"
    listed = dict(re.findall(r"\| `([\w.]+)` \|.*`([0-9a-f]{64})` \|", (folder / "VENDORED.md").read_text()))
    scripts = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.js")}
    assert listed == scripts
