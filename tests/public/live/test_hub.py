"""Who looks at a camera, and what happens to those who are slow."""

import asyncio
import json

from skyveil.core.health import CameraHealth, CameraState, Cause
from skyveil.core.ids import camera_id
from skyveil.public.live.hub import WAITING, Hub, Viewer

HALL = camera_id("hall")
GOP = 10


def publish(hub: Hub, first: int, last: int) -> None:
    """Fragments `first` to `last` (excluded), of which every tenth is a key frame."""
    for number in range(first, last):
        hub.publish(HALL, f"{number} ".encode(), keyframe=number % GOP == 0)


async def waiting(viewer: Viewer) -> list[bytes | str]:
    """Everything that waits for a viewer."""
    found: list[bytes | str] = []
    try:
        while True:
            found.append(await asyncio.wait_for(viewer.next(), 0.01))
    except TimeoutError:
        return found


def numbers(found: list[bytes | str]) -> list[int]:
    return [int(one) for data in found if isinstance(data, bytes) and data != b"init" for one in data.split()]


def test_a_viewer_gets_the_init_segment_and_everything_since_the_last_key_frame_at_once() -> None:
    async def look() -> None:
        hub = Hub()
        hub.start(HALL, b"init", "video/mp4")
        publish(hub, 0, 17)
        async with hub.viewing(HALL) as viewer, hub.viewing(HALL) as other:
            found, same = await waiting(viewer), await waiting(other)
            assert isinstance(found[0], str) and json.loads(found[0])["mime"] == "video/mp4"
            assert found[1] == b"init" and len(found) == 3 and found == same
            assert found[2] is same[2]  # however many come at once, they share it
            assert numbers(found) == list(range(10, 17))
            publish(hub, 17, 19)
            assert numbers(await waiting(viewer)) == [17, 18]
        assert hub.viewers(HALL) == 0
        assert hub.picture(HALL) == b"init" + b"".join(f"{n} ".encode() for n in range(10, 19))

    asyncio.run(look())


def test_a_slow_viewer_is_dropped_to_the_next_key_frame_and_nobody_else_is() -> None:
    async def look() -> None:
        hub = Hub()
        hub.start(HALL, b"init", "video/mp4")
        async with hub.viewing(HALL) as slow, hub.viewing(HALL) as quick:
            seen: list[bytes | str] = []
            for first in range(0, 400, 5):
                publish(hub, first, first + 5)
                seen += await waiting(quick)
            assert numbers(seen) == list(range(400)) and quick.dropped == 0
            late = numbers(await waiting(slow))
            assert len(late) <= WAITING and late[0] % GOP == 0
            assert late == list(range(late[0], late[0] + len(late)))
            assert slow.dropped + len(late) == 400
            publish(hub, 400, 425)
            after = numbers(await waiting(slow))
            assert after == list(range(after[0], 425)) and (after[0] == late[-1] + 1 or after[0] % GOP == 0)

    asyncio.run(look())


def test_a_new_stream_voids_what_waited_and_begins_with_its_init_segment() -> None:
    async def look() -> None:
        hub = Hub()
        hub.start(HALL, b"init", "video/mp4")
        async with hub.viewing(HALL) as viewer:
            publish(hub, 0, 5)
            hub.start(HALL, b"init", "another")
            publish(hub, 5, 12)
            found = await waiting(viewer)
            assert found[1] == b"init" and numbers(found) == [10, 11]
        hub.remove(HALL)
        assert hub.picture(HALL) is None and hub.health(HALL) is None

    asyncio.run(look())


def test_viewers_hear_of_changes_of_health_only_and_keep_a_bounded_number() -> None:
    def health(state: CameraState, fps: float) -> CameraHealth:
        return CameraHealth(HALL, state, Cause.OK, 1.0, fps=fps)

    async def look() -> None:
        hub = Hub()
        async with hub.viewing(HALL) as viewer:
            for fps in range(5):
                hub.state(health(CameraState.LIVE, fps))
            assert len(await waiting(viewer)) == 1
            for number in range(500):
                hub.state(health((CameraState.LIVE, CameraState.STALE)[number % 2], 0))
            found = await waiting(viewer)
            assert len(found) <= WAITING
            assert isinstance(found[-1], str) and json.loads(found[-1])["health"]["state"] == "stale"

    asyncio.run(look())
