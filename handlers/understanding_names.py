"""Whom a told service was for, as it is written: a form of address that the volunteer knows, or what looks like one."""

from __future__ import annotations

import re

from handlers.understanding_contents import is_content
from handlers.understanding_text import TAKEN, Sentence, words

_WORDS = words()["names"]
_SURNAMES, _NOT_SMALL, _NOT_AH = _WORDS["surnames"], _WORDS["not_small"], _WORDS["not_ah"]
_TITLE, _AFTER_VERB = "|".join(_WORDS["titles"]), "|".join(_WORDS["verbs"])
_NEXT = rf"(?=[{TAKEN}\s,，。;；、()\-:：!！~]|$|{'|'.join(_WORDS['next'])})"
# No name of two characters holds one of these.
_NO = "(?!.?[了着过一两几个们下上的地得是有在就都也又还被把给陪教帮做去来到他她您你我佢俺])"
_STOP = frozenset(_WORDS["no_names"])
_FORMS = tuple(
    re.compile(pattern)
    for pattern in (
        # A whole name after a verb: 陪王小明做康复.
        rf"(?<=[陪给教帮带替同导顾看望接送跟和与及、助伴推扶见约])(?P<name>[{_SURNAMES}](?:小|阿|大)?(?!{_TITLE})[一-鿿]{{1,2}}?){_NEXT}",
        rf"(?P<name>[{_SURNAMES}]小?(?:{_TITLE}))(?!日|病|活|长)",
        rf"(?P<name>小(?![{_NOT_SMALL}])[一-鿿](?:仔|妹|姐|哥|头)?)",
        rf"(?P<name>阿(?![{_NOT_AH}])[一-鿿](?:仔|妹|婆|伯|叔)?)",
        # A form of address by itself: 陪阿婆, 给奶奶.
        rf"(?:{_AFTER_VERB}|送|看)(?P<name>阿[婆公伯姨叔嬷妈爷]|奶奶|爷爷|婆婆|公公|伯伯|大爷|大妈|大娘|大叔|大婶|大伯|叔叔|嬢嬢|娘娘|婶婶|老奶奶|老爷爷|老伯|老太太|姥姥|外婆)",
        rf"(?P<name>老[{_SURNAMES}])(?!师|板|太)",
        rf"(?:{_AFTER_VERB})(?P<name>(?![爷奶叔婆姐哥妹弟伯妈爸天慢常刚谈聊看走说试散宝乖坐])(?P<same>[一-鿿])(?P=same)){_NEXT}",
        rf"(?:{_AFTER_VERB})(?P<name>(?!细路)[一-鿿](?:仔|妹|伢|崽|姐|哥|叔|伯|姨|婆|嫂|爷)(?!妹|仔)){_NEXT}",
        rf"(?:陪|给|教|帮|带|替|辅导|照顾|看望|探望|同|陪伴|陪同)(?P<name>{_NO}[一-鿿]{{2}}){_NEXT}",
    )
)
_ENGLISH_TITLE = f"(?:{'|'.join(_WORDS['english_titles'])})"
_ENGLISH_STOP = rf"(?!(?:{'|'.join(_WORDS['english_no_names'])})\b)"
_ENGLISH = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"(?<![a-z])(?P<name>{_ENGLISH_TITLE}\.? (?!{TAKEN}){_ENGLISH_STOP}[a-z]+)",
        rf"(?<![a-z])(?:with|for|to see|see|help(?:ed|ing)?|visit(?:ed|ing)?"
        rf"|tutor(?:ed|ing)?|teach(?:ing)?|taught|took|taking|accompan(?:ied|ying)|saw"
        rf"|look(?:ed|ing) after|cared for|met|chatted with|to|bring"
        rf"|brought|teaching|and|drove|escorted)\s+{_ENGLISH_STOP}"
        r"(?P<name>[a-z]+(?-i:(?: [A-Z][a-z]+)?))(?='s|[\s,.;:!\x00]|$)",
        rf"(?:陪|给|教|帮|跟|同|带|和|探)\s*{_ENGLISH_STOP}(?P<name>[a-z]{{2,}}(?-i:(?: [A-Z][a-z]+)?))",
    )
)
_COMPANION = "(?:和|跟|同|与|with )"
_TOGETHER = re.compile(
    r"^(?:他|她)?(?:[、和跟]\w{1,3})?(?:一起|一块儿?|一齐|一同|两个人|两人|俩|仨)(?:去|到|来|在|给|帮|陪|教|探|看|为|照|上|做|搞|送|执|打扫)"
)


def names(said: Sentence, known: tuple[str, ...] = ()) -> list[str]:
    """Whom it was for, in order, as written. `known` are the forms of address of the volunteer's own pairings: they are
    found wherever they stand. Whoever came along (“和小王一起去看陈奶奶”) is left out where somebody else is named."""
    found: list[tuple[int, int]] = []
    rest = said.rest
    for form in sorted(known, key=len, reverse=True):
        plain = Sentence(form).plain
        at = rest.find(plain) if plain else -1
        if at >= 0:
            found.append((at, at + len(plain)))
            rest = rest[:at] + TAKEN * len(plain) + rest[at + len(plain) :]
    for pattern in (*_FORMS, *_ENGLISH):
        subject = _as_written(said, rest) if pattern in _ENGLISH else rest
        for match in pattern.finditer(subject):
            at, end = match.span("name")
            if (
                TAKEN in rest[at:end]
                or rest[at:end] in _STOP
                or is_content(rest[at:end])
                or (pattern is _ENGLISH[1] and not _is_english(subject, match))
            ):
                continue
            found.append((at, end))
            rest = rest[:at] + TAKEN * (end - at) + rest[end:]
    found.sort()
    for at, end in found:
        said.drop(at, end)
    served = [span for span in found if not _came_along(said, *span)]
    return list(dict.fromkeys(said.written[at:end].strip() for at, end in (served or found)))


def _as_written(said: Sentence, rest: str) -> str:
    return "".join(TAKEN if left == TAKEN else written for left, written in zip(rest, said.written, strict=True))


def _is_english(subject: str, match: re.Match[str]) -> bool:
    """A word after a verb is a name where it is written with a capital, or nothing in the message is."""
    name = match["name"]
    before = match.group()[: match.start("name") - match.start()].strip().casefold()
    if name[0].isupper():
        return True
    return before in ("with", "helped", "visited", "tutored", "taught", "accompanied") and not re.search(
        "[A-Z]", subject
    )


def _came_along(said: Sentence, at: int, end: int) -> bool:
    before = said.plain[max(0, at - 5) : at]
    return bool(re.search(_COMPANION + "$", before)) and bool(_TOGETHER.match(said.plain[end : end + 12]))
