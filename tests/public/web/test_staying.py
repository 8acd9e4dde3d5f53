"""Pages that stay open while things change under them, in a real browser."""

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from skyveil.core.ids import CameraId, PlaceId, camera_id
from skyveil.measure.level import Level, LevelState, ZoneKind
from skyveil.public.aggregate import Aggregate
from skyveil.public.alarm.event import Happened, Occasion
from skyveil.public.store.alarm_log import LoggedEvent
from skyveil.public.store.roles import Role
from skyveil.public.web.site import PlaceView
from tests.public.archive.test_archive import START_S
from tests.public.store.made import COUNT, EXACT, numbers, place
from tests.public.web.sites import HALL, StillCrowd
from tests.public.web.test_console import CHROMIUM, Shown, browsing
from tests.public.web.test_replay import Alarmed

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
FOCUSED = "() => document.activeElement.textContent"
LONG_AGO = START_S - 40 * 86400


class Changing(StillCrowd):
    """A zone at each camera, with as many people as it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.persons = 41
        self.full = camera_id("hall")

    def places(self, camera: CameraId) -> Sequence[PlaceView]:
        name = f"Zone of {camera}"
        return [PlaceView(HALL, name, line=False, staff=True, public=False, use=ZoneKind.WALKWAY, thresholds=(1, 2))]

    def levels(self, camera: CameraId) -> Mapping[PlaceId, LevelState]:
        level = Level.RED if camera == self.full else Level.GREEN
        return {HALL: LevelState(level, level, 5.0, ())}

    def newest(self, camera: CameraId) -> Sequence[Aggregate]:
        return numbers(EXACT, place(HALL, {COUNT: self.persons}), camera=camera)


def test_a_camera_that_leaves_takes_exact_numbers_from_no_other_one_and_comes_back_with_its_own(tmp_path: Path) -> None:
    shown = Shown(tmp_path, 2, Changing())
    both = "[...document.querySelectorAll('#places li')].map(one => one.innerText)"
    try:
        with browsing(shown, Role.OPERATOR, awaited="404") as page:
            page.clock.install()
            page.goto(f"{shown.address}/crowd")
            page.wait_for_function(f"() => {both}.filter(one => one.includes('41 persons')).length === 2")
            views, shown.site.views = shown.site.views, shown.site.views[:1]
            page.wait_for_function(f"() => {both}.some(one => !one.includes('41 persons'))")
            page.wait_for_function(f"() => {both}.some(one => one.includes('41 persons'))")
            assert page.locator("#look-back").is_visible()
            page.clock.fast_forward(31_000)
            page.wait_for_function(f"() => {both}.length === 1 && {both}[0].includes('41 persons')")
            shown.site.views = views
            for _ in range(2):
                page.clock.fast_forward(31_000)
            page.wait_for_function(f"() => {both}.filter(one => one.includes('41 persons')).length === 2")
            assert page.locator("#camera option").count() == 2
    finally:
        shown.close()


def test_lists_that_change_every_second_keep_the_place_of_the_keyboard(tmp_path: Path) -> None:
    crowd = Changing()
    shown = Shown(tmp_path, 2, crowd)
    try:
        with browsing(shown, Role.OPERATOR) as page:
            page.goto(f"{shown.address}/crowd")
            button = page.locator("#places button", has_text="camera-02")
            button.focus()
            button.evaluate("e => { e.same = true; }")
            crowd.persons = 57
            page.wait_for_function("() => document.querySelector('#places').innerText.includes('57 persons')")
            assert page.evaluate(FOCUSED) == "Zone of camera-02"
            # It becomes the most urgent one, and goes to the top: the keyboard's place goes with it.
            crowd.full = camera_id("camera-02")
            page.wait_for_function("() => document.querySelector('#places button').textContent.includes('camera-02')")
            assert page.evaluate(FOCUSED) == "Zone of camera-02"
            page.keyboard.press("Enter")
            page.wait_for_function("() => document.querySelector('#camera').value === 'camera-02'")
            assert page.evaluate("() => document.activeElement.same && document.activeElement.ariaPressed") == "true"

            page.goto(f"{shown.address}/health")
            page.locator("#cameras a", has_text="Camera-02").focus()
            shown.site.fps = 12.5
            page.wait_for_function("() => document.querySelector('#cameras').innerText.includes('12.5')")
            assert page.evaluate(FOCUSED) == "Camera-02"

            page.goto(f"{shown.address}/map")
            page.locator("#unplaced a", has_text="Camera-02").focus()
            shown.site.views = [replace(one, place="Cellar") for one in shown.site.views]
            page.wait_for_function("() => document.querySelector('#unplaced').innerText.includes('Cellar')")
            assert page.evaluate(FOCUSED) == "Camera-02"
    finally:
        shown.close()


def test_the_alarm_desk_says_how_old_an_alarm_is_now_and_leaves_its_buttons_where_they_are(tmp_path: Path) -> None:
    at_s = time.time() - 15
    shown = Shown(tmp_path, 1, Alarmed(at_s))
    age = "document.querySelector('#open .soft').textContent"
    try:
        with browsing(shown, Role.OPERATOR) as page:
            page.goto(f"{shown.address}/alarms")
            page.locator("#open button").focus()
            told = page.evaluate(age)
            page.wait_for_function(f"t => {age} !== t", arg=told)
            assert page.evaluate(FOCUSED) == page.locator("#open button").inner_text()
            # A screen reader is told of the alarm, and not of each second.
            assert page.locator("#open .soft").first.get_attribute("aria-live") == "off"
            page.locator("#log a").nth(2).focus()
            for _ in range(2):
                page.wait_for_event("response", lambda one: "alarms/log" in one.url)
            page.wait_for_function("() => document.activeElement.matches('#log tr:nth-child(3) a')")
    finally:
        shown.close()


def test_a_role_is_given_when_it_is_saved_and_not_while_it_is_chosen(tmp_path: Path) -> None:
    shown = Shown(tmp_path, 1)

    def role() -> Role:
        return next(one.role for one in shown.accounts.users() if one.name == "viewer")

    try:
        with browsing(shown, Role.ADMIN) as page:
            page.goto(f"{shown.address}/users")
            row = page.locator("#users tr", has=page.locator("td", has_text="viewer").first).last
            select, save = row.locator("select"), row.locator("button.primary")
            select.focus()
            assert save.is_hidden()
            page.keyboard.press("ArrowDown")
            page.wait_for_function("() => document.activeElement.value === 'operator'")
            assert role() is Role.VIEWER
            page.keyboard.press("ArrowUp")
            save.wait_for(state="hidden")
            page.keyboard.press("ArrowDown")
            save.click()
            page.locator("#notices p").wait_for()
            assert role() is Role.OPERATOR
    finally:
        shown.close()


def test_the_page_of_a_camera_offers_what_the_reader_may(tmp_path: Path) -> None:
    shown = Shown(tmp_path, 1)
    seen: dict[Role, tuple[bool, bool, bool]] = {}
    try:
        for one in Role:
            with browsing(shown, one) as page:
                page.goto(f"{shown.address}/cameras/hall")
                page.wait_for_function("() => document.getElementById('video').currentTime > 0.2")
                page.wait_for_load_state("networkidle")
                found = [page.locator(what).count() for what in ("a[href$='/recordings']", "#mask-list", "#mask-add")]
                seen[one] = (found[0] == 1, found[1] == 1, found[2] == 1)
    finally:
        shown.close()
    assert seen == {
        Role.VIEWER: (False, False, False),
        Role.OPERATOR: (True, True, False),
        Role.PRIVACY_OFFICER: (True, True, True),
        Role.ADMIN: (True, True, True),
    }


def test_what_is_missing_in_a_recording_is_told_once_and_who_is_logged_out_logs_in(tmp_path: Path) -> None:
    shown = Shown(tmp_path, 1)
    try:
        with browsing(shown, Role.OPERATOR, awaited="404|401|422") as page:
            page.goto(f"{shown.address}/cameras/hall/recordings")
            page.locator("#strip .segment").first.wait_for(state="attached")
            # An export that fails is not being made any more.
            for name, value in (("from", "2026-09-21T14:13:30"), ("to", "2026-09-21T14:13:25")):
                page.fill(f"#export [name={name}]", value)
            page.fill("#export [name=reason]", "a report")
            page.click("#export button")
            page.locator("#notices .bad", has_text="ends after it begins").wait_for()
            page.wait_for_function("() => document.getElementById('export-status').textContent === ''")

            for path in sorted(tmp_path.rglob("*.seg"))[2:5]:
                path.unlink()
            page.click("#play")
            page.wait_for_function("() => document.getElementById('video').currentTime > 4.5")
            said = page.locator("#notices p", has_text="the recording is there no more")
            said.wait_for()
            assert said.count() == 1 and "2:13:24 PM to 2:13:30 PM" in said.inner_text().replace("\u202f", " ")
            shown.accounts.change("operator", role=Role.OPERATOR)  # which ends its sessions
            page.click("#play")
            page.wait_for_url("**/login?next=*")
    finally:
        shown.close()


class Busy(Alarmed):
    """A shift in which more happened than is told at once."""

    def alarm_log(
        self,
        of: Collection[str],
        *,
        groups: Collection[str],
        alarm: str,
        from_s: float | None,
        before: int | None,
        limit: int,
    ) -> Sequence[LoggedEvent]:
        newest = 1203 if before is None else before - 1
        hall, red = camera_id("hall"), Level.RED
        return [
            LoggedEvent(n, self.at_s + n, "alarm-1", Happened.RAISED, hall, HALL, red, ("Hall",), "", drill=False)
            for n in range(newest, max(0, newest - limit), -1)
        ]


def test_a_report_of_days_ago_has_the_numbers_for_staff_and_every_entry_of_the_log(tmp_path: Path) -> None:
    shown = Shown(tmp_path, 1, Busy(LONG_AGO + 3600))
    try:
        with browsing(shown, Role.OPERATOR) as page:
            page.goto(f"{shown.address}/report")
            page.wait_for_function("() => document.querySelectorAll('#log tbody tr').length === 1203")
            assert "Exact numbers" in page.locator("#whose").inner_text()
            for name, at_s in (("from", LONG_AGO), ("to", LONG_AGO + 7200)):
                page.fill(f"#{name}", time.strftime("%Y-%m-%dT%H:%M", time.gmtime(at_s)))
            page.click("#span button[type=submit]")
            page.wait_for_function("() => document.querySelector('#lines tbody td:last-child').textContent === '2 h'")
            assert "numbers for staff" in page.locator("#whose").inner_text()
            zone = page.locator("#zones tbody tr").first.locator("td").all_inner_texts()
            assert zone[0] == "Hall: Hall" and zone[1].startswith("5.1") and zone[6] == "\u2013", zone
            line = page.locator("#lines tbody tr").first.locator("td").all_inner_texts()
            assert len(line) == 4 and line[3] == "2 h", line
    finally:
        shown.close()


def test_an_alarm_that_is_over_is_gone_from_the_desk(tmp_path: Path) -> None:
    crowd = Alarmed(time.time() - 15)
    crowd.open.append(Occasion("alarm-2", camera_id("hall"), HALL, "Gate", Level.ORANGE, 2, 5.0, (), (), 4.0))
    shown = Shown(tmp_path, 1, crowd)
    try:
        with browsing(shown, Role.OPERATOR) as page:
            page.goto(f"{shown.address}/alarms")
            page.wait_for_function("() => document.querySelectorAll('#open li').length === 2")
            crowd.open = crowd.open[1:]
            page.wait_for_function("() => document.querySelectorAll('#open li').length === 1")
            assert "Gate" in page.locator("#open li").inner_text()
    finally:
        shown.close()
