"""What the routes and pages need of the running process. The composition root (bot/app.py) fills it; they know no more.

It stands in a file of its own so that imports run one way: app → routes, pages → parts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web

from bot.metrics import Metrics
from bot.platforms.base import Platform
from bot.receive import Receiver
from bot.spool import Spool
from bot.uploads import Uploads
from models.database import Database
from scheduler.ticker import Ticker


@dataclass(slots=True)
class Parts:
    """`name` is the process's own, as its leases hold it.

    `operator` and `operator_contact` name who answers for the deployment.
    """

    name: str
    roles: tuple[str, ...]
    database: Database
    platforms: Mapping[tuple[str, str], Platform]
    receiver: Receiver
    spool: Spool
    metrics: Metrics
    ticker: Ticker
    uploads: Uploads
    operator: str = ""
    operator_contact: str = ""


PARTS: web.AppKey[Parts] = web.AppKey("parts", Parts)
