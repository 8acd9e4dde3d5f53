"""A whole site tells the health of its cameras, and nothing else, by MQTT and webhooks."""

import asyncio
import json
import signal
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from skyveil.app.config import Told
from skyveil.app.telling import REPEAT_S, Telling
from skyveil.core.health import CameraHealth, CameraState, Cause
from skyveil.core.ids import CameraId, camera_id
from skyveil.core.secret import SafeUrl, Secret
from skyveil.public.notify.mqtt import Broker
from skyveil.public.notify.webhook import Receiver
from tests.app.test_live_site import running
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
