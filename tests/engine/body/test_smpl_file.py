"""Body files: what is read from them, what is refused, and that nothing in them is ever run."""

import builtins
import io
import pickle
import sys

import numpy as np
import pytest
from smpl_pickles import (
    HOSTILE,
    RAN,
    RunsWhenOpened,
    csc_matrix,
    known_as,
    official_arrays,
    official_pickle,
    python2_pickle,
    ran,
)

from engine.body.model import load_body
from engine.body.smpl_file import read_body_file
from engine.errors import ModelFileError
from engine.protocol import ExitCode


@pytest.fixture
def write(tmp_path):
    def write(content: bytes, name: str = "basicModel_neutral.pkl"):
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write


def npz(arrays) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def assert_same(body, arrays) -> None:
    assert np.array_equal(body.v_template, arrays["v_template"])
    assert np.array_equal(body.shapedirs, arrays["shapedirs"][:, :, :10])
    assert np.array_equal(body.posedirs, arrays["posedirs"])
    assert np.array_equal(body.joint_regressor, arrays["J_regressor"])
    assert np.array_equal(body.weights, arrays["weights"])
    assert np.array_equal(body.faces, arrays["f"])
    assert body.surface_model_type == "smpl"


@pytest.mark.parametrize("shapes", [10, 300], ids=["v1.0", "v1.1"])
def test_an_npz_is_read(write, shapes):
    arrays = official_arrays(shapes)
    assert_same(read_body_file(write(npz(arrays), "SMPL_NEUTRAL.npz")), arrays)


@pytest.mark.parametrize("shapes", [10, 300], ids=["v1.0", "v1.1"])
@pytest.mark.parametrize("protocol", [0, 1, 2])
@pytest.mark.parametrize("scipy_module", ["scipy.sparse.csc", "scipy.sparse._csc"])
def test_the_official_pickle_is_read(write, shapes, protocol, scipy_module):
    arrays = official_arrays(shapes)
    content = official_pickle(arrays, protocol, scipy_module)
    assert b"chumpy" in content and b"csc_matrix" in content  # noqa: PT018  the file is what it claims to imitate
    assert_same(read_body_file(write(content)), arrays)


def test_what_python_2_wrote_is_read(write):
    arrays = official_arrays()
    assert_same(read_body_file(write(python2_pickle(arrays))), arrays)


def test_a_user_s_file_replaces_the_open_body(write):
    body = load_body(write(official_pickle(official_arrays(), 2)))
    assert body.surface_model_type == "smpl"
    assert len(body.faces) == 50


@pytest.mark.parametrize("kind", list(HOSTILE))
def test_a_hostile_pickle_is_refused_and_nothing_runs(write, kind, monkeypatch):
    for module, name in (("os", "system"), ("builtins", "exec"), ("builtins", "eval"), ("numpy", "load")):
        monkeypatch.setattr(sys.modules[module], name, ran)
    RAN.clear()
    path = write(HOSTILE[kind])
    with pytest.raises(ModelFileError) as raised:
        read_body_file(path)
    assert RAN == []
    assert not hasattr(builtins, "pickle_ran")
    assert str(path) in raised.value.message
    assert raised.value.hint
    assert raised.value.exit_code == ExitCode.MODEL_FILE


def test_the_hostile_pickle_would_run_elsewhere():
    """The test above can fail: an ordinary reader runs the very same bytes."""
    try:
        pickle.loads(HOSTILE["a function of ours"])
        assert builtins.pickle_ran == 1
    finally:
        del builtins.pickle_ran


def test_a_sparse_index_out_of_range_is_refused(write):
    arrays = official_arrays()
    sparse = csc_matrix(arrays["J_regressor"])
    sparse.indices = sparse.indices + 1000
    with known_as({csc_matrix: ("scipy.sparse.csc", "csc_matrix")}):
        content = pickle.dumps({**arrays, "J_regressor": sparse}, 2)
    with pytest.raises(ModelFileError, match="damaged"):
        read_body_file(write(content))


def test_python_objects_in_an_npz_are_refused(write):
    arrays = official_arrays() | {"J_regressor": np.array(RunsWhenOpened(ran), dtype=object)}
    RAN.clear()
    with pytest.raises(ModelFileError, match="holds Python objects"):
        read_body_file(write(npz(arrays), "SMPL_NEUTRAL.npz"))
    assert RAN == []


def _changed(name, change):
    arrays = official_arrays()
    arrays[name] = change(arrays[name])
    return arrays


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"v_template": np.zeros((3, 3))}, "it lacks shapedirs, posedirs"),
        (_changed("posedirs", lambda a: a[:, :, :9]), r"posedirs is \(30, 3, 9\), not \(30, 3, 207\)"),
        (_changed("weights", lambda a: np.zeros((30, 52))), r"weights is \(30, 52\), not \(30, 24\)"),
        (_changed("shapedirs", lambda a: a[:, :, :9]), "shapedirs is"),
        (_changed("v_template", lambda a: a * np.nan), "v_template has values that are not finite"),
        (_changed("v_template", lambda a: a.astype(str)), "v_template has type <U"),
        (_changed("f", lambda a: a + 1), "f names vertices that are not there"),
        (_changed("f", lambda a: a.astype(float)), "f has type float64, not whole numbers"),
        (
            official_arrays() | {"surface_model_type": np.array(["open-body"])},
            r"surface_model_type is \(1,\), not \(\)",
        ),
        (
            official_arrays() | {"landmark_names": np.array(["nose"]), "landmark_vertices": np.zeros((1, 0), int)},
            "landmark_vertices names vertices that are not there",
        ),
        (_changed("v_template", lambda a: a * 0), "a bone of it is 0 m long"),
        (_changed("J_regressor", lambda a: a * 0), "a bone of it is 0 m long"),
        (_changed("v_template", lambda a: a * 1000), r"a bone of it is .* m long; its joints are no person's"),
        (_changed("kintree_table", lambda a: a[:, ::-1]), "not connected as SMPL's are"),
    ],
)
def test_what_is_wrong_is_reported(write, arrays, words):
    with pytest.raises(ModelFileError, match=words):
        read_body_file(write(npz(arrays), "body.npz"))


@pytest.mark.parametrize("content", [b"", b"text", npz(official_arrays())[:3000]])
def test_a_damaged_npz_is_refused(write, content):
    with pytest.raises(ModelFileError, match=r"cannot be read as an \.npz body file"):
        read_body_file(write(content, "body.npz"))


def test_a_missing_file_is_reported(tmp_path):
    with pytest.raises(ModelFileError, match="does not exist"):
        read_body_file(tmp_path / "SMPL_NEUTRAL.npz")


def test_the_official_pickle_becomes_an_npz_of_plain_arrays(write, run_here, tmp_path):
    arrays = official_arrays()
    path = write(official_pickle(arrays, 2), "basicModel_f_lbs.pkl")
    ran = run_here("body", "import", path, tmp_path / "new" / "body.npz")
    assert ran.code == 0, ran.stderr
    assert "30 vertices, smpl, female" in ran.stdout
    found = read_body_file(tmp_path / "new" / "body.npz")
    assert_same(found, arrays)
    assert found.gender == "female", "which the name of the new file does not tell"
    ran = run_here("body", "import", write(b"text", "bad.pkl"), tmp_path / "bad.npz")
    assert ran.code == ExitCode.MODEL_FILE
    assert "was refused" in ran.stderr
    assert not (tmp_path / "bad.npz").exists()
