"""The Python interface on real files and arrays."""

from pathlib import Path

import numpy as np
import pytest

import skyveil
from skyveil.core.errors import InputRefused, OutputRefused
from skyveil.core.kinds import Kind
from skyveil.core.settings import Mask, RedactSettings
from tests.conftest import ClipMaker, Picture

INDIGO = (64, 56, 160)
"""The colour of solid covers."""


@pytest.mark.models
@pytest.mark.usefixtures("models")
def test_a_face_in_an_array_is_covered_and_the_array_stays(astronaut: Picture) -> None:
    before = astronaut.copy()
    covered = skyveil.redact_image(astronaut)
    assert covered.shape == astronaut.shape
    assert (covered[90:180, 190:265] == INDIGO).all()  # the face
    assert (covered[300:, 300:] == astronaut[300:, 300:]).mean() > 0.9  # the rest
    assert (astronaut == before).all()


@pytest.mark.models
@pytest.mark.usefixtures("models")
def test_a_mask_covers_where_nobody_is() -> None:
    mask = Mask(((0.0, 0.0), (20.0, 0.0), (20.0, 20.0), (0.0, 20.0)))
    covered = skyveil.redact_image(np.full((48, 64, 3), 90, np.uint8), settings=RedactSettings(masks=(mask,)))
    assert (covered[5:15, 5:15] == INDIGO).all()
    assert (covered[30:, 30:] == 90).all()


@pytest.mark.parametrize(
    "wrong",
    [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8)],
)
def test_an_array_of_another_kind_is_refused(wrong: Picture) -> None:
    with pytest.raises(InputRefused, match=r"\(0, 4, 3\)|\(H, W, 3\)"):
        skyveil.redact_image(wrong)


@pytest.mark.models
@pytest.mark.usefixtures("models")
def test_a_file_is_redacted_once_and_then_known(astronaut: Picture, make_clip: ClipMaker, tmp_path: Path) -> None:
    clip = make_clip([astronaut] * 5)
    done = skyveil.redact_file(clip, settings=RedactSettings(preset="ultrafast"))
    assert (done.path, done.frames, done.damaged) == (tmp_path / "clip.redacted.mp4", 5, False)
    assert done.result.is_file()
    assert skyveil.redact_file(clip, settings=RedactSettings(preset="ultrafast")) == done
    with pytest.raises(OutputRefused, match="--overwrite"):
        skyveil.redact_file(clip, settings=RedactSettings(preset="ultrafast", targets=frozenset({Kind.PERSON})))
    with pytest.raises(InputRefused, match="was made by skyveil"):
        skyveil.redact_file(done.path)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "gone.mp4", f"{tmp_path}/*.mp4"):
        with pytest.raises(InputRefused, match="is not a file"):
            skyveil.redact_file(path)


def test_another_name_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="recognise"):
        _ = skyveil.recognise
