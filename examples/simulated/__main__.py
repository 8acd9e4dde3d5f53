"""Film a simulated place, or recorded trajectories, as a camera would.

    python -m examples.simulated station out/station.mp4 --seconds 60 --height 5 --tilt 35
    python -m examples.simulated recorded.txt out/recorded.mp4 --rate 16

Beside the video stand the truth: NAME.truth.txt (id, frame, x, y, z in metres) and NAME.camera.json. The same
arguments give the same film.
"""

import argparse
from pathlib import Path

from examples.simulated.film import Film, write_camera, write_video
from examples.simulated.pinhole import Pinhole
from examples.simulated.places import Segment, all_places
from examples.simulated.trajectories import read, write
from examples.simulated.walk import walked


def main() -> None:
    """Write the film and its truth."""
    places = {place.name: place for place in all_places()}
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("source", help=f"a place ({', '.join(places)}) or a file of trajectories")
    parser.add_argument("video", type=Path)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--rate", type=float, default=10.0, help="pictures a second")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--height", type=float, default=5.0, help="of the camera, metres")
    parser.add_argument("--tilt", type=float, default=35.0, help="below the horizon, degrees")
    parser.add_argument("--focal", type=float, default=700.0, help="pixels")
    arguments = parser.parse_args()
    walls: tuple[Segment, ...] = ()
    if arguments.source in places:
        place = places[arguments.source]
        walls = place.walls
        crowd = walked(place, seconds=arguments.seconds, rate_fps=arguments.rate, seed=arguments.seed)
    else:
        crowd = read(Path(arguments.source), rate_fps=arguments.rate)
    middle = (crowd.xy.min(axis=0) + crowd.xy.max(axis=0)) / 2
    at_m = (float(middle[0]), float(crowd.xy[:, 1].min()) - 2.0)
    camera = Pinhole(at_m, arguments.height, arguments.tilt, focal_px=arguments.focal)
    arguments.video.parent.mkdir(parents=True, exist_ok=True)
    write_video(crowd, Film(camera, walls), arguments.video)
    write(crowd, arguments.video.with_suffix(".truth.txt"))
    write_camera(camera, arguments.video.with_suffix(".camera.json"))


if __name__ == "__main__":
    main()
