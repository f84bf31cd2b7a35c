"""The product with a fault of its own: a turn that hears “毒 …” fails in the way that is named there.

`python -m tests.faults.broken_product serve` starts it as an operator starts the sound one.
"""

from __future__ import annotations

from sqlalchemy import text
from sqlmodel import Session

from bot.cli import main
from handlers import fallback
from handlers.message import Reply
from models.conversation import State
from models.person import Door, Person

_sound = fallback.unknown


def _broken(session: Session, person: Person, state: State, words: str) -> Reply:
    """What nothing else understands, and in it what breaks."""
    mark, _space, name = words.partition(" ")
    if mark != "毒":
        return _sound(session, person, state, words)
    # What such a turn has changed until it fails must be taken back.
    state.runs.clear()
    person.language = "en"
    session.add(person)
    session.flush()
    _fail(session, person, name)
    raise AssertionError(f"{name} did not fail")


def _fail(session: Session, person: Person, name: str) -> None:
    faults = {
        "value": ValueError("poison"),
        "key": KeyError("poison"),
        "type": TypeError("poison"),
        "runtime": RuntimeError("poison"),
        "assertion": AssertionError("poison"),
        "recursion": RecursionError("poison"),
        "memory": MemoryError("poison"),
        "attribute": AttributeError("poison"),
        "unicode": UnicodeEncodeError("utf-8", "\ud800", 0, 1, "poison"),
        "stop": StopIteration("poison"),
        "os": OSError(5, "poison"),
    }
    if name in faults:
        raise faults[name]
    if name == "statement":
        session.execute(text("SELECT nothing FROM nowhere"))
    elif name in ("unique", "foreign"):
        door = session.get(Door, session.info["here"].door_id)
        assert door is not None
        changed = {"person_id": "nobody", "sender": "nobody"} if name == "foreign" else {}
        session.add(Door(**{**door.model_dump(), "id": "another", **changed}))
        session.flush()
    elif name == "constraint":
        session.execute(text("UPDATE inbox SET state = 'poison'"))
    elif name == "nested":
        with session.begin_nested():
            session.execute(text("INSERT INTO nowhere VALUES (1)"))


fallback.unknown = _broken

if __name__ == "__main__":
    main()
