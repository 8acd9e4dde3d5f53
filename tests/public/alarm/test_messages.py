"""What messages about alarms say, and what they never say."""

import asyncio
import json
from dataclasses import replace
from xml.etree import ElementTree as Xml

import pytest

from skyveil.core.errors import BoundaryViolated, SettingsRefused
from skyveil.core.health import CameraHealth, CameraState, Cause
from skyveil.core.ids import CameraId
from skyveil.core.secret import Secret
from skyveil.measure.level import Level
from skyveil.public.alarm.cap import NAMESPACE, cap_xml
from skyveil.public.alarm.event import AlarmEvent, Happened
from skyveil.public.alarm.notice import AlarmNotice
from skyveil.public.audience import Audience
from skyveil.public.notify import messages
from skyveil.public.notify.delivery import POISON_TRIES
from skyveil.public.notify.health import HealthNotice
from skyveil.public.notify.messages import Messages, service_of
from tests.public.alarm.test_desk import T, alarm, desk

LINK = "https://skyveil.example"


def raised(level: Level = Level.RED, *, many: int = 50) -> AlarmEvent:
    return desk().update([alarm(level, many=many)], [], at_s=T)[0]


def drilled() -> AlarmEvent:
    return desk().drill(*alarm(Level.RED, drill=True), "ada", at_s=T)


def happened(event: AlarmEvent, what: Happened) -> AlarmEvent:
    return AlarmEvent(T + 60, what, event.alarm, told=True, actor="ada" if what is Happened.ACKNOWLEDGED else "")


def test_a_notice_holds_level_place_words_and_a_link() -> None:
    notice = AlarmNotice(raised(), LINK)
    assert notice.title == "RED: Main hall"
    assert notice.text() == "density 5.2 per m2, red from 5.0\nhttps://skyveil.example/alarms"
    assert json.loads(notice.body()) == {
        "alarm": "alarm-1", "event": "raised", "title": "RED: Main hall", "level": "red", "rank": 3,
        "camera": "north", "place": "hall", "name": "Main hall", "since_s": T, "at_s": T,
        "words": ["density 5.2 per m2, red from 5.0"], "step": 0, "drill": False, "link": LINK + "/alarms",
    }  # fmt: skip
    assert (notice.kind, notice.about, notice.audience, notice.kept) == ("alarm", "alarm-1", Audience.STAFF, False)
    assert AlarmNotice(happened(raised(), Happened.ACKNOWLEDGED)).title == "RED: Main hall (acknowledged by ada)"
    assert AlarmNotice(raised()).text() == "density 5.2 per m2, red from 5.0"


@pytest.mark.parametrize("event", [raised(many=4), happened(raised(many=4), Happened.CLEARED)])
def test_no_message_tells_a_number_of_fewer_than_five(event: AlarmEvent) -> None:
    notice = AlarmNotice(event, LINK)
    for text in (notice.title, notice.text(), notice.body(), cap_xml(event, sender="s", link=LINK).decode()):
        assert "5.2" not in text and "per m2" not in text


@pytest.mark.parametrize("what", list(Happened))
def test_every_message_of_a_drill_says_so(what: Happened) -> None:
    event = happened(drilled(), what)
    notice = AlarmNotice(event, LINK)
    assert notice.title.startswith("DRILL ") and notice.text().startswith("DRILL: nothing has happened")
    assert json.loads(notice.body())["drill"] is True and "DRILL" in json.loads(notice.body())["title"]
    root = Xml.fromstring(cap_xml(event, sender="s", link=LINK))  # noqa: S314 (our own)
    texts = {str(one.tag).removeprefix(f"{{{NAMESPACE}}}"): one.text or "" for one in root.iter()}
    assert texts["status"] == "Exercise"
    for name in ("note", "event", "headline", "description", "areaDesc"):
        assert "DRILL" in texts[name]


# --- messages to people -----------------------------------------------------------------------------------------------


class Inbox:
    """A service that fails as often as it is told to, and keeps what it takes."""

    def __init__(self, *failures: bool | Exception) -> None:
        self.failures = list(failures)
        self.taken: list[tuple[str, str]] = []

    def __call__(self, title: str, text: str) -> bool:
        if self.failures:
            failure = self.failures.pop(0)
            if isinstance(failure, Exception):
                raise failure
            return failure
        self.taken.append((title, text))
        return True


async def until(inbox: "Inbox | Picky", sender: Messages, many: int) -> None:
    running = asyncio.create_task(sender.run())
    async with asyncio.timeout(20):
        while len(inbox.taken) < many:
            await asyncio.sleep(0.001)
    running.cancel()


def test_alarms_go_to_people_in_order_and_are_tried_again() -> None:
    async def run() -> None:
        inbox = Inbox(False, OSError("no network"), RuntimeError("somebody's bug"))
        sender = Messages(inbox, "mail", retry_s=(0.001,))
        sender.send(AlarmNotice(raised(), LINK))
        sender.send(AlarmNotice(drilled(), LINK))
        await until(inbox, sender, 2)
        assert [title for title, _ in inbox.taken] == ["RED: Main hall", "DRILL RED: Main hall"]
        assert inbox.taken[0][1].endswith("/alarms") and sender.problem() == ""

    asyncio.run(run())


class Picky:
    """A service that never takes a message with this title, and says which it was asked to."""

    def __init__(self, refused: str, *, down: int = 0) -> None:
        self.refused, self.down = refused, down
        self.taken: list[tuple[str, str]] = []

    def __call__(self, title: str, text: str) -> bool:
        self.down -= 1
        if self.down >= 0 or title == self.refused:
            return False
        self.taken.append((title, text))
        return True


def named(name: str, number: str) -> AlarmNotice:
    event = raised()
    return AlarmNotice(replace(event, alarm=replace(event.alarm, id=number, name=name)))


def test_a_message_that_alone_is_refused_keeps_nothing_back_and_is_said_to_be_lost() -> None:
    async def run() -> None:
        inbox, lost = Picky("RED: A"), list[str]()
        sender = Messages(inbox, "mail", retry_s=(0.001,), on_lost=lambda one: lost.append(one.about))
        for name in "ABCD":
            sender.send(named(name, f"alarm-{name.lower()}"))
        await until(inbox, sender, 3)
        assert [title for title, _ in inbox.taken] == ["RED: B", "RED: C", "RED: D"]
        assert (lost, sender.lost) == (["alarm-a"], 1)
        assert "refused a message" in sender.problem()

    asyncio.run(run())


def test_a_service_that_is_away_loses_no_message_and_their_order_stays() -> None:
    async def run() -> None:
        inbox = Picky("", down=20)
        sender = Messages(inbox, "mail", retry_s=(0.001,))
        for name in "ABC":
            sender.send(named(name, f"alarm-{name.lower()}"))
        await until(inbox, sender, 3)
        assert [title for title, _ in inbox.taken] == ["RED: A", "RED: B", "RED: C"]
        assert (sender.lost, sender.problem()) == (0, "")

    asyncio.run(run())


def test_a_message_is_tried_for_an_hour_and_then_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "GIVE_UP_S", 0.0)  # an hour that is over at once

    async def run() -> None:
        inbox, lost = Picky(""), list[str]()
        sender = Messages(inbox, "mail", retry_s=(0.001,), on_lost=lambda one: lost.append(one.about))
        sender.send(named("A", "alarm-a"))
        running = asyncio.create_task(sender.run())
        async with asyncio.timeout(20):
            while not lost:
                await asyncio.sleep(0.001)
        running.cancel()
        assert (lost, inbox.taken) == (["alarm-a"], [])

    asyncio.run(run())


@pytest.mark.parametrize(("other", "taken"), [("alarm-b", ["RED: B", "RED: A"]), ("alarm-a", ["RED: B"])])
def test_a_service_that_comes_back_between_two_tries_gets_the_first_unless_there_is_newer(
    other: str, taken: list[str]
) -> None:
    async def run() -> None:
        inbox = Picky("", down=POISON_TRIES)  # the last try of the first fails, and the first of the second does not
        sender = Messages(inbox, "mail", retry_s=(0.001,))
        sender.send(named("A", "alarm-a"))
        sender.send(named("B", other))
        await until(inbox, sender, len(taken))
        sender.send(named("C", "alarm-c"))
        await until(inbox, sender, len(taken) + 1)
        assert [title for title, _ in inbox.taken] == [*taken, "RED: C"]
        assert sender.lost == (2 - len(taken))

    asyncio.run(run())


def test_some_are_told_only_when_nobody_answered_and_none_of_health() -> None:
    async def run() -> None:
        inbox = Inbox()
        sender = Messages(inbox, "chief", from_step=1)
        event = raised()
        sender.send(AlarmNotice(event))
        sender.send(HealthNotice(CameraHealth(CameraId("a"), CameraState.LIVE, Cause.OK, T)))
        sender.send(AlarmNotice(replace(event, happened=Happened.ESCALATED, alarm=replace(event.alarm, step=1))))
        await until(inbox, sender, 1)
        assert [title for title, _ in inbox.taken] == ["RED: Main hall (escalated)"]

    asyncio.run(run())


def test_the_public_gets_no_alarms() -> None:
    with pytest.raises(BoundaryViolated):
        Messages(Inbox(), "everybody", audience=Audience.PUBLIC).send(AlarmNotice(raised()))


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # a plug-in of Apprise
def test_an_address_is_one_that_apprise_knows() -> None:
    assert callable(service_of(Secret("json://127.0.0.1:9/path")))
    with pytest.raises(SettingsRefused, match="Apprise knows"):
        service_of(Secret("nothing://like-this"))
