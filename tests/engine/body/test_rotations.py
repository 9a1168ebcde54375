import math

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from parity_fixtures import agree, arrays, needs_fixtures
from scipy.spatial.transform import Rotation

from engine.body import rotations as r

LAYOUTS = ("columns", "interleaved", "rows")
X = torch.tensor([1.0, 0.0, 0.0])


def some_axis_angles(dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """Random ones of all sizes up to a half turn, tiny ones, zero and half turns about odd axes."""
    generator = torch.Generator().manual_seed(0)
    axes = torch.nn.functional.normalize(torch.randn(400, 3, generator=generator, dtype=torch.float64), dim=-1)
    angles = torch.rand(400, 1, generator=generator, dtype=torch.float64) * math.pi
    angles[:60] = 10.0 ** -torch.linspace(1, 9, 60, dtype=torch.float64)[:, None]
    angles[60:70], angles[70] = math.pi, 0
    return (axes * angles).to(dtype)


@pytest.fixture(
    params=["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"))]
)
def device(request) -> str:
    return request.param


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_axis_angle_gives_scipys_matrices(dtype, device):
    ours = r.axis_angle_to_matrix(some_axis_angles(dtype).to(device)).cpu()
    theirs = torch.from_numpy(Rotation.from_rotvec(some_axis_angles(torch.float64).numpy()).as_matrix())
    assert ours.dtype == dtype
    assert (ours - theirs).abs().max() < (1e-6 if dtype == torch.float32 else 1e-15)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_every_result_is_a_rotation(dtype):
    given = some_axis_angles(dtype)
    matrix = r.axis_angle_to_matrix(given)
    six = torch.randn(50, 6, dtype=dtype, generator=torch.Generator().manual_seed(3))
    for made in (
        matrix,
        r.quaternion_to_matrix(r.matrix_to_quaternion(matrix)),
        *(r.six_to_matrix(six, layout) for layout in LAYOUTS),
    ):
        product = made @ made.transpose(-1, -2)
        assert (product - torch.eye(3)).abs().max() < (5e-6 if dtype == torch.float32 else 1e-14)
        assert torch.allclose(torch.linalg.det(made), torch.ones(()).to(dtype), atol=5e-6)


def test_there_and_back_again():
    given = some_axis_angles(torch.float64)
    matrix = r.axis_angle_to_matrix(given)
    quaternion = r.axis_angle_to_quaternion(given)
    assert torch.allclose(r.quaternion_to_matrix(quaternion), matrix, atol=1e-14)
    assert (r.matrix_to_quaternion(matrix)[:, 0] >= 0).all()
    back = r.matrix_to_axis_angle(matrix)
    assert (back.norm(dim=-1) <= math.pi + 1e-12).all()
    assert torch.allclose(r.axis_angle_to_matrix(back), matrix, atol=1e-12)
    turning = given.norm(dim=-1) < 3.1  # the sign of a half turn's axis is arbitrary
    assert torch.allclose(back[turning], given[turning], atol=1e-12)
    assert torch.allclose(r.quaternion_to_axis_angle(-3 * quaternion)[turning], given[turning], atol=1e-12)
    for layout in LAYOUTS:
        assert torch.allclose(r.six_to_matrix(r.matrix_to_six(matrix, layout), layout), matrix, atol=1e-12)


@pytest.mark.parametrize("angle", [0.0, 1e-20, 1e-6, 0.01, 1.0, math.pi - 1e-6, math.pi])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradients_are_finite_at_every_angle(angle, dtype):
    given = (X * angle).to(dtype).requires_grad_()
    r.axis_angle_to_matrix(given).square().sum().backward()
    assert given.grad is not None
    assert given.grad.isfinite().all()
    given.grad = None
    (r.axis_angle_to_quaternion(given) * torch.arange(4)).sum().backward()
    assert given.grad.isfinite().all()
    matrix = r.axis_angle_to_matrix(given.detach()).requires_grad_()
    (r.matrix_to_axis_angle(matrix) * torch.arange(1, 4)).sum().backward()
    assert matrix.grad is not None
    assert matrix.grad.isfinite().all()


def test_the_gradient_at_zero_is_the_true_one():
    given = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(r.axis_angle_to_matrix, given)
    jacobian = torch.autograd.functional.jacobian(lambda v: r.matrix_to_axis_angle(r.axis_angle_to_matrix(v)), given)
    assert torch.allclose(jacobian, torch.eye(3, dtype=torch.float64))
    near = torch.tensor([0.3, -1.2, 2.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda v: r.matrix_to_axis_angle(r.axis_angle_to_matrix(v)), near)


def test_six_numbers_of_no_direction_stay_finite():
    six = torch.zeros(6, requires_grad=True)
    r.six_to_matrix(six).sum().backward()
    assert six.grad is not None
    assert six.grad.isfinite().all()


def test_layouts_of_six_numbers():
    matrix = torch.arange(9.0).reshape(3, 3)
    assert r.matrix_to_six(matrix, "columns").tolist() == [0, 3, 6, 1, 4, 7]
    assert r.matrix_to_six(matrix, "interleaved").tolist() == [0, 1, 3, 4, 6, 7]
    assert r.matrix_to_six(matrix, "rows").tolist() == [0, 1, 2, 3, 4, 5]
    six = torch.randn(5, 6, generator=torch.Generator().manual_seed(1))
    assert torch.allclose(r.six_to_matrix(six, "rows"), r.six_to_matrix(six, "columns").transpose(-1, -2))
    for function in (r.six_to_matrix, r.matrix_to_six):
        with pytest.raises(ValueError, match="layout is 'diagonal'"):
            function(torch.zeros(3, 3) if function is r.matrix_to_six else six, "diagonal")


@needs_fixtures
def test_numbers_of_the_official_codes():
    official = arrays("conversions")
    matrix = r.axis_angle_to_matrix(official["axis_angle"])
    agree(matrix, official["rotmat"])
    for code, layout in (("cycleadapt", "interleaved"), ("hmr2", "columns"), ("motionclip", "rows")):
        agree(r.matrix_to_six(matrix, layout), official[f"rot6d_{code}"])
        agree(r.six_to_matrix(official["raw6d"], layout), official[f"raw6d_to_rotmat_{code}"])
    assert np.isfinite(r.matrix_to_axis_angle(matrix).numpy()).all()


numbers = st.floats(-4, 4, allow_subnormal=False)
vectors = st.tuples(numbers, numbers, numbers).map(lambda three: torch.tensor(three, dtype=torch.float64))
sixes = st.lists(numbers, min_size=6, max_size=6).map(lambda six: torch.tensor(six, dtype=torch.float64))


@given(vectors, vectors)
def test_any_axis_and_angle_gives_a_rotation_that_comes_back(one, two):
    turn, other = r.axis_angle_to_matrix(one), r.axis_angle_to_matrix(two)
    assert torch.allclose(turn @ turn.T, torch.eye(3, dtype=torch.float64), atol=1e-14)
    assert torch.allclose(turn @ one, one, atol=1e-13), "the axis stays"
    assert torch.allclose(r.axis_angle_to_matrix(-one), turn.T, atol=1e-14), "the other way round is the inverse"
    assert torch.allclose(r.axis_angle_to_matrix(r.matrix_to_axis_angle(turn)), turn, atol=1e-12)
    assert torch.allclose(r.quaternion_to_matrix(r.axis_angle_to_quaternion(one)), turn, atol=1e-13)
    short = r.matrix_to_axis_angle(turn @ other).norm()
    assert short <= min(r.matrix_to_axis_angle(turn).norm() + r.matrix_to_axis_angle(other).norm(), math.pi) + 1e-9
    assert 2 * math.cos(short) + 1 == pytest.approx(float((turn @ other).trace()), abs=1e-9)


@given(sixes, st.sampled_from(LAYOUTS))
def test_any_six_numbers_of_two_directions_give_a_rotation(six, layout):
    first, second = (six[::2], six[1::2]) if layout == "interleaved" else (six[:3], six[3:])
    assume(torch.linalg.cross(first, second).norm() > 1e-3)
    turn = r.six_to_matrix(six, layout)
    assert torch.allclose(turn @ turn.T, torch.eye(3, dtype=torch.float64), atol=1e-11)
    assert torch.linalg.det(turn) == pytest.approx(1)
    made = turn.T if layout == "rows" else turn
    assert made[:, 0] @ first == pytest.approx(float(first.norm())), "the first direction is kept"
    assert made[:, 1] @ second > 0, "the second as far as it can be"
    assert abs(made[:, 2] @ second) < 1e-11
    assert torch.allclose(r.six_to_matrix(r.matrix_to_six(turn, layout), layout), turn, atol=1e-12)
