"""Files that come in by a one-time page: read from the network within limits, and checked beside the turns.

A file has no name on the disk and is never kept: it goes when it was read, when its sender hangs up, and with the
process. What comes of it stands in its page (models/ledger_upload.py).
"""

from __future__ import annotations

import asyncio
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import IO, Any
from zoneinfo import ZoneInfo

import structlog
from aiohttp import BodyPartReader, web

from models import ledger_check, ledger_upload, roster_batch
from models.database import Database, DatabaseAway, now_of
from models.ledger_batch import LEDGER, LedgerBatch
from models.ledger_cells import Ledger, read_ledger
from models.ledger_columns import SheetError
from models.ledger_sheet import MOST_BYTES
from models.ledger_upload import Upload
from models.page import OpenPage
from models.roster import Roster, read_roster

log = structlog.get_logger(__name__)

FIELD = "file"
MOST_AT_ONCE = 4  # files on their way to one process
SILENT_SECONDS = 20.0  # nothing comes for so long: nobody is there any more
WHOLE_SECONDS = 600.0  # 64 MiB by a slow telephone; a body that drips for longer is no file
DRAINED = (
    2 * MOST_BYTES
)  # of what is too large so much is read and dropped, since a browser that is cut off says why not
BEAT_SECONDS = 15.0  # between two signs of life of checks that wait or read (ledger_upload.SILENT is several)
TOLD_SECONDS = 2.0  # between two looks at how far a check is
_CHUNK = 256 * 1024


class NotRead(Exception):
    """`reason`: "too_large", "no_file", "bad" (no upload of a browser), "slow" or "room" (the disk takes no more)."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class _Stopped(Exception):
    """The process ends, or nobody waits for this check any more."""


class Uploads:
    """The files of one process: a few at once on their way, one after the other checked."""

    def __init__(self, database: Database, folder: Path, zone: str) -> None:
        self._database = database
        self._folder = folder
        self._zone = ZoneInfo(zone)
        self._checks = ThreadPoolExecutor(1, "ledger check")
        self._ways = asyncio.Semaphore(MOST_AT_ONCE)
        self._stopping = threading.Event()
        self._alive: dict[str, tuple[OpenPage, Upload]] = {}
        self._beating: threading.Thread | None = None

    @property
    def is_full(self) -> bool:
        """Whether so many files are on their way that another one had to wait."""
        return self._ways.locked()

    async def read(self, request: web.Request) -> IO[bytes]:
        """The one file of a form, whole. Raises NotRead."""
        async with self._ways:
            file: IO[bytes] = await asyncio.to_thread(tempfile.TemporaryFile, dir=self._folder)
            try:
                async with asyncio.timeout(WHOLE_SECONDS):
                    await _receive(request, file)
            except BaseException as error:
                file.close()
                if isinstance(error, TimeoutError):
                    raise NotRead("slow") from None
                raise
            return file

    def start(self, page: OpenPage, mine: Upload, file: IO[bytes]) -> None:
        """Check it, when those before it are done. The file is closed in any case."""
        self._alive[page.id] = page, mine
        if self._beating is None:
            self._beating = threading.Thread(target=self._beat, name="ledger checks alive", daemon=True)
            self._beating.start()
        try:
            self._checks.submit(self._check, page, mine, file)
        except RuntimeError:  # the process ends
            file.close()

    def stop(self) -> None:
        """A check under way ends within a slice; its page says so."""
        self._stopping.set()
        self._checks.shutdown(wait=False, cancel_futures=True)

    def _beat(self) -> None:
        """A check that waits for others, or reads a large workbook, has nothing to tell for a while, but lives."""
        while not self._stopping.wait(BEAT_SECONDS):
            for page, mine in list(self._alive.values()):
                with suppress(DatabaseAway), self._database.write() as session:
                    ledger_upload.heard(session, page.id, mine)

    def _check(self, page: OpenPage, mine: Upload, file: IO[bytes]) -> None:
        try:
            with file:
                self._tell(page, mine, done=0)
                file.seek(0)
                data = file.read()
            self._read(page, mine, data)
        except SheetError as error:
            self._end(page, mine, problem=error.reason, params={k: str(v) for k, v in error.params.items()})
        except (_Stopped, DatabaseAway) as error:
            log.warning("upload_cut", why=type(error).__name__)
            self._end(page, mine, problem="stopped")
        except Exception as error:  # noqa: BLE001 its page and its person are told, whatever it is
            # What an exception says may be a cell of the file.
            log.error("upload_failed", why=type(error).__name__)
            self._end(page, mine, problem="failed")
        finally:
            if self._alive.get(page.id) == (page, mine):
                del self._alive[page.id]

    def _read(self, page: OpenPage, mine: Upload, data: bytes) -> None:
        read = self._read_ledger if mine.sheet == LEDGER else self._read_roster
        batch, table = read(page, mine, data)
        headings, columns = table.columns.headings, table.columns
        unknown = tuple(text for text in (headings[index] for index in columns.unknown) if text)
        sheets = tuple(name for name in table.sheets if name != table.name)
        with self._database.write() as session:
            ledger_upload.ended(session, page, mine, batch, unknown=unknown, sheets=sheets)

    def _read_ledger(self, page: OpenPage, mine: Upload, data: bytes) -> tuple[LedgerBatch, Ledger]:
        with self._database.read() as session:
            today = now_of(session).astimezone(self._zone).date()
        ledger = read_ledger(data, "", county=mine.region, today=today)
        batch = ledger_check.check(
            self._database,
            ledger,
            data,
            region=mine.region,
            by=page.person_id,
            # With worksheets that were not read it is a part of the ledger only.
            part=mine.part or len(ledger.sheets) > 1,
            told=self._progress(page, mine),
        )
        return batch, ledger

    def _read_roster(self, page: OpenPage, mine: Upload, data: bytes) -> tuple[LedgerBatch, Roster]:
        roster = read_roster(data, "", roster_batch.KINDS[mine.sheet](), here=mine.region)
        told, who = self._progress(page, mine), page.person_id
        return roster_batch.check(self._database, roster, data, region=mine.region, by=who, told=told), roster

    def _progress(self, page: OpenPage, mine: Upload) -> Callable[[int, int], None]:
        last = time.monotonic()

        def told(done: int, total: int) -> None:
            nonlocal last
            if self._stopping.is_set():
                raise _Stopped
            if time.monotonic() - last > TOLD_SECONDS:
                last = time.monotonic()
                self._tell(page, mine, done=done, total=total)

        return told

    def _tell(self, page: OpenPage, mine: Upload, **news: Any) -> None:
        with self._database.write() as session:
            if ledger_upload.heard(session, page.id, mine, **news) is None:
                raise _Stopped

    def _end(self, page: OpenPage, mine: Upload, **news: Any) -> None:
        """Should this fail as well, the page finds out by itself that nothing is heard any more."""
        with suppress(DatabaseAway), self._database.write() as session:
            ledger_upload.ended(session, page, mine, None, **news)


async def _receive(request: web.Request, file: IO[bytes]) -> None:
    """Raises NotRead and TimeoutError."""
    try:
        form = await request.multipart()
        async with asyncio.timeout(SILENT_SECONDS):
            part = await form.next()
        if not isinstance(part, BodyPartReader) or part.name != FIELD or "Content-Encoding" in part.headers:
            raise NotRead("bad")
        size = 0
        while True:
            async with asyncio.timeout(SILENT_SECONDS):
                chunk = await part.read_chunk(_CHUNK)
            if not chunk:
                break
            size += len(chunk)
            if size > DRAINED:
                raise NotRead("too_large")
            if size <= MOST_BYTES:
                await asyncio.to_thread(file.write, chunk)
        async with asyncio.timeout(SILENT_SECONDS):
            if await form.next() is not None:
                raise NotRead("bad")
    except (ValueError, AssertionError, LookupError, web.HTTPException, web.RequestPayloadError, EOFError):
        raise NotRead("bad") from None  # aiohttp's parser has a word for each of the ways to write nonsense
    except OSError as error:
        if isinstance(error, ConnectionError | TimeoutError):
            raise
        log.error("upload_no_room", why=type(error).__name__)
        raise NotRead("room") from None
    if size > MOST_BYTES:
        raise NotRead("too_large")
    if not size:
        raise NotRead("no_file")
