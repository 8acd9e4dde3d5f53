import os
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from skyveil.app.models import locate
from skyveil.core.errors import DetectorFailed, ModelCorrupt, ModelMissing, SettingsRefused
from skyveil.core.manifest import CENTERFACE, COMPILED, YOLOX_NANO
from skyveil.private.detect import engine_openvino
from skyveil.private.detect.engine import ANY_SHAPE
from skyveil.private.detect.engine_openvino import OpenVinoEngine
from skyveil.private.detect.network import Backend, Network, Pictures, Preprocess
from skyveil.private.detect.networks import FACES, PERSONS, USES, Use

from .tiny_networks import one_step, written

RNG_SEED = 7
AS_IT_IS = Preprocess()


def noise(height_px: int, width_px: int) -> Pictures:
    return np.random.default_rng(RNG_SEED).integers(1, 256, (height_px, width_px, 3), np.uint8)


def opened(folder: Path, operator: str = "Identity", preprocess: Preprocess = AS_IT_IS, requests: int = 1) -> Network:
    entry, path = written(folder, one_step(operator))
    return Network.open(entry, path, preprocess=preprocess, precision="f32", requests=requests)


def weights(use: Use) -> dict[str, Path]:
    path = locate(use.entry)
    assert path is not None
    return {use.entry.name: path}


# ---- what goes in ----------------------------------------------------------------------------------------------------


def test_a_picture_goes_in_as_planes_of_its_own_numbers(tmp_path: Path) -> None:
    picture = noise(4, 6)
    (planes,) = opened(tmp_path).infer(picture)
    assert planes.dtype == np.float32
    assert np.array_equal(planes, picture.transpose(2, 0, 1)[np.newaxis])


def test_channels_are_turned_for_a_network_that_wants_bgr(tmp_path: Path) -> None:
    picture = noise(4, 6)
    (planes,) = opened(tmp_path, preprocess=Preprocess("bgr")).infer(picture)
    assert np.array_equal(planes[0], picture[..., ::-1].transpose(2, 0, 1))


def test_mean_and_scale_are_in_the_order_the_network_wants(tmp_path: Path) -> None:
    picture = noise(4, 6)
    (planes,) = opened(tmp_path, preprocess=Preprocess("bgr", (10, 20, 30), (2, 4, 8))).infer(picture)
    expected = (picture[..., ::-1].astype(np.float32) - (10, 20, 30)) / np.array((2, 4, 8), np.float32)
    assert np.allclose(planes[0], expected.transpose(2, 0, 1))


def test_several_pictures_are_answered_in_their_order(tmp_path: Path) -> None:
    pictures = np.stack([noise(4, 6), noise(4, 6)[::-1]])
    (planes,) = opened(tmp_path).infer(pictures)
    assert np.array_equal(planes, pictures.transpose(0, 3, 1, 2))


def test_a_view_with_gaps_goes_in_like_its_copy(tmp_path: Path) -> None:
    picture = noise(8, 12)[::2, ::-3]
    (planes,) = opened(tmp_path).infer(picture)
    assert np.array_equal(planes[0], picture.transpose(2, 0, 1))


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((4, 6, 3), np.float32),
        np.zeros((4, 6), np.uint8),
        np.zeros((4, 6, 4), np.uint8),
        np.zeros((0, 6, 3), np.uint8),
        np.zeros((1, 1, 4, 6, 3), np.uint8),
    ],
    ids=["floats", "grey", "with alpha", "empty", "too deep"],
)
def test_what_is_no_rgb_picture_is_refused(tmp_path: Path, wrong: Pictures) -> None:
    with pytest.raises(DetectorFailed, match="expected uint8"):
        opened(tmp_path).infer(wrong)


# ---- what comes out --------------------------------------------------------------------------------------------------


def test_an_answer_stays_as_it_was_when_the_network_looks_again(tmp_path: Path) -> None:
    network = opened(tmp_path)
    (first,) = network.infer(noise(4, 6))
    kept = first.copy()
    network.infer(np.zeros((4, 6, 3), np.uint8))
    assert np.array_equal(first, kept)
    assert first.flags.owndata


def test_numbers_that_are_not_finite_are_a_failure_and_not_an_empty_picture(tmp_path: Path) -> None:
    network = opened(tmp_path, "Log")
    with pytest.raises(DetectorFailed, match="not finite"):
        network.infer(np.zeros((4, 6, 3), np.uint8))
    network.infer(noise(4, 6))


def test_looks_under_way_are_bounded_and_each_is_answered_once(tmp_path: Path) -> None:
    network = opened(tmp_path, requests=2)
    pictures = noise(4, 6), noise(4, 6)[::-1]
    looks = [network.start(picture) for picture in pictures]
    with pytest.raises(DetectorFailed, match="2 looks are under way"):
        network.start(pictures[0])
    for picture, look in zip(pictures, looks, strict=True):
        assert np.array_equal(look.wait()[0][0], picture.transpose(2, 0, 1))
    with pytest.raises(DetectorFailed, match="answered before"):
        looks[0].wait()
    network.infer(pictures[0])


class Hanging:
    """A request that never answers."""

    output_tensors = ()

    def infer(self, inputs: list[Pictures], share_inputs: bool, share_outputs: bool) -> None: ...

    def start_async(self, inputs: list[Pictures]) -> None: ...

    def wait(self) -> None:
        raise AssertionError("waiting for it would never end")

    def wait_for(self, timeout: int) -> bool:
        assert timeout == 120_000
        return False


def test_a_look_that_hangs_is_a_failure_and_its_request_is_not_used_again() -> None:
    idle: list[engine_openvino._Request] = []
    with pytest.raises(DetectorFailed, match="no answer within 120 s"):
        engine_openvino._Look("tiny", 1, Hanging(), idle).wait()
    assert idle == []


class Silent:
    """A request that fails without a word, as OpenVINO's do in the caller's thread: its output stays as it was."""

    def __init__(self) -> None:
        self.output_tensors = (Answer(),)

    def infer(self, inputs: list[Pictures], share_inputs: bool, share_outputs: bool) -> None: ...

    def start_async(self, inputs: list[Pictures]) -> None: ...

    def wait(self) -> None: ...

    def wait_for(self, timeout: int) -> bool:
        return True


class Answer:
    """An output that holds the answer to the look before."""

    def __init__(self) -> None:
        self.data = np.zeros((1, 3), np.float32)


def test_a_look_that_fails_without_a_word_is_not_answered_by_the_look_before() -> None:
    idle: list[engine_openvino._Request] = []
    with pytest.raises(DetectorFailed, match="not finite"):
        engine_openvino._LookWaitedFor("tiny", noise(4, 6)[np.newaxis], Silent(), idle).wait()
    assert len(idle) == 1


def test_a_look_alone_is_answered_once(tmp_path: Path) -> None:
    look = opened(tmp_path).start(noise(4, 6))
    look.wait()
    with pytest.raises(DetectorFailed, match="answered before"):
        look.wait()


def test_a_look_is_bound_to_no_processor(tmp_path: Path) -> None:
    """Else the looks of all processes share the first one."""
    network, picture = opened(tmp_path), noise(400, 600)
    looker = threading.Thread(target=lambda: [network.infer(picture) for _ in range(100)], name="looker")
    allowed = os.sched_getaffinity(0)
    looker.start()
    while looker.is_alive():
        with suppress(ProcessLookupError):
            assert os.sched_getaffinity(looker.native_id or 0) == allowed
    looker.join()


def test_few_compiled_shapes_are_kept(tmp_path: Path) -> None:
    entry, path = written(tmp_path, one_step("Identity"))
    engine = OpenVinoEngine(entry, path.read_bytes(), Preprocess(), None, shapes="fixed", precision="f32")
    for width_px in range(1, 11):
        engine.prepare((1, 4, width_px))
    assert list(engine._idle) == [(1, 4, width_px) for width_px in (6, 7, 8, 9, 10)]


def test_one_compiled_network_serves_any_shape(tmp_path: Path) -> None:
    entry, path = written(tmp_path, one_step("Identity"))
    network = Network.open(entry, path, preprocess=Preprocess(), shapes="any", precision="f32")
    for height_px, width_px in ((4, 6), (1, 1), (33, 7), (4, 6)):
        (planes,) = network.infer(noise(height_px, width_px))
        assert np.array_equal(planes[0], noise(height_px, width_px).transpose(2, 0, 1))


# ---- what is loaded --------------------------------------------------------------------------------------------------


def test_weights_that_are_not_there_say_how_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match="skyveil models pull centerface"):
        Network.open(CENTERFACE, tmp_path / "centerface.onnx", preprocess=Preprocess())


def test_weights_with_one_wrong_bit_do_not_load(tmp_path: Path) -> None:
    entry, path = written(tmp_path, one_step("Identity"))
    changed = bytearray(path.read_bytes())
    changed[-1] ^= 1
    path.write_bytes(changed)
    with pytest.raises(ModelCorrupt, match="has sha256"):
        Network.open(entry, path, preprocess=Preprocess())


@pytest.mark.parametrize("content", [b"", b"garbage", one_step("Identity")[:40], one_step("NoSuchStep")])
def test_weights_that_are_no_network_are_corrupt(tmp_path: Path, content: bytes) -> None:
    entry, path = written(tmp_path, content)
    network = Network.open(entry, path, preprocess=Preprocess())
    with pytest.raises(ModelCorrupt, match="tiny"):
        network.prepare(4, 6)


def test_importing_the_runtime_tells_nobody(tmp_path: Path) -> None:
    _, path = written(tmp_path, one_step("Identity"))
    script = f"""
import sys
def refuse(event, arguments):
    assert not event.startswith("socket."), event
sys.addaudithook(refuse)
from pathlib import Path
from skyveil.private.detect.engine import Preprocess
from skyveil.private.detect.engine_openvino import OpenVinoEngine
from skyveil.core.manifest import CENTERFACE
weights = Path({str(path)!r}).read_bytes()
engine = OpenVinoEngine(CENTERFACE, weights, Preprocess(), None, shapes="fixed", precision="f32")
engine.prepare((1, 4, 6))
assert not [name for name in sys.modules if "telemetry" in name or name.startswith("openvino.tools.ovc")]
assert not any(type(finder).__module__.startswith("skyveil") for finder in sys.meta_path)
"""
    home = {"HOME": str(tmp_path / "home"), "PATH": ""}
    done = subprocess.run([sys.executable, "-c", script], env=home, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "home").exists()


# ---- compiled ahead --------------------------------------------------------------------------------------------------


def compiled_beside(folder: Path) -> tuple[OpenVinoEngine, Path]:
    entry, path = written(folder, one_step("Identity"))
    engine = OpenVinoEngine(
        entry, path.read_bytes(), Preprocess(), None, shapes="fixed", precision="f32", compiled=folder
    )
    blob = folder / engine.blob_name((1, 4, 6))
    blob.write_bytes(engine.export((1, 4, 6)))
    return engine, blob


def test_a_network_compiled_ahead_answers_like_one_compiled_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, _ = compiled_beside(tmp_path)
    monkeypatch.delattr(OpenVinoEngine, "_compile")
    (planes,) = engine.start(noise(4, 6)[np.newaxis]).wait()
    assert np.array_equal(planes[0], noise(4, 6).transpose(2, 0, 1))


def test_where_any_shape_may_come_those_compiled_ahead_are_served_by_their_own_network(tmp_path: Path) -> None:
    compiled_beside(tmp_path)
    entry, path = written(tmp_path, one_step("Identity"))
    engine = OpenVinoEngine(
        entry, path.read_bytes(), Preprocess(), None, shapes="any", precision="f32", compiled=tmp_path
    )
    for height_px, width_px in ((4, 6), (5, 7), (8, 8), (4, 6)):
        (planes,) = engine.start(noise(height_px, width_px)[np.newaxis]).wait()
        assert np.array_equal(planes[0], noise(height_px, width_px).transpose(2, 0, 1))
    assert set(engine._idle) == {(1, 4, 6), ANY_SHAPE}


def test_where_any_shape_may_come_none_makes_way_for_another(tmp_path: Path) -> None:
    entry, path = written(tmp_path, one_step("Identity"))
    engine = OpenVinoEngine(
        entry, path.read_bytes(), Preprocess(), None, shapes="any", precision="f32", compiled=tmp_path
    )
    shapes = [(1, 4, width_px) for width_px in range(1, 13)]
    for shape in shapes:
        (tmp_path / engine.blob_name(shape)).write_bytes(engine.export(shape))
    for shape in [*shapes, *shapes]:
        engine.prepare(shape)
    assert set(engine._idle) == {*shapes[:10], ANY_SHAPE}


@pytest.mark.parametrize("position", [0, 40, -1], ids=["in its hash", "in its head", "in its end"])
def test_a_compiled_network_with_one_wrong_bit_does_not_load(tmp_path: Path, position: int) -> None:
    engine, blob = compiled_beside(tmp_path)
    changed = bytearray(blob.read_bytes())
    changed[position] ^= 1
    blob.write_bytes(changed)
    with pytest.raises(ModelCorrupt, match="not as it was written"):
        engine.prepare((1, 4, 6))


def test_an_unreadable_or_foreign_compiled_network_does_not_load(tmp_path: Path) -> None:
    engine, blob = compiled_beside(tmp_path)
    blob.write_bytes(engine_openvino.sealed_blob(b"of another program"))
    with pytest.raises(ModelCorrupt, match="does not load"):
        engine.prepare((1, 4, 6))
    blob.unlink()
    blob.mkdir()
    with pytest.raises(ModelCorrupt, match="can not be read"):
        engine.prepare((1, 4, 6))


def test_the_name_of_a_compiled_network_changes_with_all_it_depends_on(tmp_path: Path) -> None:
    entry, path = written(tmp_path, one_step("Identity"))
    content = path.read_bytes()
    plain = OpenVinoEngine(entry, content, Preprocess(), None, shapes="fixed", precision="f32")
    turned = OpenVinoEngine(entry, content, Preprocess("bgr"), None, shapes="fixed", precision="f32")
    fewer = OpenVinoEngine(entry, content, Preprocess(), (0,), shapes="fixed", precision="f32")
    other = OpenVinoEngine(YOLOX_NANO, content, Preprocess(), None, shapes="fixed", precision="f32")
    names = [engine.blob_name((1, 4, 6)) for engine in (plain, turned, fewer, other)]
    assert len({*names, plain.blob_name((1, 4, 8))}) == 5
    assert all(name.endswith(".blob") for name in names)


# ---- the networks of the manifest ------------------------------------------------------------------------------------


@pytest.mark.models
@pytest.mark.usefixtures("models")
@pytest.mark.parametrize(("height_px", "width_px"), [(32, 64), (384, 640), (416, 416)])
def test_the_face_network_answers_for_cells_of_four_pixels_at_any_size(height_px: int, width_px: int) -> None:
    for shapes in ("fixed", "any"):
        network = FACES.open(weights(FACES), shapes=shapes)
        heat, size, offset = network.infer(noise(height_px, width_px))
        assert heat.shape == (1, 1, height_px // 4, width_px // 4)
        assert size.shape == offset.shape == (1, 2, height_px // 4, width_px // 4)
        assert network.describe == CENTERFACE.describe


@pytest.mark.models
@pytest.mark.usefixtures("models")
def test_the_face_network_sees_the_face(astronaut: Pictures) -> None:
    for precision in ("auto", "f32"):
        heat = FACES.open(weights(FACES), precision=precision).infer(astronaut)[0][0, 0]
        row, column = np.unravel_index(int(heat.argmax()), heat.shape)
        assert heat.max() > 0.5
        assert 70 < row * 4 < 190
        assert 170 < column * 4 < 285


@pytest.mark.models
@pytest.mark.usefixtures("models")
def test_two_pictures_at_once_are_two_pictures_one_by_one(astronaut: Pictures) -> None:
    network = FACES.open(weights(FACES), precision="f32")
    both = network.infer(np.stack([astronaut, astronaut[:, ::-1]]))
    for index, picture in enumerate((astronaut, astronaut[:, ::-1])):
        for together, alone in zip(both, network.infer(picture), strict=True):
            assert np.allclose(together[index], alone[0], atol=1e-4)


@pytest.mark.models
@pytest.mark.usefixtures("models")
def test_the_person_network_refuses_what_it_would_answer_wrongly() -> None:
    network = PERSONS.open(weights(PERSONS))
    with pytest.raises(DetectorFailed, match="one by one"):  # it mixes the channels of a batch
        network.infer(np.stack([noise(64, 64), noise(64, 64)]))
    with pytest.raises(DetectorFailed, match="does not take 64x50"):
        network.infer(noise(50, 64))
    (cells,) = network.infer(noise(64, 64))
    assert cells.shape == (1, 64 + 16 + 4, 6)


@pytest.mark.models
@pytest.mark.usefixtures("models")
def test_a_size_that_does_not_fit_is_a_failure_and_the_next_look_works() -> None:
    network = PERSONS.open(weights(PERSONS), shapes="any")
    for _ in range(2):
        with pytest.raises(DetectorFailed, match="yolox_nano_coco"):
            network.infer(noise(50, 64))
    network.infer(noise(64, 64))


def test_a_network_without_a_path_says_how_to_get_it() -> None:
    with pytest.raises(ModelMissing, match="skyveil models pull yolox_nano_coco"):
        PERSONS.open({COMPILED: Path("elsewhere")})


def test_every_use_has_an_entry_of_its_own() -> None:
    assert len({use.entry.name for use in USES}) == len(USES)


# ---- the other runtime -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["onnxruntime", "tensorrt"])
def test_a_runtime_that_is_not_installed_says_which_extra_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backend: Backend
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    entry, path = written(tmp_path, one_step("Identity"))
    with pytest.raises(SettingsRefused, match=r"skyveil\[gpu\]"):
        Network.open(entry, path, preprocess=Preprocess(), backend=backend)


def test_onnx_runtime_answers_like_openvino(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    entry, path = written(tmp_path, one_step("Identity"))
    preprocess = Preprocess("bgr", (10, 20, 30), (2, 4, 8))
    other = Network.open(entry, path, preprocess=preprocess, backend="onnxruntime")
    ours = Network.open(entry, path, preprocess=preprocess, precision="f32")
    for picture in (noise(4, 6), noise(5, 3)):
        assert np.allclose(other.infer(picture)[0], ours.infer(picture)[0])
    assert other.precision == "f32"


@pytest.mark.models
@pytest.mark.usefixtures("models")
@pytest.mark.parametrize("use", USES[:3], ids=lambda use: use.entry.name)
def test_onnx_runtime_answers_like_openvino_for_every_required_network(use: Use) -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    other = use.open(weights(use), backend="onnxruntime")
    ours = use.open(weights(use), precision="f32")
    for size in ((416, 416), (64, 96)):
        for theirs, mine in zip(other.infer(noise(*size)), ours.infer(noise(*size)), strict=True):
            assert np.allclose(theirs, mine, rtol=1e-3, atol=1e-3 * float(np.abs(mine).max()))


@pytest.mark.parametrize("content", [b"", b"garbage", one_step("NoSuchStep")])
def test_onnx_runtime_calls_what_is_no_network_corrupt(tmp_path: Path, content: bytes) -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    entry, path = written(tmp_path, content)
    with pytest.raises(ModelCorrupt, match="tiny"):
        Network.open(entry, path, preprocess=Preprocess(), backend="onnxruntime")
