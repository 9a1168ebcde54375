import numpy as np
import pytest

from engine.body.raster import MeshRasteriser

CAMERA = np.array([[100.0, 0, 50], [0, 100, 40], [0, 0, 1]])
SIZE = (100, 80)
# a square 1 m wide, 2 m away, seen from its outside (y is down)
SQUARE = np.array([[-0.5, -0.4, 2], [0.5, -0.4, 2], [0.5, 0.4, 2], [-0.5, 0.4, 2]], dtype=np.float32)
FRONT = np.array([[0, 2, 1], [0, 3, 2]])


def test_a_square_fills_its_pixels_at_its_depth():
    depth, brightness = MeshRasteriser(FRONT, 4).draw(SQUARE, CAMERA, SIZE)
    assert depth.shape == brightness.shape == (80, 100)
    rows, columns = np.nonzero(np.isfinite(depth))
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (20, 59, 25, 74)
    assert len(rows) == 50 * 40  # without holes along the diagonal
    assert depth[40, 50] == pytest.approx(2)
    assert 0.9 < brightness[40, 50] <= 1
    assert (brightness[~np.isfinite(depth)] == 0).all()


def test_faces_turned_away_are_not_drawn():
    depth, _ = MeshRasteriser(FRONT[:, ::-1], 4).draw(SQUARE, CAMERA, SIZE)
    assert not np.isfinite(depth).any()


@pytest.mark.parametrize("order", [1, -1])
def test_the_nearer_surface_wins_in_any_order(order):
    near = SQUARE * 0.5 * [0.5, 0.5, 1]
    points = np.concatenate((SQUARE, near)[::order])
    depth, _ = MeshRasteriser(np.concatenate((FRONT, FRONT + 4)), 8).draw(points, CAMERA, SIZE)
    assert depth[40, 50] == pytest.approx(1)
    assert depth[40, 27] == pytest.approx(2)


def test_depth_follows_a_slope_in_true_perspective():
    points = SQUARE.copy()
    points[1:3, 2] = 4
    depth, _ = MeshRasteriser(FRONT, 4).draw(points, CAMERA, SIZE)
    across = (np.arange(100) + 0.5 - 50) / 100  # x / z of each column; z = 3 + 2 x on the plane
    wanted = 3 / (1 - 2 * across)
    seen = np.isfinite(depth[40])
    assert seen.sum() > 30
    assert np.allclose(depth[40, seen], wanted[seen], rtol=1e-4)


def test_what_is_behind_or_beyond_the_edges_does_no_harm():
    rasteriser = MeshRasteriser(FRONT, 4)
    assert not np.isfinite(rasteriser.draw(SQUARE - [0, 0, 4], CAMERA, SIZE)[0]).any()
    assert not np.isfinite(rasteriser.draw(SQUARE + np.array([9, 0, 0]), CAMERA, SIZE)[0]).any()
    depth, _ = rasteriser.draw(SQUARE + np.array([0.9, 0.7, 0]), CAMERA, SIZE)
    assert np.isfinite(depth[60:, 80:]).any()
    assert not np.isfinite(depth[:40]).any()
    rasteriser.draw(SQUARE * [1, 1, 0.01], CAMERA, SIZE)
