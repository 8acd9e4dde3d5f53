from dataclasses import replace

import pytest

from skyveil.core.camera import CameraSpec
from skyveil.core.errors import SettingsRefused
from skyveil.core.health import SENTENCES, Cause
from skyveil.core.ids import camera_id
from skyveil.core.secret import SafeUrl, Secret

SPEC = CameraSpec(camera_id("hall"), SafeUrl("rtsp://h/a"), "u", Secret("hunter2"))


def test_a_camera_never_prints_its_password() -> None:
    assert "hunter2" not in f"{SPEC} {SPEC!r}"


@pytest.mark.parametrize("text", ["", "A", "-a", "a/b", "..", "a" * 64, "a_b", "hall\n"])
def test_an_id_that_is_no_plain_name_is_refused(text: str) -> None:
    with pytest.raises(SettingsRefused):
        camera_id(text)


def test_values_outside_their_range_are_refused() -> None:
    with pytest.raises(SettingsRefused, match="rtsp"):
        replace(SPEC, source=SafeUrl("ftp://h/a"))
    with pytest.raises(SettingsRefused, match="without encryption"):
        replace(SPEC, source=SafeUrl("rtsps://h/a"), transport="udp")
    for hindsight in (-1, 26):
        with pytest.raises(SettingsRefused, match="hindsight"):
            replace(SPEC, hindsight=hindsight)
    with pytest.raises(SettingsRefused, match="max_fps"):
        replace(SPEC, max_fps=0.0)
    with pytest.raises(SettingsRefused, match="key_every_s"):
        replace(SPEC, key_every_s=11.0)


def test_every_cause_has_a_sentence() -> None:
    assert set(SENTENCES) == set(Cause)
