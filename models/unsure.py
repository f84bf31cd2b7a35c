"""What people wrote to each other and nobody knows whether it came: it is not silently over.

Its row has ended as uncertain and stays so. Beside it one more is made, marked as sent again, that waits for the next
message of whom it is for; until then they stand on the call list. Whoever wrote an answer is told, once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import bindparam, literal_column, select, update
from sqlmodel import Session, SQLModel

from models import audit
from models.contact import ContactMessage
from models.database import now_of
from models.many import Many
from models.outbox import enqueue, params_of
from models.vault import VaultError

UNSURE = "uncertain"  # why the second row is held
ANSWER = "notice.contact_answer"
KINDS = ("notice.contact", ANSWER, "notice.answer_unsure")
_AGAIN = ":again"  # how the key of the second row ends; there is no third

_T: Any = SQLModel.metadata.tables["outbox"]


def between_people(session: Session, rows: Sequence[str]) -> list[Any]:
    """Those of these rows that are to be offered again, as `offer` takes them, before their parameters go."""
    return list(session.execute(select(_T).where(_T.c.id.in_(rows), _T.c.kind.in_(KINDS))).all())


def offer(session: Session, rows: Iterable[Any]) -> None:
    """These rows have just ended as uncertain."""
    rows = [row for row in rows if row.kind in KINDS]
    if not rows:
        return
    # Two people may have become one since a worker read them.
    now = session.execute(select(_T.c.id, _T.c.person_id).where(_T.c.id.in_([row.id for row in rows])))
    people = {row.id: row.person_id for row in now}
    for row in rows:
        if row.id not in people or row.unique_key.endswith(_AGAIN):
            continue
        try:
            params = params_of(session, row)
        except VaultError:  # its key has gone since it was worded: nobody can word it again
            audit.note(session, "programme", "message.not_offered", row.id)
            continue
        about = {"priority": row.priority, "door_id": row.door_id, "expires_at": row.expires_at}
        key = row.unique_key + _AGAIN
        enqueue(session, people[row.id], row.kind, params, unique_key=key, again=True, held=UNSURE, **about)
        if row.kind == ANSWER:
            _tell(session, str(params["message"]))


_SECOND = _T.alias("second")
_ARRIVED = Many(
    lambda among, _dialect: (
        update(_T)
        .where(_T.c.state.in_((literal_column("'waiting'"), literal_column("'held'"))))
        .where(
            _T.c.unique_key.in_(
                select(_SECOND.c.unique_key.op("||")(_AGAIN))
                .where(among(_SECOND.c.id), _SECOND.c.state == literal_column("'uncertain'"))
                .scalar_subquery()
            )
        )
        .values(state="withdrawn", why="arrived after all", ended_at=bindparam("at"), params_sealed=None)
    )
)


def arrived(session: Session, rows: Sequence[str]) -> None:
    """It is known now that these rows arrived, after they were called uncertain: what was to offer them again goes."""
    _ARRIVED.run(session, rows, at=now_of(session))


def _tell(session: Session, message: str) -> None:
    """Whoever wrote the answer."""
    answer = session.get(ContactMessage, message)
    if answer is not None:
        key = f"unsure:{answer.id}:{answer.author_id}"
        enqueue(session, answer.author_id, "notice.answer_unsure", {"message": answer.id}, unique_key=key)
