"""Alarms in the Common Alerting Protocol 1.2, held to the rules of its schema and of its text."""

import re
from dataclasses import replace
from datetime import datetime
from xml.etree import ElementTree as Xml

import pytest

from skyveil.measure.level import Level
from skyveil.public.alarm.cap import NAMESPACE, cap_xml, open_alarm_xml
from skyveil.public.alarm.event import Happened
from tests.public.alarm.test_desk import T, desk, out
from tests.public.alarm.test_messages import LINK, happened, raised

ONE, MAYBE, SOME, ANY = "{1}", "?", "+", "*"
ALERT = [
    ("identifier", ONE), ("sender", ONE), ("sent", ONE), ("status", ONE), ("msgType", ONE), ("source", MAYBE),
    ("scope", ONE), ("restriction", MAYBE), ("addresses", MAYBE), ("code", ANY), ("note", MAYBE),
    ("references", MAYBE), ("incidents", MAYBE), ("info", ANY),
]  # fmt: skip
INFO = [
    ("language", MAYBE), ("category", SOME), ("event", ONE), ("responseType", ANY), ("urgency", ONE),
    ("severity", ONE), ("certainty", ONE), ("audience", MAYBE), ("eventCode", ANY), ("effective", MAYBE),
    ("onset", MAYBE), ("expires", MAYBE), ("senderName", MAYBE), ("headline", MAYBE), ("description", MAYBE),
    ("instruction", MAYBE), ("web", MAYBE), ("contact", MAYBE), ("parameter", ANY), ("resource", ANY), ("area", ANY),
]  # fmt: skip
"""The sequences of the schema of CAP 1.2 (OASIS, 2010, 3.4), written down from the standard, whose own file is not ours
to give away."""
WORDS = {
    "status": {"Actual", "Exercise", "System", "Test", "Draft"},
    "msgType": {"Alert", "Update", "Cancel", "Ack", "Error"},
    "scope": {"Public", "Restricted", "Private"},
    "category": {"Geo", "Met", "Safety", "Security", "Rescue", "Fire", "Health", "Env", "Transport", "Infra",
                 "CBRNE", "Other"},
    "responseType": {"Shelter", "Evacuate", "Prepare", "Execute", "Avoid", "Monitor", "Assess", "AllClear", "None"},
    "urgency": {"Immediate", "Expected", "Future", "Past", "Unknown"},
    "severity": {"Extreme", "Severe", "Moderate", "Minor", "Unknown"},
    "certainty": {"Observed", "Likely", "Possible", "Unlikely", "Unknown"},
}  # fmt: skip
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[-+]\d\d:\d\d")


def children(node: Xml.Element, order: list[tuple[str, str]]) -> dict[str, str]:
    """The texts of the children, which must be of the schema's names, order and numbers."""
    names = [str(one.tag).removeprefix(f"{{{NAMESPACE}}}") for one in node]
    pattern = "".join(f"(?:{name} ){number}" for name, number in order)
    assert re.fullmatch(pattern, "".join(f"{name} " for name in names)), names
    return {name: one.text or "" for name, one in zip(names, node, strict=True)}


def valid(xml: bytes) -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
    """The texts of alert, info and area, after every rule of the schema was checked."""
    root = Xml.fromstring(xml)  # noqa: S314 (our own)
    assert root.tag == f"{{{NAMESPACE}}}alert"
    assert all(not one.attrib and (len(one) or (one.text or "").strip()) for one in root.iter())
    alert = children(root, ALERT)
    info_node = root.find(f"{{{NAMESPACE}}}info")
    assert info_node is not None
    info = children(info_node, INFO)
    area_node = info_node.find(f"{{{NAMESPACE}}}area")
    assert area_node is not None
    area = children(area_node, [("areaDesc", ONE)])
    for name, allowed in WORDS.items():
        assert (alert | info)[name] in allowed
    for name in ("sent", "onset", "expires"):
        assert TIME.fullmatch((alert | info)[name])
        datetime.fromisoformat((alert | info)[name])  # raises for a day or hour that there is not
    assert alert["sent"] < info["expires"]
    assert not re.search(r"[\s,<&]", alert["identifier"] + alert["sender"])
    assert alert["scope"] != "Restricted" or alert["restriction"]
    assert alert["status"] != "Exercise" or alert["note"]
    assert re.fullmatch(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*", info["language"])
    assert "web" not in info or re.fullmatch(r"https?://[^\s<>\"{}|\\^`]+", info["web"])
    if alert["msgType"] != "Alert":  # sender, identifier and time of what it belongs to
        sender, identifier, sent = alert["references"].split(",")
        assert sender == alert["sender"] and identifier and TIME.fullmatch(sent) and sent <= alert["sent"]
    return alert, info, area


@pytest.mark.parametrize("what", list(Happened))
@pytest.mark.parametrize("level", list(Level))
def test_every_event_is_a_valid_cap_message(what: Happened, level: Level) -> None:
    event = happened(raised(), what)
    event = replace(event, alarm=replace(event.alarm, level=level, name="Hall <A> & B"))
    alert, _, area = valid(cap_xml(event, sender="sky veil,<x>@venue.example", link=LINK))
    assert alert["sender"] == "sky-veil-x>@venue.example" and area["areaDesc"] == "Hall <A> & B"


def test_later_messages_name_the_alert_that_they_belong_to() -> None:
    event = raised()
    alert, info, _ = valid(cap_xml(event, sender="s@v"))
    assert (alert["msgType"], info["severity"], info["urgency"]) == ("Alert", "Severe", "Immediate")
    ended, ended_info, _ = valid(cap_xml(happened(event, Happened.CLEARED), sender="s@v"))
    assert ended["msgType"] == "Cancel" and ended_info["responseType"] == "AllClear"
    assert ended["references"] == f"{alert['sender']},{alert['identifier']},{alert['sent']}"
    assert ended["identifier"] != alert["identifier"]
    risen, _, _ = valid(cap_xml(happened(event, Happened.ROSE), sender="s@v"))
    assert risen["msgType"] == "Update" and risen["references"] == ended["references"]


def test_an_outage_is_a_valid_cap_message_too() -> None:
    (event,) = desk().update([], out("a", "b", group="platform"), at_s=T)
    _, info, area = valid(cap_xml(event, sender="s@v"))
    assert info["event"] == "cameras out" and area["areaDesc"] == "Platform"
    assert info["certainty"] == "Unknown" and "2 cameras without numbers: a, b" in info["description"]


def opened(*, now_s: float, **changed: object) -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
    alarm = replace(raised().alarm, **changed)  # type: ignore[arg-type]  # fields of an alarm
    return valid(open_alarm_xml(alarm, now_s=now_s, sender="s@v", link=LINK))


def test_an_open_alarm_is_an_alert_until_it_changes_and_then_an_update_that_belongs_to_it() -> None:
    alert, info, _ = opened(now_s=T + 60)
    first, _, _ = valid(cap_xml(raised(), sender="s@v"))
    assert (alert["msgType"], alert["identifier"], alert["sent"]) == ("Alert", first["identifier"], first["sent"])
    assert opened(now_s=T + 600)[0] == alert  # who asks again is told the same
    risen, info, _ = opened(now_s=T + 700, level=Level.CRITICAL, since_s=T + 610)
    assert (risen["msgType"], info["severity"]) == ("Update", "Extreme")
    taken, _, _ = opened(now_s=T + 700, acknowledged_s=T + 650, acknowledged_by="ada")
    assert taken["msgType"] == "Update" and len({one["identifier"] for one in (alert, risen, taken)}) == 3


@pytest.mark.parametrize("minutes", [1, 29, 31, 59, 61, 600])
def test_an_alarm_that_is_still_open_is_never_told_in_a_message_that_has_expired(minutes: int) -> None:
    now_s = T + 60 * minutes
    alert, info, _ = opened(now_s=now_s)
    assert datetime.fromisoformat(alert["sent"]).timestamp() <= now_s
    assert datetime.fromisoformat(info["expires"]).timestamp() > now_s + 1799


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"<status>Actual</status><msgType>Alert</msgType>", b"<msgType>Alert</msgType><status>Actual</status>"),
        (b"<status>Actual", b"<status>Real"),
        (b"<category>Safety</category>", b""),
        (b"<urgency>", b"<urgency>Expected</urgency><urgency>"),
        (b"-00:00</sent>", b"Z</sent>"),
        (b"<sent>2026-09", b"<sent>2026-19"),
        (b"<language>en", b"<language>in English"),
        (b"<headline>RED: Main hall", b"<headline>"),
        (b"<info>", b"<info kind='1'>"),
        (b"<area>", b"<area><polygon>1,1</polygon>"),
        (b"cap:1.2", b"cap:1.1"),
    ],
)
def test_what_is_no_cap_message_is_noticed(old: bytes, new: bytes) -> None:
    good = cap_xml(raised(), sender="s@v", link=LINK)
    valid(good)
    assert old in good
    with pytest.raises((AssertionError, ValueError)):
        valid(good.replace(old, new, 1))
