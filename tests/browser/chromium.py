"""The browser that looks at the phone page: for its tests and for the pictures of the documentation."""

from __future__ import annotations

import os
import shutil

NAMES = ("chromium", "chromium-browser", "google-chrome")
# Headless, in a container as well, and asking nobody but the sandbox.
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


def chromium_path() -> str | None:
    """The browser to use: NUANYANG_CHROMIUM, or the first known name on the path; None = there is none."""
    return os.environ.get("NUANYANG_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
