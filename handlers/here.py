"""What a talk may know of where it is held: a few facts about the door, handed in by the process."""

from __future__ import annotations

from dataclasses import dataclass

from sqlmodel import Session


@dataclass(frozen=True, slots=True)
class Here:
    """`sensitive_in_chat` is False on platforms through which sensitive fields must not pass (Telegram).

    `public_url` is where one-time pages are reached, without a slash at the end; empty = pages cannot be offered.
    `zone` is the deployment's, for people who are new. `operator` and `operator_contact` name the body that answers for
    the deployment (PIPL art. 17) and how to reach it; empty = nobody wrote it down. `sure_answers` is False on
    platforms that may drop what stands in a webhook's answer (Telegram). `asks` = channel and subject of the one
    message that a person may allow on a page of the platform; empty where there is none.
    """

    platform: str
    account: str
    door_id: str = ""
    sensitive_in_chat: bool = True
    public_url: str = ""
    zone: str = "Asia/Shanghai"
    operator: str = ""
    operator_contact: str = ""
    sure_answers: bool = True
    asks: tuple[str, str] = ("", "")

    def page(self, token: str) -> str:
        """The address of a one-time page."""
        return f"{self.public_url}/p/{token}"


def here(session: Session) -> Here:
    """Where the talk that this session serves is held."""
    place = session.info["here"]
    if not isinstance(place, Here):
        raise TypeError("no turn is under way in this session")
    return place
