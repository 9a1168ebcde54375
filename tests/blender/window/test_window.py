"""A real Blender in a real window under Xvfb, with the built zip installed and a mouse that really clicks.

The screenshots stay in the folder that ADAPT_MOTION_SCREENSHOTS names, if it is set.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parents[1]
REPOSITORY = HERE.parents[1]
DEMO = REPOSITORY / "presets" / "demo" / "demo.mp4"
BLENDER = shutil.which("blender")
MISSING = [name for name in ("blender", "Xvfb", "xdotool") if not shutil.which(name)]
SIZE = (1280, 800)
BUTTON_GREY = 0x54
"""Of a button in Blender's factory theme; `Adapt Motion` is the tallest of them."""

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")

INSTALL = """
import bpy, sys
zip_path, python = sys.argv[sys.argv.index("--") + 1:]
bpy.ops.preferences.addon_install(filepath=zip_path)
bpy.ops.preferences.addon_enable(module="adapt_motion")
bpy.context.preferences.addons["adapt_motion"].preferences.engine_python = python
bpy.context.preferences.view.show_splash = False
bpy.context.preferences.use_preferences_save = False
bpy.ops.wm.save_userpref()
"""

OPEN_TAB = """
import adapt_motion.blender_addon as addon
from adapt_motion.blender_addon.character import chosen
from adapt_motion.blender_addon.run import running
for item in list(bpy.data.objects):
    bpy.data.objects.remove(item)
for panel in bpy.types.Panel.__subclasses__():  # only our tab is left, so it is the open one
    place = (getattr(panel, "bl_space_type", ""), getattr(panel, "bl_region_type", ""))
    if place == ("VIEW_3D", "UI") and getattr(panel, "bl_category", "") != "Adapt Motion" and panel.is_registered:
        bpy.utils.unregister_class(panel)
area = next(area for area in bpy.context.window_manager.windows[0].screen.areas if area.type == "VIEW_3D")
area.spaces.active.show_region_ui = True
settings = bpy.context.scene.adapt_motion
settings.footage, settings.output_folder, settings.preset = FOOTAGE, OUT, "fast"
"""

REGION = """
region = next(region for region in area.regions if region.type == "UI")
top = bpy.context.window_manager.windows[0].height - region.y - region.height
answer = [region.x, top, region.width, region.height]
"""

STATE = """
state = running.latest()
names = ("stage", "step", "done", "total", "finished", "failed", "cancelled", "message", "hint", "seconds")
answer = state and {name: getattr(state, name) for name in names}
if state and hasattr(state.source, "pid"):
    answer["pid"] = state.source.pid
"""


def wait_for(condition, seconds: float, what: str):
    """Look ten times a second; gives back what `condition` gave."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if found := condition():
            return found
        time.sleep(0.1)
    raise AssertionError(f"{what} did not come in {seconds:.0f} s")


def alive(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class Window:
    """A Blender in a window, queried and clicked from outside."""

    def __init__(self, display: str, folder: Path, environment: dict[str, str], *words: str, size=SIZE) -> None:
        self.folder = folder / "questions"
        self.folder.mkdir()
        self.environment = {**environment, "DISPLAY": display}
        self.log = (folder / "blender.log").open("w")
        words = ("--window-geometry", "0", "0", *map(str, size), "-noaudio", *words)
        command = [BLENDER, *words, "-P", str(HERE / "window_driver.py"), "--", str(self.folder)]
        self.process = subprocess.Popen(command, env=self.environment, stdout=self.log, stderr=subprocess.STDOUT)
        self.questions = 0

    def ask(self, code: str, seconds: float = 60):
        """Run code in Blender; gives back what it put into `answer`."""
        self.questions += 1
        question = self.folder / f"{self.questions:04}.ask"
        question.with_suffix(".new").write_text(code, encoding="utf-8")
        question.with_suffix(".new").replace(question)
        reply = question.with_suffix(".answer")
        wait_for(lambda: reply.exists() or self.process.poll() is not None, seconds, "the answer")
        assert reply.exists(), "Blender is gone"
        reply = json.loads(reply.read_text(encoding="utf-8"))
        assert "error" not in reply, reply["error"]
        return reply["answer"]

    def screenshot(self, path: Path):
        """(H, W, 3) the whole window, also kept at `path`."""
        import cv2

        self.ask("for one in bpy.context.window_manager.windows[0].screen.areas: one.tag_redraw()")
        time.sleep(0.7)
        self.ask(f"bpy.ops.screen.screenshot(filepath={str(path)!r})")
        return cv2.imread(str(path))

    def click(self, x: float, y: float) -> None:
        """Move the mouse there in steps, as a hand does, and press the left button."""
        for part in (0.8, 0.95, 1.0):
            self.xdotool("mousemove", str(round(x * part)), str(round(y * part)))
            time.sleep(0.15)
        self.xdotool("click", "1")

    def xdotool(self, *words: str) -> None:
        subprocess.run(["xdotool", *words], env=self.environment, check=True)

    def state(self) -> dict | None:
        """What the add-on knows of its run."""
        return self.ask(STATE)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.log.close()


@pytest.fixture(scope="module")
def display():
    """A screen of our own."""
    yield from a_screen(SIZE)


def a_screen(size: tuple[int, int]):
    """The name of a new screen, which ends after it."""
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", "1", "-screen", "0", f"{size[0]}x{size[1]}x24", "-nolisten", "tcp"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    yield f":{server.stdout.readline().strip()}"
    server.terminate()
    server.wait()


@pytest.fixture(scope="module")
def installed(tmp_path_factory, engine_python):
    """The built zip, installed by Blender itself; gives back the environment that Blender runs in."""
    folder = tmp_path_factory.mktemp("blender user é")
    subprocess.run([sys.executable, str(REPOSITORY / "build_addon.py"), "--out", str(folder)], check=True)
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    environment.update(BLENDER_USER_RESOURCES=str(folder / "user"), LIBGL_ALWAYS_SOFTWARE="1", OMP_NUM_THREADS="2")
    # Debian's Blender takes the first Python on the path for its own
    environment["PATH"] = os.pathsep.join((str(Path(BLENDER).parent), environment["PATH"]))
    words = ["-b", "--factory-startup", "--python-exit-code", "1", "--python-expr", INSTALL, "--"]
    reply = subprocess.run(
        [BLENDER, *words, str(next(folder.glob("*.zip"))), engine_python],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert reply.returncode == 0, reply.stdout + reply.stderr
    return environment


@pytest.fixture(scope="module")
def short_clip(tmp_path_factory) -> Path:
    """The first 24 frames of the demo clip, scaled down: a real person, quickly done."""
    import av

    path = tmp_path_factory.mktemp("footage") / "short clip.mp4"
    with av.open(str(DEMO)) as source, av.open(str(path), "w") as target:
        stream = target.add_stream("libx264", rate=source.streams.video[0].average_rate)
        stream.width, stream.height, stream.pix_fmt = 544, 960, "yuv420p"
        for number, frame in enumerate(source.decode(video=0)):
            if number == 24:
                break
            picture = frame.reformat(544, 960, "yuv420p")
            picture.pict_type = 0
            target.mux(stream.encode(picture))
        target.mux(stream.encode())
    return path


@pytest.fixture
def window(display, installed, tmp_path, request):
    """Blender with our tab open; the clip and the folder of results are set."""
    footage = request.getfixturevalue(getattr(request, "param", "short_clip")) if hasattr(request, "param") else DEMO
    window = Window(display, tmp_path, installed)
    try:
        window.ask("answer = 1", 120)
        window.ask(OPEN_TAB.replace("FOOTAGE", repr(str(footage))).replace("OUT", repr(str(tmp_path / "out"))))
        yield window
    finally:
        window.close()


@pytest.fixture(scope="session")
def pictures(tmp_path_factory) -> Path:
    """Where the screenshots stay."""
    kept = os.environ.get("ADAPT_MOTION_SCREENSHOTS")
    folder = Path(kept) if kept else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def find_button(image, region: list[int]) -> tuple[int, int]:
    """Middle of the tallest button in a region (x, y from the top, width, height) of a screenshot."""
    x, top, width, height = region
    columns = image[top : top + height, x + round(width * 0.7) : x + round(width * 0.78)].astype(int)
    grey = (abs(columns - BUTTON_GREY) <= 3).all(axis=(1, 2))
    best, start = (0, 0), None
    for row, hit in enumerate([*grey, False]):
        if hit and start is None:
            start = row
        elif not hit and start is not None:
            best, start = max(best, (row - start, start)), None
    assert 24 <= best[0] <= 45, f"no button of the size of Adapt Motion: {best}"
    return x + width // 2, top + best[1] + best[0] // 2


def press_adapt_motion(window: Window, picture: Path) -> None:
    """Find the button in a screenshot and click it with the mouse; it has worked when a run goes on."""
    image = window.screenshot(picture)
    window.click(*find_button(image, window.ask(REGION)))
    wait_for(window.state, 60, "the run")


def open_our_tab(window: Window) -> None:
    """Click our tab, the second at the right edge of the sidebar."""
    x, top, width, _ = window.ask(REGION)
    window.click(x + width - 12, top + 95)


POSE = """
armature = bpy.context.scene.adapt_motion.character
answer = []
for frame in (first, last):
    bpy.context.scene.frame_set(frame)
    answer.append([list(armature.matrix_world @ bone.head) for bone in armature.pose.bones])
"""


@pytest.mark.parametrize("window", ["short_clip"], indirect=True)
def test_click_the_button_and_see_the_armature_move(window, pictures):
    press_adapt_motion(window, pictures / "1_ready.png")
    wait_for(lambda: window.state()["total"] > 0, 60, "progress")
    window.screenshot(pictures / "2_running.png")
    state = wait_for(lambda: (now := window.state())["finished"] and now, 300, "the end of the run")
    assert not state["failed"], (state["message"], state["hint"])
    wait_for(lambda: window.ask("answer = bpy.context.scene.adapt_motion.character is not None"), 60, "the character")

    open_our_tab(window)  # with a character selected there is Blender's tab Item, too
    window.ask("""
area.spaces.active.use_local_camera = True
area.spaces.active.camera = chosen.camera_of(bpy.context)
area.spaces.active.region_3d.view_perspective = "CAMERA"
area.spaces.active.shading.type = "SOLID"
first, last = map(int, bpy.context.scene.adapt_motion.character.animation_data.action.frame_range)
bpy.context.scene.frame_set(first)
""")
    before = window.screenshot(pictures / "3_first_frame.png")
    window.ask("bpy.context.scene.frame_set(last)")
    after = window.screenshot(pictures / "4_last_frame.png")
    x, top, width, height = window.ask(
        "r = next(r for r in area.regions if r.type == 'WINDOW'); "
        "answer = [r.x, bpy.context.window_manager.windows[0].height - r.y - r.height, r.width, r.height]"
    )
    view = (slice(top, top + height), slice(x, x + width))
    changed = (abs(before[view].astype(int) - after[view]) > 24).any(axis=2).sum()
    assert changed > 500, "nothing moved on the screen"

    at_first, at_last = window.ask(POSE)
    moved = [
        sum((a - b) ** 2 for a, b in zip(*heads, strict=True)) ** 0.5 for heads in zip(at_first, at_last, strict=True)
    ]
    assert max(moved) > 0.02, "the armature stands still"


@pytest.mark.parametrize("how", ["quit", "killed"])
def test_closing_blender_ends_the_engine(window, pictures, how):
    press_adapt_motion(window, pictures / "closing.png")
    engine = window.state()["pid"]
    wait_for(lambda: window.state()["total"] > 0, 60, "progress")
    assert alive(engine)
    if how == "quit":
        window.ask("bpy.app.timers.register(lambda: bpy.ops.wm.quit_blender() and None, first_interval=0.3)")
    else:
        window.process.kill()
    window.process.wait(20)
    wait_for(lambda: not alive(engine), 60, "the end of the engine")


def test_killing_the_engine_leaves_blender_well_and_reported(window, pictures):
    press_adapt_motion(window, pictures / "before_kill.png")
    wait_for(lambda: window.state()["total"] > 0, 60, "progress")
    os.killpg(window.state()["pid"], signal.SIGKILL)
    state = wait_for(lambda: (now := window.state())["finished"] and now, 60, "the end of the run")
    assert state["failed"]
    assert "ended from outside" in state["message"]
    assert "Press Adapt Motion" in state["hint"]
    window.screenshot(pictures / "5_engine_killed.png")
    assert window.ask("answer = bpy.ops.mesh.primitive_cube_add() == {'FINISHED'} and len(bpy.data.objects)") == 1


def test_cancel_stops_and_another_file_may_be_opened(window, pictures, tmp_path):
    press_adapt_motion(window, pictures / "before_cancel.png")
    engine = window.state()["pid"]
    wait_for(lambda: window.state()["total"] > 0, 60, "progress")
    window.ask("bpy.ops.wm.read_homefile(use_empty=True)")
    done = window.state()["done"]
    wait_for(lambda: window.state()["done"] != done or window.state()["finished"], 60, "progress after opening a file")
    assert not window.state()["finished"]
    assert window.ask("answer = bpy.ops.adapt_motion.cancel() == {'FINISHED'}")
    wait_for(lambda: not alive(engine), 60, "the end of the engine")
    state = wait_for(lambda: (now := window.state())["finished"] and now, 60, "the end of the run")
    assert state["cancelled"]
    assert state["message"] == "Cancelled."
