"""Health reaches programs outside, signed and in order; nothing that depends on people is in it."""

import asyncio
import base64
import hashlib
import hmac
import json
import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, fields, replace
from pathlib import Path

import pytest

from skyveil.core.errors import BoundaryViolated, SettingsRefused
from skyveil.core.health import CameraHealth, CameraState, Cause
from skyveil.core.ids import camera_id
from skyveil.core.secret import SafeUrl, Secret
from skyveil.public.audience import Audience
from skyveil.public.notify.delivery import POISON_TRIES, Delivery, Refusal
from skyveil.public.notify.health import HealthNotice
from skyveil.public.notify.home_assistant import discovery
from skyveil.public.notify.messages import Messages
from skyveil.public.notify.mqtt import Broker, Mqtt
from skyveil.public.notify.notice import WAITING, Notice, OnLost, Outbox, Sender
from skyveil.public.notify.webhook import Receiver, Webhook
from tests.public.alarm.test_messages import Inbox, named
from tests.public.notify.receiving import (
    Post,
    brokering,
    listening,
    receiving,
    relaying,
    self_signed,
    subscribed,
    until,
)

LIVE = CameraHealth(camera_id("door"), CameraState.LIVE, Cause.OK, 1000.0, fps=9.97, age_s=0.1, frames=7, whole=3)
FAST = (0.01,)
# Connections are cut here at every stage, and asyncio leaves sockets of some to the collector, which warns of them.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@dataclass(frozen=True)
class Event:
    """Something that happened, for a circle."""

    number: int
    audience: Audience = Audience.STAFF
    kind: str = "alarm"
    about: str = "door"
    kept: bool = False
    at_s: float = 1000.0

    def body(self) -> str:
        return json.dumps({"number": self.number})


@asynccontextmanager
async def sending(sender: Sender) -> AsyncIterator[None]:
    task = asyncio.create_task(sender.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def hook(
    port: int,
    scheme: str = "http",
    ca_file: Path | None = None,
    *,
    retry_s: float = 0.01,
    on_lost: OnLost = lambda notice: None,
) -> Webhook:
    url = SafeUrl(f"{scheme}://127.0.0.1:{port}/in?key=1")
    receiver = Receiver(url, Secret("goats"), ca_file=ca_file)
    return Webhook(receiver, retry_s=(retry_s,), timeout_s=5.0, on_lost=on_lost)


def numbers(posts: Iterable[Post]) -> list[int]:
    """Which of the events came, by their number."""
    return [json.loads(post.body)["data"]["number"] for post in posts]


# --- what is told ---------------------------------------------------------------------------------------------------


def test_health_is_told_without_anything_that_depends_on_people() -> None:
    body = json.loads(HealthNotice(LIVE).body())
    assert set(body) == {
        "camera", "state", "cause", "message", "since_s", "fps", "age_s", "restarts", "clock_offset_s",
    }  # fmt: skip
    # Whatever else is known of a camera changes no byte: counters of pictures hang on what is in them.
    other = replace(LIVE, frames=10**6, dropped=10**6, whole=10**6, rss_bytes=10**9, descriptors=99)
    assert HealthNotice(other).body() == HealthNotice(LIVE).body()
    told = {"camera", "state", "cause", "since_s", "fps", "age_s", "restarts", "clock_offset_s"}
    assert {one.name for one in fields(CameraHealth)} - told == {
        "frames", "dropped", "whole", "rss_bytes", "descriptors",
    }  # fmt: skip


# --- the outbox -----------------------------------------------------------------------------------------------------


def test_of_a_state_the_newest_waits_and_of_events_the_newest_thousand() -> None:
    outbox = Outbox(Audience.STAFF, limit=3)
    for state in (CameraState.STARTING, CameraState.LIVE):
        outbox.put(HealthNotice(replace(LIVE, state=state)))
    assert len(outbox) == 1
    for number in range(5):
        outbox.put(Event(number))
    assert (len(outbox), outbox.lost) == (3, 3)
    assert outbox.first() == Event(2)
    first = outbox.first()
    assert first is not None
    outbox.done(first)
    assert outbox.first() == Event(3)


@pytest.mark.parametrize("way", ["messages", "webhook", "mqtt"])
def test_alarms_that_too_many_wait_behind_or_that_are_given_up_are_said_to_be_lost(way: str) -> None:
    async def run() -> None:
        lost: list[str] = []

        def on_lost(notice: Notice) -> None:
            lost.append(notice.about)

        senders: dict[str, Sender] = {
            "messages": Messages(Inbox(), "mail", on_lost=on_lost),
            "webhook": hook(1, on_lost=on_lost),
            "mqtt": Mqtt(Broker("127.0.0.1", 1), on_lost=on_lost),
        }
        sender, names = senders[way], [f"alarm-{number}" for number in range(WAITING + 1)]
        for name in names:
            sender.send(named("Hall", name))
        assert (lost, sender.lost) == (names[:1], 1)
        sender.give_up()
        sender.give_up()
        assert (lost, sender.lost) == (names, WAITING + 1)
        # How a camera is, is told again to whom is told next.
        sender.send(HealthNotice(LIVE))
        sender.give_up()
        assert (lost, sender.lost) == (names, WAITING + 1)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("circle", "notice", "admitted"),
    [
        (Audience.STAFF, Audience.STAFF, True),
        (Audience.CONTROL_ROOM, Audience.PUBLIC, True),
        (Audience.STAFF, Audience.CONTROL_ROOM, False),
        (Audience.PUBLIC, Audience.STAFF, False),
    ],
)
def test_a_notice_never_goes_to_a_wider_circle_than_its_own(circle: Audience, notice: Audience, admitted: bool) -> None:
    async def run() -> None:
        receiver = Receiver(SafeUrl("http://127.0.0.1/"), Secret("s"), audience=circle)
        for sender in (Webhook(receiver), Mqtt(Broker("127.0.0.1", 1, audience=circle))):
            for kept in (True, False):
                if admitted:
                    sender.send(Event(1, notice, kept=kept))
                else:
                    with pytest.raises(BoundaryViolated):
                        sender.send(Event(1, notice, kept=kept))

    asyncio.run(run())


# --- webhooks -------------------------------------------------------------------------------------------------------


def test_a_webhook_is_signed_so_that_its_receiver_can_tell_who_sent_it() -> None:
    async def run() -> None:
        async with receiving(204) as receiver, sending(webhook := hook(receiver.port)):
            webhook.send(HealthNotice(LIVE))
            await until(lambda: webhook.sent == 1)
        (post,) = receiver.posts
        assert post.path == "/in?key=1"
        body = json.loads(post.body)
        assert (body["type"], body["timestamp"]) == ("health", "1970-01-01T00:16:40.000+00:00")
        assert body["data"]["state"] == "live"
        signed = f"{post.headers['webhook-id']}.{post.headers['webhook-timestamp']}.".encode() + post.body
        expected = base64.b64encode(hmac.new(b"goats", signed, hashlib.sha256).digest()).decode()
        assert post.headers["webhook-signature"] == f"v1,{expected}"
        assert post.headers["content-type"] == "application/json"

    asyncio.run(run())


def test_what_fails_is_sent_again_under_the_same_name_and_in_order() -> None:
    async def run() -> None:
        async with receiving(500, 503, 429, 200) as receiver, sending(webhook := hook(receiver.port)):
            for number in range(3):
                webhook.send(Event(number))
            await until(lambda: webhook.sent == 3)
        assert numbers(receiver.posts) == [0, 0, 0, 0, 1, 2]
        assert len({post.headers["webhook-id"] for post in receiver.posts[:4]}) == 1
        assert webhook.problem() == ""

    asyncio.run(run())


@pytest.mark.parametrize("status", [301, 302, 307, 308, 400, 410, 413, 414, 415, 422, 431])
def test_what_is_refused_or_sent_elsewhere_is_not_sent_again_and_no_redirect_is_followed(status: int) -> None:
    async def run() -> None:
        lost: list[Notice] = []
        async with receiving(200) as elsewhere, receiving(status, 200) as receiver:
            receiver.location = f"http://127.0.0.1:{elsewhere.port}/"
            async with sending(webhook := hook(receiver.port, on_lost=lost.append)):
                webhook.send(Event(0))
                await until(lambda: webhook.lost == 1)
                assert str(status) in webhook.problem()
                webhook.send(Event(1))
                await until(lambda: webhook.sent == 1)
                assert webhook.problem().endswith("refused a message about an alarm: see the alarm log")
            assert (len(receiver.posts), len(elsewhere.posts)) == (2, 0)
        assert lost == [Event(0)]

    asyncio.run(run())


@pytest.mark.parametrize("status", [401, 403, 404, 405, 408, 425, 429, 500, 502, 503])
def test_no_notice_is_lost_while_a_receiver_is_mended_or_deployed(status: int) -> None:
    async def run() -> None:
        # Long enough for others to be tried as well: each of the first five tries is one, and then there are two.
        async with receiving(*[status] * (POISON_TRIES + 9), 200) as receiver:
            async with sending(webhook := hook(receiver.port)):
                for number in range(3):
                    webhook.send(Event(number, about=f"place-{number}"))
                await until(lambda: webhook.sent == 3)
            assert numbers(receiver.posts[-3:]) == [0, 1, 2]
            assert (webhook.lost, webhook.problem()) == (0, "")

    asyncio.run(run())


@pytest.mark.parametrize(
    ("chokes_on", "taken", "lost"),
    [
        ((0,), [1, 2, 3, 4], [0]),  # one alone, and what comes behind it in order
        ((0, 1), [2, 3, 4], [0, 1]),  # the next fails as well, and keeps nothing back either
        ((0, 3), [1, 2, 4], [0, 3]),  # more of the same alarm fails for the same reason
        ((2, 4), [0, 1, 3], [2]),  # the last one is alone: nothing says whether it or the receiver is wrong
    ],
)
def test_an_alarm_that_a_receiver_chokes_on_keeps_nothing_back(
    chokes_on: tuple[int, ...], taken: list[int], lost: list[int]
) -> None:
    async def run() -> None:
        given_up: list[Notice] = []
        events = [Event(number, about=f"alarm-{number % 3}") for number in range(5)]
        async with receiving(200) as receiver:
            receiver.chokes_on = tuple(b'"number": %d' % number for number in chokes_on)
            async with sending(webhook := hook(receiver.port, on_lost=given_up.append)):
                for one in events:
                    webhook.send(one)
                await until(lambda: webhook.sent == len(taken) and webhook.lost == len(lost))
            came = [number for number in numbers(receiver.posts) if number not in chokes_on]
            assert (came, given_up) == (taken, [events[number] for number in lost])
            # Tries of two notices alternate, and each keeps its id.
            ids = {(post.body, post.headers["webhook-id"]) for post in receiver.posts}
            assert len(ids) == len({one for _, one in ids}) == 5

    asyncio.run(run())


def test_what_is_refused_for_ever_beside_one_that_fails_is_lost_and_proves_nothing_of_it() -> None:
    async def run() -> None:
        tried: list[Notice] = []
        lost: list[Notice] = []
        bad, first = Event(1, about="b"), Event(0, about="a")

        async def attempt(notice: Notice) -> Refusal | None:
            tried.append(notice)
            back = tried.count(first) > POISON_TRIES + 1
            return None if back else Refusal("no", final=notice is bad)

        delivery = Delivery("a receiver", Audience.STAFF, attempt, retry_s=FAST, on_lost=lost.append)
        delivery.send(first)
        delivery.send(bad)
        task = asyncio.create_task(delivery.run())
        await until(lambda: len(delivery) == 0)
        task.cancel()
        assert (lost, tried.count(bad), tried[-1]) == ([bad], 1, first)

    asyncio.run(run())


def test_the_id_of_a_notice_is_the_same_after_a_restart() -> None:
    async def run() -> None:
        async with receiving(200) as receiver:
            for _ in range(2):
                async with sending(webhook := hook(receiver.port)):
                    webhook.send(Event(1))
                    await until(lambda: webhook.sent == 1)
        assert len({post.headers["webhook-id"] for post in receiver.posts}) == 1 < len(receiver.posts)

    asyncio.run(run())


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-goats\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n", b"x" * 100_000])
def test_a_receiver_that_speaks_something_else_is_tried_again(answer: bytes, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    asked = 0

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        await reader.read(100)
        writer.write(answer)
        writer.close()

    async def run() -> None:
        async with listening(speak) as port:
            async with sending(webhook := hook(port)):
                webhook.send(Event(0))
                await until(lambda: asked >= 3)
            assert (webhook.sent, webhook.lost) == (0, 0)
            assert "can not be reached" in webhook.problem()

    asyncio.run(run())
    assert "key=1" not in caplog.text
    assert "goats" not in caplog.text.replace("SSH-2.0-goats", "")


def test_a_receiver_is_told_nothing_before_its_certificate_is_trusted(tmp_path: Path) -> None:
    certificate, context = self_signed(tmp_path)

    async def run() -> None:
        async with receiving(200, tls=context) as receiver:
            async with sending(webhook := hook(receiver.port, "https", retry_s=60.0)):
                webhook.send(Event(0))
                await until(lambda: webhook.problem() != "")
                assert "SSLCertVerificationError" in webhook.problem()
            assert receiver.posts == []
            async with sending(webhook := hook(receiver.port, "https", certificate)):
                webhook.send(Event(0))
                await until(lambda: webhook.sent == 1)

    asyncio.run(run())


def test_a_receiver_that_is_away_for_long_gets_the_newest_state_only() -> None:
    async def run() -> None:
        webhook = hook(1)
        async with sending(webhook):
            for state in CameraState:
                webhook.send(HealthNotice(replace(LIVE, state=state)))
                await asyncio.sleep(0)
            await until(lambda: webhook.problem() != "")
            assert (len(webhook._delivery), webhook.lost) == (1, 0)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("url", "secret"),
    [
        ("ftp://host/", "s"),
        ("file:///etc/passwd", "s"),
        ("https://höst/", "s"),
        ("https://host/", "whsec_no base64!"),
    ],
)
def test_an_address_or_secret_that_can_not_work_is_refused(url: str, secret: str) -> None:
    with pytest.raises(SettingsRefused):
        Receiver(SafeUrl(url), Secret(secret))


# --- MQTT -----------------------------------------------------------------------------------------------------------


def test_states_are_retained_and_the_status_says_whether_we_are_there() -> None:
    async def run() -> None:
        async with brokering() as port:
            async with sending(mqtt := Mqtt(Broker("127.0.0.1", port, tls=False), retry_s=FAST)):
                mqtt.send(HealthNotice(LIVE))
                await until(lambda: mqtt.problem() == "" and not mqtt._changed)
                async with subscribed(port) as heard:
                    await until(lambda: len(heard) == 2)
                    assert heard["skyveil/status"] == "online"
                    assert json.loads(heard["skyveil/health/door"])["state"] == "live"
                    mqtt.send(HealthNotice(replace(LIVE, state=CameraState.STALE)))
                    await until(lambda: json.loads(heard["skyveil/health/door"])["state"] == "stale")
                    mqtt.send(Event(4))
                    await until(lambda: heard.get("skyveil/alarm/door") == '{"number": 4}')
                    mqtt.forget("health", "door")
                    await until(lambda: heard["skyveil/health/door"] == "")
            async with subscribed(port) as heard:
                await until(lambda: heard.get("skyveil/status") == "offline")
                assert set(heard) == {"skyveil/status"}

    asyncio.run(run())


def test_a_server_that_dies_is_told_offline_by_its_last_will() -> None:
    async def run() -> None:
        async with (
            brokering() as port,
            subscribed(port) as heard,
            relaying(port) as (near, cut),
            sending(Mqtt(Broker("127.0.0.1", near, tls=False), retry_s=(60.0,))),
        ):
            await until(lambda: heard.get("skyveil/status") == "online")
            cut()
            await until(lambda: heard["skyveil/status"] == "offline")

    asyncio.run(run())


def test_a_broker_that_restarts_empty_is_told_everything_again() -> None:
    async def run() -> None:
        async with brokering() as port:
            mqtt = Mqtt(Broker("127.0.0.1", port, tls=False), retry_s=FAST)
            task = asyncio.create_task(mqtt.run())
            mqtt.send(HealthNotice(LIVE))
            await until(lambda: mqtt.problem() == "" and not mqtt._changed)
        await until(lambda: mqtt.problem() != "")
        async with brokering(port), subscribed(port) as heard:
            mqtt.send(Event(5))
            await until(lambda: {"skyveil/status", "skyveil/health/door", "skyveil/alarm/door"} <= heard.keys())
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    asyncio.run(run())


def test_home_assistant_finds_each_camera_and_forgets_it_with_the_camera() -> None:
    broker = Broker("127.0.0.1", 1, tls=False, prefix="site/north")
    texts = discovery(broker, camera_id("door"), "Main door", version="1", root="homeassistant")
    assert set(texts) == {
        "homeassistant/binary_sensor/site_north_door/live/config",
        "homeassistant/sensor/site_north_door/state/config",
        "homeassistant/sensor/site_north_door/cause/config",
        "homeassistant/sensor/site_north_door/fps/config",
    }
    names = set(json.loads(HealthNotice(LIVE).body()))
    for text in texts.values():
        config = json.loads(text)
        assert config["state_topic"] == "site/north/health/door"
        assert config["availability_topic"] == "site/north/status"
        assert config["device"]["name"] == "Main door"
        field = config["value_template"].partition("value_json.")[2].split()[0]
        assert field in names
    assert len({json.loads(text)["unique_id"] for text in texts.values()}) == 4

    async def run() -> None:
        async with brokering() as port, sending(mqtt := Mqtt(Broker("127.0.0.1", port, tls=False), retry_s=FAST)):
            mqtt.announce(texts)
            async with subscribed(port) as heard:
                await until(lambda: texts.items() <= heard.items())
                mqtt.announce({})
                await until(lambda: all(heard[topic] == "" for topic in texts))

    asyncio.run(run())


def test_a_broker_that_refuses_is_a_problem_without_the_password() -> None:
    async def run() -> None:
        broker = Broker("127.0.0.1", 1, tls=False, username="u", password=Secret("goats"))
        async with sending(mqtt := Mqtt(broker, retry_s=FAST)):
            await until(lambda: "can not be reached" in mqtt.problem())
            assert "goats" not in f"{mqtt.problem()} {broker}"

    asyncio.run(run())
