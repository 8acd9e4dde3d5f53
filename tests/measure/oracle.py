"""PedPy (Juelich) as the oracle: what it gives for the same people, as arrays."""

import numpy as np
import pandas as pd  # type: ignore[import-untyped]  # no stubs in the project
import pedpy  # type: ignore[import-untyped]  # ships no types
from numpy.typing import NDArray

from skyveil.measure.places import Line, Zone
from tests.measure.trajectories import Trajectories


def _data(crowd: Trajectories) -> object:
    table = pd.DataFrame({"id": crowd.number, "frame": crowd.frame, "x": crowd.at_m[:, 0], "y": crowd.at_m[:, 1]})
    return pedpy.TrajectoryData(data=table, frame_rate=crowd.fps)


def _line(line: Line) -> object:
    return pedpy.MeasurementLine([line.from_m, line.to_m])


def voronoi_density(crowd: Trajectories, zone: Zone, walkable: Zone, *, cut_off_m: float) -> NDArray[np.float64]:
    """Voronoi density of the zone in every frame, persons per m2."""
    cells = pedpy.compute_individual_voronoi_polygons(
        traj_data=_data(crowd),
        walkable_area=pedpy.WalkableArea(walkable.corners_m.tolist()),
        cut_off=pedpy.Cutoff(radius=cut_off_m, quad_segments=6),
    )
    density, _ = pedpy.compute_voronoi_density(
        individual_voronoi_data=cells, measurement_area=pedpy.MeasurementArea(zone.corners_m.tolist())
    )
    return np.asarray(density.sort_values("frame")["density"], np.float64)


def classic_density(crowd: Trajectories, zone: Zone) -> NDArray[np.float64]:
    """Classic density of the zone in every frame, persons per m2."""
    density = pedpy.compute_classic_density(
        traj_data=_data(crowd), measurement_area=pedpy.MeasurementArea(zone.corners_m.tolist())
    )
    return np.asarray(density.sort_values("frame")["density"], np.float64)


def cumulated(crowd: Trajectories, line: Line) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Frames, and how many crossed up to each."""
    counts, _ = pedpy.compute_n_t(traj_data=_data(crowd), measurement_line=_line(line))
    counts = counts.reset_index()
    return np.asarray(counts["frame"], np.int64), np.asarray(counts["cumulative_pedestrians"], np.int64)


def flow(crowd: Trajectories, line: Line) -> float:
    """Flow from the first to the last crossing, 1/s; people must be there for two frames after it."""
    counts, crossings = pedpy.compute_n_t(traj_data=_data(crowd), measurement_line=_line(line))
    speed = pedpy.compute_individual_speed(
        traj_data=_data(crowd), frame_step=5, speed_calculation=pedpy.SpeedCalculation.BORDER_SINGLE_SIDED
    )
    frames = counts.reset_index()["frame"]
    first = int(frames[counts.reset_index()["cumulative_pedestrians"] > 0].min())
    rows = pedpy.compute_flow(
        nt=counts,
        crossing_frames=crossings,
        individual_speed=speed,
        delta_frame=int(frames.max()) - first - 1,
        frame_rate=crowd.fps,
    )
    return float(rows["flow"].iloc[0])
