"""A ledger, or another table, that is handed in on a one-time page: what the page was made for, how far its check is,
what came of it.

All of it stands in the sealed facts of the page, so that it goes with the page. A file itself is never kept.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, or_, select
from sqlmodel import Session, SQLModel

from models import role
from models.database import machine_now_of, now_of
from models.ledger_batch import CHECKED, LEDGER, TAKEN, TAKING, UNDOING, UNDONE, LedgerBatch
from models.outbox import enqueue
from models.page import OpenPage, facts_of, write_facts

_L: Any = SQLModel.metadata.tables["ledger_batch"]

WAITING, READING, FAILED, DONE = "waiting", "reading", "failed", "done"
SILENT = timedelta(seconds=90)  # a check of which nothing was heard for so long has died
WATCH = timedelta(minutes=10)  # after which somebody whose check died is told so
SHOWN = 10  # imports of a list


@dataclass(frozen=True, slots=True)
class Upload:
    """What a page holds: which table is expected (one of SHEETS), of which region, and of a ledger whether it is a part
    of it; then how the check stands.

    `problem` is a reason of SheetError, or "stopped" or "failed" (ours), with its parameters. `at` = when something was
    last heard of the check (machine time, ISO); `tries` counts the files. `unknown` are headings that were not used,
    `sheets` worksheets that were not read."""

    region: str = ""
    part: bool = False
    state: str = WAITING
    batch: str = ""
    problem: str = ""
    params: dict[str, str] = field(default_factory=dict)
    at: str = ""
    tries: int = 0
    done: int = 0
    total: int = 0
    unknown: tuple[str, ...] = ()
    sheets: tuple[str, ...] = ()
    sheet: str = LEDGER

    def as_facts(self) -> dict[str, Any]:
        """As the page keeps it."""
        return {"import": asdict(self)}


def upload_of(facts: dict[str, Any]) -> Upload:
    """The reverse."""
    found = dict(facts["import"])
    for name in ("unknown", "sheets"):
        found[name] = tuple(found.get(name, ()))
    return Upload(**found)


def scopes(session: Session, person: str) -> list[str]:
    """The regions that somebody organises, as prefixes of codes; tables are brought by organisers only."""
    held = role.grants(session, person)
    return sorted({one.scope for one in held if one.role == "organiser" and one.scope_kind == "region"})


def may_import(session: Session, person: str, region: str) -> bool:
    """Whether somebody may bring, see and take back the ledgers and other tables of this region."""
    return any(region.startswith(scope) for scope in scopes(session, person))


def may_see(session: Session, person: str, batch: LedgerBatch) -> bool:
    """Whether somebody may see an import, take it and take it back: an organiser of its region. One that has no region
    of its own (a table from the command line) is for whoever brought it."""
    if batch.sheet != LEDGER and not batch.region:
        return batch.made_by == person and bool(scopes(session, person))
    return may_import(session, person, batch.region)


def recent(session: Session, person: str, limit: int = SHOWN) -> list[LedgerBatch]:
    """The newest imports of the regions that somebody organises. Not those that were given up, or whose check did not
    come to its end."""
    own = scopes(session, person)
    if not own:
        return []
    brought = and_(_L.c.sheet != LEDGER, _L.c.region == "", _L.c.made_by == person)
    within = or_(brought, *(_L.c.region.startswith(scope, autoescape=True) for scope in own))
    ended = or_(
        _L.c.state.in_((TAKING, TAKEN, UNDOING, UNDONE)), and_(_L.c.state == CHECKED, _L.c.forgotten_at.is_(None))
    )
    query = select(LedgerBatch).where(within, ended)
    return list(session.execute(query.order_by(_L.c.made_at.desc(), _L.c.id.desc()).limit(limit)).scalars())


def standing(session: Session, page: OpenPage) -> Upload:
    """How the upload of a page stands now: a check that died without a word has failed."""
    return _judged(session, upload_of(page.facts))


def _judged(session: Session, upload: Upload) -> Upload:
    if upload.state == READING and _is_silent(session, upload):
        return replace(upload, state=FAILED, problem="stopped", params={})
    return upload


def _is_silent(session: Session, upload: Upload) -> bool:
    age = machine_now_of(session) - datetime.fromisoformat(upload.at)
    return age > SILENT or age < -SILENT


def claim(session: Session, page: OpenPage) -> Upload | None:
    """A file has come whole and its check begins; None when another one was faster, or the page is done. Should the
    check die without a word, its person hears of it later."""
    facts = facts_of(session, page.id, locked=True)
    upload = _judged(session, upload_of(facts)) if facts else None
    if upload is None or upload.batch or upload.state not in (WAITING, FAILED):
        return None
    now = machine_now_of(session).isoformat()
    begun = Upload(upload.region, upload.part, READING, at=now, tries=upload.tries + 1, sheet=upload.sheet)
    write_facts(session, page.id, begun.as_facts())
    enqueue(
        session,
        page.person_id,
        "notice.import",
        {"page": page.id, "tries": begun.tries, "sheet": begun.sheet},
        unique_key=f"import:{page.id}:{begun.tries}:watch",
        door_id=page.door_id,
        due_at=now_of(session) + WATCH,
    )
    return begun


def heard(session: Session, page_id: str, mine: Upload, **news: Any) -> Upload | None:
    """Write down how far the check is, or its end; None when the page is not this check's any more."""
    facts = facts_of(session, page_id, locked=True)
    now = upload_of(facts) if facts else None
    if now is None or now.state != READING or now.tries != mine.tries:
        return None
    written = replace(now, at=machine_now_of(session).isoformat(), **news)
    write_facts(session, page_id, written.as_facts())
    return written


def ended(session: Session, page: OpenPage, mine: Upload, batch: LedgerBatch | None, **news: Any) -> bool:
    """The check came to its end, with a batch or with a problem: page and chat tell it. False when nobody waits for it
    any more."""
    state = DONE if batch is not None else FAILED
    written = heard(session, page.id, mine, state=state, batch=batch.id if batch is not None else "", **news)
    if written is None:
        return False
    told: dict[str, Any] = (
        {"batch": batch.id, "state": CHECKED} if batch else {"problem": written.problem, "params": written.params}
    )
    told |= {"sheet": mine.sheet}
    key = f"import:{page.id}:{mine.tries}"
    return enqueue(session, page.person_id, "notice.import", told, unique_key=key, door_id=page.door_id)


def died(session: Session, page_id: str, tries: int) -> bool:
    """Whether this check of a page died, and no other file came since."""
    facts = facts_of(session, page_id)
    upload = upload_of(facts) if facts else None
    return upload is not None and upload.tries == tries and upload.state == READING and _is_silent(session, upload)
