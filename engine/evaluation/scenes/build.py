"""Makes the scenes: a held-out motion, a place, and a camera that moves; filmed by Blender.

Beside each `<name>.mp4` lies `<name>_world.npz` with the truth, metres, world Z up, T frames: `joints` (T, 24, 3),
`camera_to_world` (T, 4, 4), `intrinsics` (3, 3), `timestamps` (T,), `contacts` (T, 4), `label`.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from engine.body.model import BodyModel, load_body
from engine.body.rotations import axis_angle_to_matrix
from engine.errors import ExportError, UsageError
from engine.evaluation.benchmark import Watch
from engine.evaluation.data import Piece, held_out_clips
from engine.evaluation.scenes.cameras import KINDS
from engine.evaluation.scenes.places import PLACES, Walls
from engine.files.atomic import write_arrays
from engine.output.blender_export import child_environment, find_blender
from engine.training.corpus import CorpusClip
from engine.training.detector_study import clothing

WORLD = "_world.npz"
SIZE, FOCAL_PX = (640, 400), 520.0
FRAMES = 100
SCENES = 12
_LEAST_WAY_M = 1.0
"""Over the floor; RTE, a share of it, says nothing of who stays."""
_DISTANCE_M, _HEIGHT_M = 3.6, 1.5
_SCRIPT = Path(__file__).resolve().parents[3] / "blender_addon" / "scripts" / "render_scene.py"
_RENDER_S = 3600.0
Array = NDArray[np.float64]


def make_scenes(corpus: Path, folder: Path, seed: int, watch: Watch, count: int = SCENES) -> list[Path]:
    """Film the scenes that the folder lacks. Returns the clips.

    Args:
        corpus: file of `adapt-motion train corpus`; only held-out performers are taken.
        folder: takes the clips and their truth.
        seed: of motions, places and cameras.
        watch: called before each scene that is filmed.
        count: how many scenes; each kind of camera in turn.

    Raises:
        UsageError: no corpus.
        ExportError: no Blender, or it failed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    body = load_body(None)
    pieces = choose_motions(held_out_clips(corpus), count, seed)
    clips = []
    for number, piece in enumerate(pieces):
        kind = list(KINDS)[number % len(KINDS)]
        clip = folder / f"{number:02d}_{kind}.mp4"
        if not (clip.is_file() and truth_of(clip).is_file()):
            watch(number, len(pieces), f"{clip.stem}: {piece.label}")
            film(piece, kind, list(PLACES)[number // len(KINDS) % len(PLACES)], body, clip, (seed, number))
        clips.append(clip)
    return clips


def truth_of(clip: Path) -> Path:
    """The file with a scene's truth."""
    return clip.with_name(clip.stem + WORLD)


def choose_motions(clips: Sequence[CorpusClip], count: int, seed: int) -> list[Piece]:
    """Stretches of `FRAMES` frames of captured motion that go somewhere, of as many performers and labels as there are.

    Raises:
        UsageError: too few.
    """
    pieces = [
        Piece(clip, row.start, row.start + FRAMES, row.label, row.category)
        for clip in clips
        if not clip.synthetic
        for row in clip.labels
        if row.end - row.start >= FRAMES and _way(clip, row.start) >= _LEAST_WAY_M
    ]
    order = np.random.default_rng(seed).permutation(len(pieces))
    chosen: dict[tuple[str, str], Piece] = {}
    for place in order.tolist():
        piece = pieces[place]
        chosen.setdefault((piece.clip.performer, piece.label), piece)
    if len(chosen) < count:
        raise UsageError(f"The corpus has motions for {len(chosen)} scenes, and {count} are wanted.", "Ask for fewer.")
    return list(chosen.values())[:count]


def _way(clip: CorpusClip, start: int) -> float:
    """Metres that the pelvis goes over the floor; 0 where the clip ends before."""
    pelvis = clip.pelvis[start : start + FRAMES, :2]
    return float(np.linalg.norm(np.diff(pelvis, axis=0), axis=1).sum()) if len(pelvis) == FRAMES else 0.0


def film(piece: Piece, kind: str, place: str, body: BodyModel, clip: Path, key: tuple[int, int]) -> None:
    """Film one scene and write its truth.

    Args:
        piece: the motion.
        kind, place: of camera and place, keys of `KINDS` and `PLACES`.
        body: the open body.
        clip: file to write.
        key: seed.

    Raises:
        ExportError: no Blender, or it failed.
    """
    rng = np.random.default_rng(key)
    rows = slice(piece.start, piece.end)
    rotations = axis_angle_to_matrix(torch.from_numpy(piece.clip.poses[rows].reshape(-1, 24, 3)).float())
    betas = torch.from_numpy(piece.clip.betas).float()
    rest = body.rest_joints(betas)[0]
    pelvis = torch.from_numpy(piece.clip.pelvis[rows]).float()
    pelvis[:, :2] -= pelvis[:, :2].mean(0)
    with torch.no_grad():
        joints = body.joints(rotations, betas, pelvis - rest).double().numpy()
        vertices = body.vertices(rotations, betas, pelvis - rest).numpy()
    times = np.arange(len(joints)) / piece.clip.fps
    angle = rng.uniform(0, 2 * np.pi)
    reach = float(np.linalg.norm(joints[..., :2], axis=-1).max())
    away = (_DISTANCE_M + 0.5 * reach) * np.array([np.cos(angle), np.sin(angle), 0])
    away[2] = _HEIGHT_M
    poses = KINDS[kind](times, joints[:, 0], away, rng)
    walls = PLACES[place](rng, angle)
    intrinsics = np.array([[FOCAL_PX, 0, SIZE[0] / 2], [0, FOCAL_PX, SIZE[1] / 2], [0, 0, 1]])
    colours = _clothes(body, betas, rng)
    _render(vertices, body, colours, walls, poses, clip, piece.clip.fps)
    write_arrays(
        truth_of(clip),
        {
            "joints": joints,
            "camera_to_world": poses,
            "intrinsics": intrinsics,
            "timestamps": times,
            "contacts": piece.clip.contacts[rows],
            "label": np.array(piece.label),
        },
    )


def _clothes(body: BodyModel, betas: torch.Tensor, rng: np.random.Generator) -> Array:
    """(V, 3) colours 0..1 of the vertices: skin, shirt, trousers, shoes, hair."""
    colours = rng.uniform(0.05, 0.7, (5, 3))
    colours[0] = rng.uniform(0.35, 1.0) * np.array([0.75, 0.5, 0.38])
    found: Array = colours[clothing(body.rest(betas))]
    return found


def _render(
    vertices: NDArray[np.float32], body: BodyModel, colours: Array, walls: Walls, poses: Array, clip: Path, fps: float
) -> None:
    with tempfile.TemporaryDirectory(prefix="adapt-motion-", ignore_cleanup_errors=True) as scratch:
        scene, pictures = Path(scratch) / "scene.npz", Path(scratch) / "pictures"
        pictures.mkdir()
        write_arrays(
            scene,
            {
                "vertices": vertices,
                "faces": body.faces,
                "colours": colours.astype(np.float32),
                "corners": walls.corners.astype(np.float32),
                "pictures": walls.pictures,
                "camera_to_world": poses,
                "focal_px": np.array(FOCAL_PX),
                "size": np.array(SIZE),
            },
        )
        command = find_blender()
        outcome = subprocess.run(
            [*command, str(_SCRIPT), "--", str(scene), str(pictures)],
            env=child_environment(Path(scratch), Path(command[0])),
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_RENDER_S, check=False,
        )  # fmt: skip
        files = sorted(pictures.glob("*.jpg"))
        if outcome.returncode or len(files) != len(vertices):
            last = outcome.stderr.strip().splitlines()[-1:] or ["it says nothing"]
            raise ExportError(f"Blender could not film a scene: {last[0]}.", "Set ADAPT_MOTION_BLENDER to another one.")
        _encode(files, clip, fps)


def _encode(files: Sequence[Path], clip: Path, fps: float) -> None:
    unfinished = clip.with_name("." + clip.name)
    with av.open(str(unfinished), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1000), options={"crf": "18"})
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        for file in files:
            rgb = np.asarray(cv2.cvtColor(np.asarray(cv2.imread(str(file))), cv2.COLOR_BGR2RGB), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24")))
        container.mux(stream.encode())
    unfinished.replace(clip)
