"""Take the screenshots of docs/images/ from a running sandbox.

    nuanyang run                       # in one terminal
    python -m docs.screenshots         # in another; needs Chromium and the development tools

Two fresh people are added to the sandbox, one who speaks Chinese and one who first asks the bot for English. Both
talk to it on both platforms, through the page and nothing else.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Error, Locator, Page, TimeoutError, sync_playwright

from tests.browser.chromium import FLAGS, chromium_path

IMAGES = Path(__file__).parent / "images"
SIZES = {"wide": (1440, 900), "middle": (1024, 768), "narrow": (390, 844)}
PATIENCE = 15_000  # milliseconds for one answer of the bot
PAUSE = 1_200  # milliseconds before each word: Telegram lets a bot speak about once a second
ASK_FOR_ENGLISH = ("语言 Language", "English")


@dataclass(frozen=True)
class Role:
    """Somebody in the pictures, and what they say; each is answered before the next is sent."""

    lang: str  # of the page
    app: str  # of the Telegram app
    name: str
    note: str
    talk: tuple[str, ...]


ROLES = (
    Role("zh", "zh-hans", "林小阳", "大二学生", ("注册", "同意", "林小阳")),
    Role("en", "en", "Sunny Lin", "second-year student", (*ASK_FOR_ENGLISH, "sign up", "Agree", "Sunny Lin")),
)


def main() -> None:
    """Parse the options and take all pictures; ends with one line and status 1 when the sandbox does not answer."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--base", default="http://127.0.0.1:8080", help="address of the running sandbox")
    parser.add_argument("--out", type=Path, default=IMAGES, help="folder for the pictures")
    options = parser.parse_args()
    chromium = chromium_path()
    if chromium is None:
        sys.exit("No Chromium found: apt install chromium, or set NUANYANG_CHROMIUM to its path.")
    try:
        people = {role: add_person(options.base, role) for role in ROLES}
    except (urllib.error.URLError, TimeoutError) as error:
        sys.exit(f"No sandbox at {options.base} ({error}): start it with nuanyang run, or name it with --base.")
    options.out.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        try:
            for role, person in people.items():
                talk(browser, options.base, person, role)
                take_all(browser, options.base, person, role, options.out)
        except Error as error:
            sys.exit(f"The page did not do what was expected: {error.message.splitlines()[0]}")
        finally:
            browser.close()


def add_person(base: str, role: Role) -> str:
    """Somebody whom the product has never met; returns the sandbox's id."""
    body = json.dumps({"name": role.name, "note": role.note, "language": role.app}).encode()
    request = urllib.request.Request(  # noqa: S310 the address is the caller's own sandbox
        f"{base}/sandbox/api/people", data=body, headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        return str(json.load(answer)["id"])


def open_page(browser: Browser, base: str, person: str, lang: str, size: tuple[int, int]) -> Page:
    """A new window with the person on both phones."""
    page = browser.new_page(viewport={"width": size[0], "height": size[1]}, locale="zh-CN", reduced_motion="reduce")
    page.set_default_timeout(PATIENCE)
    page.goto(f"{base}/sandbox?lang={lang}&phone1=wechat:{person}&phone2=telegram:{person}")
    page.wait_for_selector("body.is-open")
    return page


def talk(browser: Browser, base: str, person: str, role: Role) -> None:
    """Follow, start, and begin a registration on both phones."""
    page = open_page(browser, base, person, "zh", SIZES["wide"])
    for number, door in ((1, "关注公众号"), (2, "开始")):
        phone = page.locator(f"#phone-{number}")
        phone.get_by_role("button", name=door, exact=True).click()
        phone.locator(".from-bot").first.wait_for()
        keyboard = phone.get_by_role("button", name="切换到键盘")
        page.wait_for_timeout(500)
        if keyboard.count():
            keyboard.click()
        for words in role.talk:
            say(phone, words)
    page.close()


def say(phone: Locator, words: str) -> None:
    """Press the button that says so, answer with its number where the bot numbers its choices, or else write the
    words; then wait until the bot has said something more."""
    phone.page.wait_for_timeout(PAUSE)
    before = phone.locator(".from-bot").count()
    last = phone.locator(".from-bot").last
    key = last.locator(".key").filter(has_text=re.compile(f"^{re.escape(words)}$"))
    numbered = re.search(rf"^(\d+)\. {re.escape(words)}$", last.locator(".bubble").inner_text(), re.M)
    if key.count():
        key.first.click()
    else:
        phone.locator(".write").fill(numbered[1] if numbered else words)
        phone.locator(".write").press("Enter")
    phone.locator(".from-bot").nth(before).wait_for()


def take_all(browser: Browser, base: str, person: str, role: Role, out: Path) -> None:
    """All sizes, both platforms, and what opens from them, in the person's language."""
    for name, size in SIZES.items():
        page = open_page(browser, base, person, role.lang, size)
        page.locator("#phone-1 .from-bot").last.wait_for()
        shoot(page, out, f"sandbox-{name}-{role.lang}")
        if name == "narrow":
            page.locator(".switch").nth(1).click()
            shoot(page, out, f"sandbox-{name}-telegram-{role.lang}")
        if name == "wide":
            open_menus(page)
            shoot(page, out, f"sandbox-menus-{role.lang}")
        page.close()


def open_menus(page: Page) -> None:
    """The tools of Telegram, then WeChat's menu: the second stays open because it is pressed last."""
    page.locator("#phone-2 .more").click()
    columns = page.locator("#phone-1 .menu-name")
    if columns.count():
        columns.last.click()


def shoot(page: Page, out: Path, name: str) -> None:
    page.evaluate("document.fonts.ready")
    page.wait_for_timeout(400)
    page.screenshot(path=out / f"{name}.png", animations="disabled")
    print(out / f"{name}.png")


if __name__ == "__main__":
    main()
