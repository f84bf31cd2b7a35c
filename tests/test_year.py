"""A county through a year and more of pairings, relays, moves and deaths: 不让一个残疾人掉队, looked at every week."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from random import Random
from typing import Any

import pytest
from sqlmodel import Session, col, select

from config.catalogue import rules
from models import demo, stints
from models.audit import AuditEntry
from models.beneficiary import GONE, Beneficiary
from models.database import Database, now_of, vault_of
from models.demo_people import Size
from models.family_consent import PAIRING, FamilyConsent
from models.offer import ANSWERABLE, HOLDING, Offer
from models.outbox import OutboxMessage
from models.pairing import AGREEING, ENDED, LEAD, OPEN, SUBSTITUTE, Keeping, Stint
from models.relay import STANDING, Relay
from models.team import Team
from tests import year_seen
from tests.conftest import StoppedClock
from tests.year import County
from tests.year_visits import VisitingCounty

SMALL = Size(counties=1, teams=2, volunteers=14, served=12)
WEEKS = 56  # terms are over within, and what comes after them


@pytest.mark.parametrize(
    ("size", "seed"),
    [
        pytest.param(SMALL, 1, id="small", marks=pytest.mark.timeout(600)),
        pytest.param(Size(), 2, id="full", marks=[pytest.mark.long, pytest.mark.timeout(3_600)]),
    ],
)
def test_nobody_is_left_behind_in_a_year(database: Database, clock: StoppedClock, size: Size, seed: int) -> None:
    doors = lambda name, _part: [("wechat", "test", name)]  # noqa: E731
    city = demo.found(database, size, Random(seed), doors, lambda *_all: None)
    county = VisitingCounty(database, clock, city, seed)
    seen: Counter[str] = Counter()

    def watch() -> None:
        with database.read() as session:
            look(session, county, seen)
            if county.ran and county.watched:
                year_seen.visits(session, seen)
                if county.week % 8 == 0:
                    year_seen.hours(session, county.kept, seen)
        for key in [key for key, count in seen.items() if not count]:
            del seen[key]

    for _week in range(WEEKS):
        county.live(watch)
    with database.read() as session:
        for one in session.exec(select(Beneficiary)):
            look_back(session, one)
        year_seen.hours(session, county.kept, seen)
        year_seen.messages(session, county.sending, seen)
        year_seen.climbed(session, county.sending, seen)
    seen = +seen
    assert not seen, seen
    with database.read() as session:
        happened(session, county, everything=size != SMALL)
        year_seen.happened(session, county.sending, everything=size != SMALL)


def look(session: Session, county: County, seen: Counter[str]) -> None:
    """Everything that must be true at any moment; what is not is counted."""
    people = list(session.exec(select(Beneficiary)))
    offers = list(session.exec(select(Offer).where(col(Offer.state).in_(ANSWERABLE))))
    standing = list(session.exec(select(Stint).where(Stint.state != ENDED)))
    seen.update(capacities(session, standing))
    agreed = {
        row.beneficiary_id
        for row in session.exec(select(FamilyConsent).where(FamilyConsent.kind == PAIRING))
        if row.withdrawn_at is None
    }
    for offer in offers:
        seen["an offer stands without the family's consent"] += offer.beneficiary_id not in agreed
    gone = {one.id for one in people if one.status in GONE}
    seen.update(about_the_gone(session, gone))
    seen.update(relays(session, gone, standing))
    mine: dict[str | None, list[Stint]] = {}
    for row in standing:
        mine.setdefault(row.beneficiary_id, []).append(row)
    asked = {row.beneficiary_id: row.state in HOLDING for row in sorted(offers, key=lambda row: row.state in HOLDING)}
    places = Counter(place_of(session, one, mine.get(one.id, []), asked.get(one.id), seen) for one in people)
    assert sum(places.values()) == len(county.homes) == len(people)


def place_of(session: Session, one: Beneficiary, mine: list[Stint], asked: bool | None, seen: Counter[str]) -> str:
    """Where somebody of the ledger stands: each in exactly one place, with somebody who is named. `asked` = whether an
    invitation waits for its answer; None = there is none at all."""
    leads = [stint for stint in mine if stint.part == LEAD and stint.state == OPEN]
    agreeing = [stint for stint in mine if stint.part == LEAD and stint.state == AGREEING]
    seen["two have the lead"] += len(leads) > 1 or len(agreeing) > 1
    if one.status in GONE:
        seen["a stint or offer stands of somebody who has gone"] += bool(mine) or asked is not None
        seen["somebody keeps one who has gone"] += stints.keeping_of(session, one.id) is not None
        return "gone"
    for stint in mine:
        if stint.part == SUBSTITUTE:
            seen["a substitute of nobody"] += stint.follows_id not in {lead.id for lead in leads}
    named = stints.responsible_today(session, one)
    seen["nobody is named"] += not named.people or not all(named.people)
    if leads:
        seen["kept though somebody has the lead"] += stints.keeping_of(session, one.id) is not None
        return "paired"
    return "agreeing" if agreeing else "asked" if asked else named.kind


def capacities(session: Session, standing: list[Stint]) -> Counter[str]:
    """Nobody and no team serves more than was settled; a successor's stint counts from the yes on."""
    alone = Counter(row.person_id for row in standing if row.part == LEAD and row.team_id is None)
    teams = Counter(row.team_id for row in standing if row.part == LEAD and row.team_id is not None)
    found: Counter[str] = Counter()
    found["a volunteer serves too many"] = sum(count > rules().pairing.per_volunteer for count in alone.values())
    for team in session.exec(select(Team)):
        found["a team serves too many"] += teams[team.id] > team.capacity
    return found


def relays(session: Session, gone: set[str], standing: list[Stint]) -> Counter[str]:
    """A relay stands as long as somebody is sought: not for those who have gone, nor once a next one has the lead."""
    found: Counter[str] = Counter()
    leads = {row.beneficiary_id: row.id for row in standing if row.part == LEAD and row.state == OPEN}
    query = select(Relay, Stint).join(Stint, col(Stint.id) == Relay.stint_id)
    for _relay, stint in session.exec(query.where(col(Relay.state).in_(STANDING))):
        found["a relay stands for somebody who has gone"] += stint.beneficiary_id in gone
        found["a relay stands though the next one has the lead"] += (
            leads.get(stint.beneficiary_id, stint.id) != stint.id
        )
    return found


# What may still be said about somebody who has gone: that they have, and that nobody is sought for them.
GENTLE = ("notice.served_left", "notice.offer_taken", "notice.ledger")


def about_the_gone(session: Session, gone: set[str]) -> Counter[str]:
    """What still waits to be sent about somebody who died or moved away."""
    vault, found = vault_of(session), Counter[str]()
    rows = session.exec(select(OutboxMessage).where(col(OutboxMessage.state).in_(("waiting", "held"))))
    for row in rows:
        if row.kind in GENTLE or row.params_sealed is None:
            continue
        params = vault.open_json("outbox.params_sealed", row.id, row.params_sealed)
        if about(session, params) in gone:
            found[f"a message waits about somebody who has gone: {row.kind}"] += 1
    return found


def about(session: Session, params: dict[str, Any]) -> str | None:
    """Whom a notice is about."""
    if "served" in params:
        return str(params["served"])
    relay = session.get(Relay, params.get("relay", ""))
    row: Any = session.get(Stint, relay.stint_id if relay else params.get("stint", ""))
    row = row or session.get(Offer, params.get("offer", "")) or session.get(Keeping, params.get("keeping", ""))
    return row.beneficiary_id if row is not None else None


def look_back(session: Session, one: Beneficiary) -> None:
    """From the first stint on there was somebody at every moment, until the end or until today; and never two leads."""
    leads = session.exec(
        select(Stint).where(Stint.beneficiary_id == one.id, Stint.part == LEAD, col(Stint.opened_at).is_not(None))
    ).all()
    kept = session.exec(select(Keeping).where(Keeping.beneficiary_id == one.id)).all()
    ends = one.status_since if one.status in GONE else now_of(session)
    spans = [(stint.opened_at, stint.ended_at or ends) for stint in leads if stint.opened_at is not None]
    for (_begun, ended), (begins, _end) in zip(sorted(spans), sorted(spans)[1:], strict=False):
        assert begins >= ended, "two leads at once"
    spans += [(keeping.since, keeping.until or ends) for keeping in kept]
    reached: datetime | None = None
    for begun, ended in sorted(spans):
        assert reached is None or begun <= reached, "a time without anybody who is named"
        reached = max(ended, reached or ended)
    assert reached is None or reached >= ends, "nobody from some day on"


HAPPENS = {
    "family.agreed",
    "family.took_back",
    "offer.accepted",
    "offer.declined",
    "offer.overdue",
    "offer.withdrawn",
    "pairing.kept",
    "pairing.opened",
    "relay.cancelled",
    "relay.done",
    "role.ended",
    "substitute.answered",
}


def happened(session: Session, county: County, *, everything: bool) -> None:
    """The year was one in which something came up; in a large county, everything."""
    done = set(session.exec(select(AuditEntry.action)))
    assert {"offer.overdue", "pairing.kept", "relay.begun", "role.ended"} <= done
    if not everything:
        return
    assert done >= HAPPENS, HAPPENS - done
    relays = {row.reason for row in session.exec(select(Relay))}
    assert {"graduation", "stopped", "term"} <= relays and county.batch
    ended = {row.ended_why for row in session.exec(select(Stint))}
    assert {"relayed", "graduation", "gone", "back", "taken_back"} <= ended
    assert {"listed", "died", "moved"} <= {row.status for row in session.exec(select(Beneficiary))}
