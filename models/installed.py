"""What was put up at a platform, so that it is put up again only when it changes; and that a database is played on."""

from __future__ import annotations

import hashlib

from sqlmodel import Field, Session, SQLModel

_PLAYED = "sandbox"


class Installed(SQLModel, table=True):
    """A thing at a platform ("menu:wechat:gd") and the digest of what it was when the platform last took it."""

    __tablename__ = "installed"
    name: str = Field(primary_key=True)
    digest: str


def is_installed(session: Session, name: str, content: str) -> bool:
    """Whether the platform has exactly this already. (WeChat adds a conditional menu with every call.)"""
    row = session.get(Installed, name)
    return row is not None and row.digest == _digest(content)


def remember(session: Session, name: str, content: str) -> None:
    """The platform took it."""
    row = session.get(Installed, name) or Installed(name=name, digest="")
    row.digest = _digest(content)
    session.add(row)


def remember_played(session: Session) -> None:
    """`nuanyang run` plays both platforms on this database."""
    remember(session, _PLAYED, "")


def is_played(session: Session) -> bool:
    """Whether `nuanyang run` has played on this database."""
    return session.get(Installed, _PLAYED) is not None


def _digest(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()
