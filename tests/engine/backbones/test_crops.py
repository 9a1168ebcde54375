"""Crops and their cameras: the official numbers, and that both ways to the full frame meet."""

import numpy as np
import pytest
import torch
from parity_fixtures import agree, arrays, needs_fixtures

from engine.backbones.crops import (
    HMR2_CROPS,
    HMR_CROPS,
    MEAN,
    crop_camera,
    crop_intrinsics,
    crop_translation,
    cut,
    frame_to_crop,
    full_frame_translation,
    project_to_crop,
    square_boxes,
)
from engine.camera.pinhole import project

HALF_PIXEL = 0.5  # OpenCV, and so the official code, counts from pixel centres


def corners(boxes):
    """x, y, width, height to left, top, right, bottom."""
    return np.column_stack((boxes[:, :2], boxes[:, :2] + boxes[:, 2:]))


@pytest.fixture
def official():
    return arrays("conversions")


@needs_fixtures
def test_squares_are_the_official_ones(official):
    boxes = corners(official["box_xywh"].numpy())
    squares = torch.from_numpy(square_boxes(boxes, HMR_CROPS))
    agree(torch.cat((squares, squares[:, 2:]), 1), official["cycleadapt_square_box_xywh"], 1e-4)
    squares = torch.from_numpy(square_boxes(boxes, HMR2_CROPS))
    agree(squares[:, 2], official["hmr2_box_size"], 1e-4)
    agree(squares[:, :2] + squares[:, 2:] / 2, official["hmr2_box_center"], 1e-4)


@needs_fixtures
def test_crop_cameras_are_the_official_ones(official):
    camera, points = official["camera_s_tx_ty"], official["points"]
    translation = crop_translation(camera, HMR_CROPS)
    agree(translation, official["cycleadapt_trans"])
    agree(crop_camera(translation, HMR_CROPS), camera)
    agree(project_to_crop(points, translation, HMR_CROPS, 1e-4), official["cycleadapt_points_crop_px"], 1e-4)
    translation = crop_translation(camera, HMR2_CROPS)
    agree(translation, official["hmr2_trans_crop"])
    normalised = project_to_crop(points, translation, HMR2_CROPS) / HMR2_CROPS.size - 0.5
    agree(normalised, official["hmr2_points_crop_normalised"], 1e-6)


@needs_fixtures
def test_cycleadapts_cameras_of_each_box_are_the_official_ones(official):
    squares = torch.from_numpy(square_boxes(corners(official["box_xywh"].numpy()), HMR_CROPS))
    cameras = crop_intrinsics(squares, HMR_CROPS)
    agree(cameras.diagonal(dim1=1, dim2=2)[:, :2], official["cycleadapt_focal_full"], 1e-3)
    agree(cameras[:, :2, 2], official["cycleadapt_princpt_full"], 1e-3)
    affine = official["cycleadapt_affine_image_to_crop"]
    points = torch.rand(4, 6, 2, generator=torch.Generator().manual_seed(7)) * 700
    moved = torch.einsum("nij,npj->npi", affine[:, :, :2], points) + affine[:, None, :, 2]
    agree(frame_to_crop(points, squares, HMR_CROPS), moved, 1e-3)


@needs_fixtures
def test_the_camera_shared_by_all_boxes_is_the_official_one(official):
    width, height = official["hmr2_image_wh"].tolist()
    focal = float(official["hmr2_scaled_focal"])
    squares = torch.from_numpy(square_boxes(corners(official["box_xywh"].numpy()), HMR2_CROPS))
    intrinsics = torch.tensor([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]])
    translation = full_frame_translation(official["camera_s_tx_ty"], squares, intrinsics)
    agree(translation, official["hmr2_trans_full"])
    pixels = project(official["points"] + translation[:, None], intrinsics)
    agree(pixels, official["hmr2_points_full_px"], 1e-3)


@needs_fixtures
def test_crops_are_the_official_ones(official):
    picture, boxes = official["picture_uint8_rgb"].numpy(), official["picture_boxes_xywh"].numpy()

    def crops(scale, style):
        large = picture.repeat(scale, 0).repeat(scale, 1)
        squares = square_boxes(corners(boxes * scale) + HALF_PIXEL, style)
        return squares[:, 2], np.stack([cut(large, square, style) for square in squares])[:, :, ::8, ::8]

    def compare(ours, name, worst, mean):
        difference = np.abs(ours - official[name].numpy())
        assert difference.max() < worst
        assert difference.mean() < mean

    compare(crops(1, HMR_CROPS)[1], "cycleadapt_crop_stride8", 0.055, 0.004)
    sides, small = crops(1, HMR2_CROPS)
    agree(torch.from_numpy(sides), official["hmr2_box_size_small"])
    compare(small, "hmr2_crop_small_stride8", 0.055, 0.004)
    sides, big = crops(6, HMR2_CROPS)
    agree(torch.from_numpy(sides), official["hmr2_box_size_big"])
    compare(big, "hmr2_crop_big_stride8", 0.02, 0.001)
    assert np.abs(big[0] - official["hmr2_crop_big_stride8"][0].numpy()).max() < 1e-5, "the one that is smoothed first"


@pytest.mark.parametrize("style", [HMR_CROPS, HMR2_CROPS])
def test_a_mark_in_the_picture_is_where_the_geometry_says(style):
    picture = np.zeros((400, 600, 3), np.uint8)
    picture[247:250, 317:320] = 255  # its middle is at 318.5, 248.5
    square = square_boxes(np.array([[200.0, 100.0, 420.0, 390.0]]), style)
    brightness = cut(picture, square[0], style)[0].astype(np.float64)
    brightness -= brightness.min()
    rows, columns = np.indices(brightness.shape)
    found = np.array([(columns * brightness).sum(), (rows * brightness).sum()]) / brightness.sum()
    expected = frame_to_crop(torch.tensor([[318.5, 248.5]]), torch.from_numpy(square), style)[0].numpy()
    np.testing.assert_allclose(found, expected, atol=0.05)


def test_what_lies_beyond_the_picture_is_black():
    white = np.full((100, 100, 3), 255, np.uint8)
    black = [-mean / deviation for mean, deviation in zip(MEAN, (0.229, 0.224, 0.225), strict=True)]
    outside = cut(white, np.array([500.0, 500.0, 50.0]), HMR_CROPS)
    np.testing.assert_allclose(outside[:, 0, 0], black, rtol=1e-6)
    assert np.ptp(outside.reshape(3, -1), axis=1).max() == 0
    half = cut(white, np.array([-50.0, 0.0, 100.0]), HMR2_CROPS)
    assert half[0, :, :100].max() < -2
    assert half[0, 2:-2, 160:].min() > 2


def test_a_part_of_the_frame_gives_the_same_crop_as_the_whole():
    picture = np.random.default_rng(8).integers(0, 256, (900, 1400, 3), np.uint8)
    square = np.array([300.0, 40.0, 800.0])
    padded = np.pad(picture, ((0, 300), (0, 300), (0, 0)))
    np.testing.assert_allclose(cut(picture, square, HMR2_CROPS), cut(padded, square, HMR2_CROPS), atol=1e-6)


def test_both_ways_to_the_full_frame_agree_at_the_pelvis():
    squares = torch.tensor([[100.0, 50.0, 300.0], [900.0, 200.0, 150.0]])
    camera = torch.tensor([[0.8, 0.1, -0.05], [1.1, -0.2, 0.1]])
    shared = torch.tensor([[1400.0, 0, 640.0], [0, 1400.0, 360.0], [0, 0, 1]])
    origin = torch.zeros(2, 1, 3)
    in_shared = project(origin + full_frame_translation(camera, squares, shared)[:, None], shared)[:, 0]
    own = crop_intrinsics(squares, HMR_CROPS)
    translation = crop_translation(camera, HMR_CROPS)
    in_own = torch.stack([project(t, k) for t, k in zip(translation, own, strict=True)])
    in_crop = project_to_crop(origin, translation, HMR_CROPS)
    torch.testing.assert_close(in_own, in_shared, atol=1e-2, rtol=0)
    torch.testing.assert_close(frame_to_crop(in_own[:, None], squares, HMR_CROPS), in_crop, atol=1e-2, rtol=0)
