"""A whole site tells the health of its cameras, and nothing else, by MQTT and webhooks; and alarms, when there are."""

import asyncio
import json
import signal
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from skyveil.app import telling as telling_module
from skyveil.app.config import Told
from skyveil.app.config.outputs import Addressee
from skyveil.app.server import audit_of, database_of
from skyveil.app.site import LiveSite
from skyveil.app.telling import REPEAT_S, Telling
from skyveil.core.health import CameraHealth, CameraState, Cause
from skyveil.core.ids import CameraId, camera_id
from skyveil.core.secret import SafeUrl, Secret
from skyveil.measure.calibration_text import calibration_text
from skyveil.public.alarm.event import Happened
from skyveil.public.alarm.notice import AlarmNotice
from skyveil.public.live.hub import Hub
from skyveil.public.notify.mqtt import Broker
from skyveil.public.notify.webhook import Receiver
from skyveil.public.store.alarm_log import AlarmLog
from tests.app.test_crowd import HUNG, configured, shares
from tests.app.test_live_site import running
from tests.public.alarm.test_messages import Inbox, named
from tests.public.notify.receiving import Receiver as Hook
from tests.public.notify.receiving import brokering, receiving, subscribed, until

OUTPUTS = """\
outputs:
  mqtt: {{host: 127.0.0.1, port: {broker}, tls: false, prefix: site}}
  webhooks: [{{url: "http://127.0.0.1:{hook}/in", secret: {{secret: hook}}}}]
"""
HEALTH_KEYS = {"camera", "state", "cause", "message", "since_s", "fps", "age_s", "restarts", "clock_offset_s"}
DISCOVERY_KEYS = {
    "name", "device_class", "value_template", "unique_id", "state_topic", "availability_topic", "payload_available",
    "payload_not_available", "entity_category", "device", "origin", "options", "state_class", "unit_of_measurement",
    "suggested_display_precision",
}  # fmt: skip


def states(heard: Mapping[str, str]) -> dict[str, str]:
    prefix = "site/health/"
    return {
        topic.removeprefix(prefix): json.loads(text)["state"] if text else ""
        for topic, text in heard.items()
        if topic.startswith(prefix)
    }


def check_payloads(heard: Mapping[str, str]) -> None:
    """Nothing but health, discovery and the status; no key of theirs tells of people."""
    for topic, text in heard.items():
        if topic == "site/status":
            assert text in ("online", "offline")
        elif topic.startswith("site/health/"):
            assert text == "" or set(json.loads(text)) == HEALTH_KEYS
        else:
            assert topic.startswith("homeassistant/")
            assert text == "" or set(json.loads(text)) <= DISCOVERY_KEYS


def test_a_site_tells_health_and_nothing_else(tmp_path: Path) -> None:
    async def run() -> None:
        async with brokering() as broker, receiving(204) as hook, subscribed(broker) as heard:
            secrets = tmp_path / "secrets.yaml"
            secrets.write_text("hook: plenty of goats\n")
            secrets.chmod(0o600)
            with running(tmp_path) as site:
                await asyncio.to_thread(site.wait_for_live, 4)
                # Told from a reload on: what is known already comes at once.
                text = site.config.read_text()
                site.config.write_text(text + OUTPUTS.format(broker=broker, hook=hook.port))
                site.process.send_signal(signal.SIGHUP)
                everybody = dict.fromkeys(("square", "mirror", "west", "east"), "live")
                await until(lambda: states(heard) == everybody and heard.get("site/status") == "online")
                await until(lambda: len({json.loads(one.body)["data"]["camera"] for one in hook.posts}) == 4)
                await until(lambda: sum(topic.startswith("homeassistant/") for topic in heard) == 16)
                # A camera that freezes.
                site.cameras.cameras["/west"].faults.frozen = True
                await until(lambda: states(heard)["west"] != "live")
                await until(lambda: any(json.loads(one.body)["data"]["state"] != "live" for one in hook.posts))
                # A camera that is taken away is taken back.
                site.config.write_text(
                    "\n".join(line for line in site.config.read_text().splitlines() if '"east"' not in line)
                )
                site.process.send_signal(signal.SIGHUP)
                await until(lambda: states(heard)["east"] == "")
                await until(lambda: sum(t.startswith("homeassistant/") and x != "" for t, x in heard.items()) == 12)
                site.process.send_signal(signal.SIGTERM)
                assert await asyncio.to_thread(site.process.wait, 20) == 0
                await until(lambda: heard["site/status"] == "offline")
            check_payloads(heard)
            for post in hook.posts:
                told = json.loads(post.body)
                assert set(told) == {"type", "timestamp", "data"}
                assert told["type"] == "health"
                assert set(told["data"]) == HEALTH_KEYS
            everything = "".join([*heard.values(), *(post.body.decode() for post in hook.posts)])
            assert "rtsp" not in everything and "goats" not in everything

    asyncio.run(run())


def test_webhooks_are_told_changes_and_mqtt_also_figures_now_and_then() -> None:
    async def run() -> None:
        now_s = 0.0
        async with brokering() as port, receiving(204) as hook, subscribed(port) as heard:
            telling = Telling("1", now=lambda: now_s)
            told = Told(
                (Broker("127.0.0.1", port, tls=False),),
                (Receiver(SafeUrl(f"http://127.0.0.1:{hook.port}/"), Secret("s")),),
            )
            names: dict[CameraId, str] = {camera_id("door"): "Door"}
            telling.configure(told, names)
            live = CameraHealth(camera_id("door"), CameraState.LIVE, Cause.OK, 1.0, fps=10.0)
            telling.health(live)
            await until(lambda: len(hook.posts) == 1 and "skyveil/health/door" in heard)
            assert json.loads(heard["skyveil/health/door"])["fps"] == 10.0
            telling.health(replace(live, fps=5.0))
            now_s = REPEAT_S
            telling.health(replace(live, fps=7.0))
            await until(lambda: json.loads(heard["skyveil/health/door"])["fps"] == 7.0)
            telling.health(replace(live, state=CameraState.STALE, cause=Cause.FROZEN))
            await until(lambda: len(hook.posts) == 2)
            assert json.loads(hook.posts[1].body)["data"]["cause"] == "frozen"
            assert telling.problems() == []
            # The same again changes nothing; none ends them.
            telling.configure(told, names)
            tasks = [one for one in asyncio.all_tasks() if one.get_name() == "telling"]
            assert len(tasks) == 2
            telling.configure(Told(), names)
            for task in tasks:
                with suppress(asyncio.CancelledError):
                    await task
            await telling.close()

    asyncio.run(run())


def opened(name: str, *, step: int = 0) -> AlarmNotice:
    """An alarm that is open."""
    one = named(name, f"alarm-{name.lower()}").event
    return AlarmNotice(replace(one, happened=Happened.TOLD, alarm=replace(one.alarm, step=step)))


def titles(hook: Hook) -> list[str]:
    return [json.loads(one.body)["data"]["title"] for one in hook.posts]


def test_what_waits_for_who_is_told_no_more_is_lost_and_who_is_new_is_told_what_is_open() -> None:
    async def run() -> None:
        lost: list[tuple[str, str]] = []
        telling = Telling("1", on_lost=lambda notice, name: lost.append((notice.about, name)))
        async with receiving(503) as down, receiving(204) as well, receiving(204) as new:
            receivers = [Receiver(SafeUrl(f"http://127.0.0.1:{one.port}/"), Secret("s")) for one in (down, well, new)]
            telling.configure(Told(receivers=tuple(receivers[:2])), {}, [opened("A")])
            telling.alarm(named("B", "alarm-b"))
            # At the first time nobody is told what is open: the desk sees to that.
            await until(lambda: len(well.posts) == 1 and len(down.posts) >= 1)
            telling.configure(Told(receivers=tuple(receivers[1:])), {}, [opened("A"), opened("B")])
            assert (lost, telling.lost()) == ([("alarm-b", "127.0.0.1")], 1)
            telling.alarm(named("C", "alarm-c"))
            await until(lambda: len(well.posts) == 2 and len(new.posts) == 3)
            assert titles(well) == ["RED: B", "RED: C"]
            assert titles(new) == ["RED: A", "RED: B", "RED: C"]
            assert [json.loads(one.body)["data"]["event"] for one in new.posts] == ["told", "told", "raised"]
            await telling.close()

    asyncio.run(run())


def test_who_is_told_from_a_step_on_is_told_of_open_alarms_that_have_come_so_far(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def run() -> None:
        inbox = Inbox()
        monkeypatch.setattr(telling_module, "service_of", lambda address: inbox)
        telling = Telling("1")
        telling.configure(Told(), {})
        chief = Told(people=(Addressee("chief", Secret("s"), from_step=1),))
        telling.configure(chief, {}, [opened("A"), opened("B", step=1)])
        await until(lambda: len(inbox.taken) == 1)
        telling.alarm(opened("C", step=2))
        await until(lambda: len(inbox.taken) == 2)
        assert [title for title, _ in inbox.taken] == ["RED: B", "RED: C"]
        await telling.close()

    asyncio.run(run())


def test_an_address_that_is_mended_at_a_reload_is_told_what_is_open_and_what_waited_is_logged(tmp_path: Path) -> None:
    hall = camera_id("hall")
    config = configured(tmp_path, shares(-3, 6, 3, 11), calibration=calibration_text(HUNG.given))
    path, engine = tmp_path / "skyveil.yaml", database_of(config)
    (tmp_path / "secrets.yaml").write_text("hook: plenty of goats\n")
    (tmp_path / "secrets.yaml").chmod(0o600)

    async def run() -> None:
        async with receiving(404) as wrong, receiving(204) as right:

            def tell(hook: Hook) -> None:
                webhook = {"url": f"http://127.0.0.1:{hook.port}/", "secret": {"secret": "hook"}}
                path.write_text(json.dumps({**json.loads(path.read_text()), "outputs": {"webhooks": [webhook]}}))

            tell(wrong)
            site = LiveSite(path, Hub(), audit_of(config, engine), engine)
            site._loop = asyncio.get_running_loop()
            site._tell()
            (zone,) = (one for one in site.crowd.places(hall) if not one.line)
            site.crowd.drill(hall, zone, "ada")
            await until(lambda: len(wrong.posts) >= 1)
            tell(right)
            await asyncio.to_thread(site.reload)
            await until(lambda: len(right.posts) >= 1)
            await site.telling.close()
            site.close()
            assert [json.loads(one.body)["data"]["event"] for one in right.posts] == ["told"]
            assert titles(right) == ["DRILL RED: Hall: Zone 0"]
            logged = [(one.happened, one.actor) for one in reversed(AlarmLog(engine).events())]
            assert logged == [(Happened.RAISED, "ada"), (Happened.UNDELIVERED, "127.0.0.1")]

    asyncio.run(run())
    engine.dispose()


def test_an_address_that_is_none_is_said_and_all_others_are_told() -> None:
    async def run() -> None:
        async with receiving(204) as hook:
            telling = Telling("1")
            people = (Addressee("night shift", Secret("no address"), 0), Addressee("chief", Secret("nor this"), 1))
            hooks = (Receiver(SafeUrl(f"http://127.0.0.1:{hook.port}/"), Secret("s")),)
            telling.configure(Told((), hooks, people=people), {camera_id("door"): "Door"})
            telling.health(CameraHealth(camera_id("door"), CameraState.LIVE, Cause.OK, 1.0, fps=10.0))
            await until(lambda: len(hook.posts) == 1)
            first, second = telling.problems()
            assert first.startswith("night shift: ") and second.startswith("chief: ")
            telling.configure(Told((), hooks), {camera_id("door"): "Door"})
            assert telling.problems() == []
            await telling.close()

    asyncio.run(run())
