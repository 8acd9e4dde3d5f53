"""An alarm in the Common Alerting Protocol 1.2 (OASIS, 2010), for systems of authorities. Public side."""

import re
from datetime import UTC, datetime
from typing import Final
from xml.etree import ElementTree as Xml

from skyveil.measure.level import Level
from skyveil.public.alarm.event import DRILL, AlarmEvent, Happened, Occasion
from skyveil.public.alarm.notice import AlarmNotice

NAMESPACE: Final = "urn:oasis:names:tc:emergency:cap:1.2"
EXPIRES_S: Final = 3600.0
RENEWED_S: Final = 1800.0
_SEVERITY: Final = {
    Level.GREEN: "Minor",
    Level.YELLOW: "Minor",
    Level.ORANGE: "Moderate",
    Level.RED: "Severe",
    Level.CRITICAL: "Extreme",
    Level.UNKNOWN: "Unknown",
}
_URGENCY: Final = {Level.CRITICAL: "Immediate", Level.RED: "Immediate", Level.ORANGE: "Expected"}
_MESSAGE: Final = {Happened.RAISED: "Alert", Happened.TOLD: "Alert", Happened.CLEARED: "Cancel"}
_FORBIDDEN: Final = re.compile(r"[\s,<&]+")
"""What identifiers and senders may not hold (3.2.1)."""


def cap_xml(event: AlarmEvent, *, sender: str, link: str = "") -> bytes:
    """The event as a CAP message, for a restricted circle; a drill is an `Exercise` whose every text says DRILL.

    sender: who sends, such as `skyveil@venue.example`. The first message of an alarm is an Alert, the last a Cancel,
    and the others Updates; both name the Alert that they belong to.
    """
    return _message(event, _MESSAGE.get(event.happened, "Update"), event.happened, sender, link)


def open_alarm_xml(alarm: Occasion, *, now_s: float, sender: str, link: str = "") -> bytes:
    """An alarm that is open as it stands, for systems that fetch.

    It is the Alert until its level changes or somebody takes it on, then an Update. Each such change makes another one,
    and so does each half hour, so that nobody holds an expired message of an alarm that is still open.
    """
    changed_s = max(alarm.raised_s, alarm.since_s, alarm.acknowledged_s or alarm.raised_s)
    at_s = changed_s + max(0.0, (now_s - changed_s) // RENEWED_S) * RENEWED_S
    kind, happened = ("Update", Happened.ROSE) if at_s > alarm.raised_s else ("Alert", Happened.RAISED)
    return _message(AlarmEvent(at_s, happened, alarm, told=True), kind, "open", sender, link)


def _message(event: AlarmEvent, kind: str, name: str, sender: str, link: str) -> bytes:
    alarm, notice = event.alarm, AlarmNotice(event, link)
    sender = _FORBIDDEN.sub("-", sender)
    first = (sender, f"{alarm.id}-raised-{_millis(alarm.raised_s)}", _time(alarm.raised_s))
    root = Xml.Element("alert", {"xmlns": NAMESPACE})
    own = first[1] if kind == "Alert" else f"{alarm.id}-{name}-{_millis(event.at_s)}"
    _texts(
        root,
        ("identifier", own),
        ("sender", sender),
        ("sent", _time(event.at_s if kind != "Alert" else alarm.raised_s)),
        ("status", "Exercise" if alarm.drill else "Actual"),
        ("msgType", kind),
        ("scope", "Restricted"),
        ("restriction", "For the safety staff of this place only"),
    )
    if alarm.drill:
        _texts(root, ("note", f"{DRILL}: nothing has happened, this message is practice"))
    if kind != "Alert":
        _texts(root, ("references", ",".join(first)))
    _info(Xml.SubElement(root, "info"), notice)
    made: bytes = Xml.tostring(root, encoding="utf-8", xml_declaration=True)
    return made


def _info(info: Xml.Element, notice: AlarmNotice) -> None:
    event, alarm = notice.event, notice.event.alarm
    ended = event.happened is Happened.CLEARED
    mark = f"{DRILL} " if alarm.drill else ""
    _texts(
        info,
        ("language", "en"),
        ("category", "Safety"),
        ("event", f"{mark}crowd density" if alarm.place else f"{mark}cameras out"),
        ("responseType", "AllClear" if ended else "Assess"),
        ("urgency", "Past" if ended else _URGENCY.get(alarm.level, "Unknown")),
        ("severity", _SEVERITY[alarm.level]),
        ("certainty", "Observed" if alarm.level is not Level.UNKNOWN else "Unknown"),
        ("onset", _time(alarm.since_s)),
        ("expires", _time(event.at_s + EXPIRES_S)),
        ("senderName", "Skyveil"),
        ("headline", notice.title[:160]),
        ("description", notice.text() or alarm.headline),
    )
    if notice.url:
        _texts(info, ("web", notice.url))
    _texts(Xml.SubElement(info, "area"), ("areaDesc", f"{mark}{alarm.name}"))


def _texts(parent: Xml.Element, *texts: tuple[str, str]) -> None:
    for name, text in texts:
        Xml.SubElement(parent, name).text = "".join(one for one in text if one.isprintable() or one == "\n")


def _millis(at_s: float) -> int:
    return round(at_s * 1000)


def _time(at_s: float) -> str:
    """As CAP wants it: whole seconds, and an offset that is never Z (3.3.2)."""
    return datetime.fromtimestamp(int(at_s), UTC).strftime("%Y-%m-%dT%H:%M:%S-00:00")
