"""Take the screenshots of docs/images/ from a running sandbox.

    nuanyang run                       # in one terminal
    python docs/screenshots.py         # in another; needs Chromium and the development tools

A fresh person is added to the sandbox and talks to the bot on both platforms, through the page and nothing else.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import urllib.error
import urllib.request
from pathlib import Path

from playwright.sync_api import Browser, Error, Locator, Page, TimeoutError, sync_playwright

IMAGES = Path(__file__).parent / "images"
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SIZES = {"wide": (1440, 900), "middle": (1024, 768), "narrow": (390, 844)}
PATIENCE = 15_000  # milliseconds for one answer of the bot
TALK = ("注册", "1", "林小阳")  # each is answered before the next is sent


def main() -> None:
    """Parse the options and take all pictures; ends with one line and status 1 when the sandbox does not answer."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--base", default="http://127.0.0.1:8080", help="address of the running sandbox")
    parser.add_argument("--out", type=Path, default=IMAGES, help="folder for the pictures")
    options = parser.parse_args()
    chromium = os.environ.get("NUANYANG_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("No Chromium found: apt install chromium, or set NUANYANG_CHROMIUM to its path.")
    try:
        person = add_person(options.base)
    except (urllib.error.URLError, TimeoutError) as error:
        sys.exit(f"No sandbox at {options.base} ({error}): start it with nuanyang run, or name it with --base.")
    options.out.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        try:
            talk(browser, options.base, person)
            take_all(browser, options.base, person, options.out)
        except Error as error:
            sys.exit(f"The page did not do what was expected: {error.message.splitlines()[0]}")
        finally:
            browser.close()


def add_person(base: str) -> str:
    """Somebody whom the product has never met; returns the sandbox's id."""
    body = json.dumps({"name": "林小阳", "note": "大二学生"}).encode()
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


def talk(browser: Browser, base: str, person: str) -> None:
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
        for words in TALK:
            say(phone, words)
    page.close()


def say(phone: Locator, words: str) -> None:
    """Write and send, or press the button of that number; then wait until the bot has said something more."""
    before = phone.locator(".from-bot").count()
    keys = phone.locator(".from-bot").last.locator(".key")
    if words.isdigit() and keys.count():
        keys.nth(int(words) - 1).click()
    else:
        phone.locator(".write").fill(words)
        phone.locator(".write").press("Enter")
    phone.locator(".from-bot").nth(before).wait_for()


def take_all(browser: Browser, base: str, person: str, out: Path) -> None:
    """Both languages, all sizes, both platforms, and what opens from them."""
    for lang in ("zh", "en"):
        for name, size in SIZES.items():
            page = open_page(browser, base, person, lang, size)
            page.locator("#phone-1 .from-bot").last.wait_for()
            shoot(page, out, f"sandbox-{name}-{lang}")
            if name == "narrow":
                page.locator(".switch").nth(1).click()
                shoot(page, out, f"sandbox-{name}-telegram-{lang}")
            if name == "wide":
                open_menus(page)
                shoot(page, out, f"sandbox-menus-{lang}")
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
