"""One person's chat for unit tests: turns in transactions of their own, without HTTP."""

from __future__ import annotations

from datetime import date

from config.catalogue import rules
from config.region_names import search
from config.texts import speaking
from handlers.agreement import agreeing
from handlers.asking import show
from handlers.here import Here
from handlers.message import Inbound, Reply
from handlers.registration import Submit, perform
from handlers.turn import turn
from models.conversation import lock, save
from models.database import Database, now_of
from models.person import Person, door_of, open_door
from models.volunteer import Registered, Volunteer, volunteer_of

PUBLIC = "https://nuanyang.example"


class Chat:
    """A person at one door; `said` is the last reply."""

    def __init__(self, database: Database, sender: str = "alin", platform: str = "wechat") -> None:
        self.database = database
        self.sender = sender
        self.platform = platform
        self.count = 0
        self.said = Reply("")

    def here(self, door: str = "") -> Here:
        """Where this person talks."""
        return Here(self.platform, "test", door_id=door, sensitive_in_chat=self.platform == "wechat", public_url=PUBLIC)

    def act(self, kind: str, **fields: object) -> str:
        """One update; returns the text of the answer."""
        self.count += 1
        with self.database.write() as session:
            inbound = Inbound(
                platform=self.platform,
                account="test",
                sender=self.sender,
                key=f"{self.sender}:{self.count}",
                kind=kind,  # type: ignore[arg-type]
                sent_at=now_of(session),
                **fields,  # type: ignore[arg-type]
            )
            reply, _person = turn(session, inbound, self.here())
        assert reply is not None
        self.said = reply
        return reply.text

    def say(self, *lines: str) -> str:
        """Type some lines; returns the last answer."""
        return [self.act("text", text=line) for line in lines][-1]

    def press(self, label: str) -> str:
        """Press the button with this label."""
        found = [option.id for option in self.said.options if option.label == label]
        assert found, (label, [option.label for option in self.said.options])
        return self.act("choice", choice=found[0])

    def labels(self) -> list[str]:
        """The labels on the screen."""
        return [option.label for option in self.said.options]

    def person(self) -> Person:
        """Who stands behind the door now."""
        with self.database.read() as session:
            door = door_of(session, self.platform, "test", self.sender)
            assert door is not None
            return session.get_one(Person, door.person_id)

    def volunteer(self) -> Volunteer | None:
        """The person's registration."""
        with self.database.read() as session:
            return volunteer_of(session, self.person().id)

    def register(
        self, name: str = "王小明", phone: str = "13800138000", born: str = "2005-08-13", place: str = "广州天河"
    ) -> str:
        """Registered at once, for tests of what comes after it; returns what the registration's talk says last."""
        with self.database.write() as session:
            door, person = open_door(session, self.platform, "test", self.sender, "zh_CN", zone=self.here().zone)
            session.info["here"] = self.here(door.id)
            county, *_others = search(place)
            answers = Registered(name, f"+86{phone}", date.fromisoformat(born), county.code)
            version = rules().registration.notice_version
            with speaking(person.language):
                agreed = agreeing(version).value
                self.said = perform(session, person, Submit(version, answers, agreed))
            state = lock(session, person.id)
            show(state, self.said)
            save(session, person.id, state)
        return self.said.text

    def register_by_talk(
        self, name: str = "王小明", phone: str = "13800138000", born: str = "2005-08-13", place: str = "广州天河"
    ) -> str:
        """The good way through a registration's talk; returns the last answer."""
        self.say("报名")
        self.press("同意")
        self.say(name, phone, born)
        if "劳动收入" in self.said.text:
            self.press("不是")
        self.say(place)
        return self.press("提交")
