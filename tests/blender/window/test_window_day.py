"""A day's work in a real window: six clips of different rate, size and number of people, undo, save, reload, a crash.

The tests are the hours of the day, in order: each goes on from where the one before has left off.
Pictures of each step are kept in the folder that ADAPT_MOTION_SCREENSHOTS names, if it is set.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess

import pytest

pytest.importorskip("av", reason="the clips of the day are written with PyAV")

from window.test_window import (  # noqa: F401  fixtures among them
    BLENDER,
    MISSING,
    a_screen,
    alive,
    installed,
    pictures,
    wait_for,
)
from window.test_window_tour import ended
from window_clips import CLIPS, make
from window_hands import BROWSER_OPEN, MOVE_MARKER, WATCHERS, Hands

pytestmark = [
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}"),
    pytest.mark.nightly("ten minutes"),
]

SIZE = (1600, 1000)
READ_BACK = """
import bpy, json, sys
bpy.ops.wm.read_factory_settings(use_empty=True)
bpy.context.scene.render.fps = 60
bpy.ops.import_scene.fbx(filepath=sys.argv[-1])
item = next(one for one in bpy.data.objects if one.type == "ARMATURE")
print("READ", json.dumps([len(item.data.bones), *item.animation_data.action.frame_range]))
"""


class Day:
    """The files of the day and the Blender that is open."""

    def __init__(self, folder, screen, environment, kept) -> None:
        self.folder, self.screen, self.environment, self.kept = folder, screen, environment, kept
        self.clips = make(folder)
        self.file, self.out = folder / "day.blend", folder / "out"
        self.number, self.hands, self.failed = 0, None, False

    def open(self, *words: str) -> Hands:
        """Start Blender."""
        self.number += 1
        home = self.folder / f"blender {self.number}"
        home.mkdir()
        self.hands = Hands(self.screen, home, self.environment, *words, size=SIZE)
        self.hands.pictures, self.hands.step = self.kept, 20 * (self.number - 1)
        self.hands.begin()
        return self.hands


@pytest.fixture(scope="module")
def day(tmp_path_factory, installed, pictures):  # noqa: F811
    """The day, which ends with Blender closed."""
    for screen in a_screen(SIZE):
        one = Day(tmp_path_factory.mktemp("day at work "), screen, installed, pictures)
        yield one
        if one.hands is not None:
            one.hands.close()


@pytest.fixture
def hands(day, request):
    """The window, if all went well up to here."""
    if day.failed:
        pytest.skip("an hour before this one failed")
    failed_before = request.session.testsfailed
    yield day.hands or day.open()
    day.failed = request.session.testsfailed > failed_before


def changed(one, other) -> int:
    """How many pixels of two pictures differ clearly."""
    return int((abs(one.astype(int) - other) > 60).any(axis=2).sum())


def test_a_clip_in_a_new_scene(day, hands):
    """Typed and adapted at once: the scene is the clip's, the character is in view and no cube round it."""
    hands.ask(f"ours = bpy.context.scene.adapt_motion; ours.preset, ours.output_folder = 'fast', {str(day.out)!r}")
    hands.type_footage(day.clips["portrait"])
    hands.press("Add Label")
    hands.ask("bpy.context.scene.adapt_motion.labels[0].label = 'balance'")
    hands.adapt("first")
    seen = hands.seen()
    assert (seen["rate"], seen["range"], seen["size"], seen["view"]) == (60, [1, 24], [544, 960], "CAMERA")
    assert (seen["hidden"], seen["clip"], seen["character"]) == (["Cube"], "portrait", "portrait person_1")
    hands.in_place()
    hands.ask("bpy.context.scene.frame_set(24)")
    before = hands.look("last_frame")
    hands.press("Show Keypoints")
    assert changed(before, hands.look("keypoints")) > 100, "they are drawn at once"


def test_labels_follow_their_markers_and_undo(hands):
    hands.ask("bpy.context.scene.adapt_motion.labels[0].frame_end = 20")
    hands.ask("bpy.ops.ed.undo_push(message='End')")
    assert hands.seen()["markers"] == [["balance", 1], ["(end)", 21]]
    hands.ask(MOVE_MARKER.format(name="(end)", frames=-6))
    wait_for(lambda: hands.seen()["labels"] == [["balance", 1, 14]], 10, "the label")
    hands.look("marker_moved")
    hands.key("ctrl+z")
    assert hands.seen()["labels"] == [["balance", 1, 20]]
    hands.key("ctrl+shift+z")
    assert hands.seen()["labels"] == [["balance", 1, 14]]
    assert hands.seen()["markers"] == [["balance", 1], ["(end)", 15]]


def test_a_second_clip_of_another_rate(day, hands):
    hands.type_footage(day.clips["landscape"])
    assert (hands.seen()["labels"], hands.seen()["markers"]) == ([], [])
    hands.adapt("second")
    hands.in_place()
    hands.press("View Over Footage")
    hands.look("second_in_scene_of_first")
    hands.press("Match Footage")
    seen = hands.seen()
    assert (seen["rate"], seen["range"], seen["size"]) == (30, [1, 20], [1280, 720])
    hands.in_place()
    hands.look("second_matched")
    hands.ask("bpy.context.scene.render.fps = 25")
    hands.look("too_slow")
    hands.press("Retime to Scene")
    hands.in_place()
    hands.look("retimed")
    hands.type_footage(day.clips["portrait"])
    assert hands.seen()["labels"] == [["balance", 1, 6]], "its own, at 25 frames a second"
    hands.look("first_again")


def test_a_queue_of_three(day, hands):
    for name in ("mirrored", "two people", "cut"):
        hands.type_footage(day.clips[name])
        both, mirrored = name == "two people", name == "mirrored"
        hands.ask(f"ours = bpy.context.scene.adapt_motion; ours.mirrored, both = {mirrored}, {both}")
        hands.ask("bpy.context.scene.adapt_motion.person = 'all' if both else 'main'")
        hands.press("Add to Queue")
    hands.type_footage(day.clips["portrait"])
    hands.press("Run Queue")
    wait_for(lambda: hands.ask("answer = running.busy()"), 60, "the queue")
    hands.look("queue_runs")
    wait_for(lambda: {status for _, status in hands.seen()["queue"]}.isdisjoint({"waiting", "running"}), 900, "its end")
    assert hands.seen()["queue"] == [["mirrored.mp4", "done"], ["two people.mp4", "done"], ["cut.mp4", "done"]]
    for number, (name, people) in enumerate((("mirrored", 1), ("two people", 2), ("cut", 1))):
        hands.ask(f"bpy.ops.adapt_motion.queue_attach(index={number})")
        ended(hands)
        hands.in_place()
        code = f"answer = sum(one.type == 'ARMATURE' and one.name.startswith({name!r}) for one in scene.objects)"
        assert hands.ask(f"scene = bpy.context.scene\n{code}") >= people
        seen = hands.seen()
        assert (seen["footage"], seen["character"]) == ("portrait", "portrait person_1"), (
            "the panel's clip keeps its own"
        )
        assert [label for label, _, _ in seen["labels"]] == ["balance"]
        hands.press("View Over Footage")
        hands.look(f"attached_{name.replace(' ', '_')}")


def test_the_addon_switched_off_and_on(hands):
    before, watchers = hands.seen(), hands.ask(WATCHERS)
    engine = "answer = bpy.context.preferences.addons['adapt_motion'].preferences.engine_python"
    python = hands.ask(engine)
    hands.ask("bpy.ops.preferences.addon_disable(module='adapt_motion')")
    hands.look("switched_off")
    hands.ask("bpy.ops.preferences.addon_enable(module='adapt_motion')")
    hands.begin()
    assert hands.ask(engine) == python
    assert hands.ask(WATCHERS) == watchers
    assert hands.seen() == before
    hands.look("switched_on")


def test_saved_moved_and_opened_again(day, hands):
    hands.key("ctrl+s")
    hands.to_file(day.file)
    before = hands.seen()
    assert before["output"] == str(day.out), "saving moves no folder"
    moved = day.folder / "moved"
    shutil.move(day.out, moved)
    hands.ask(f"bpy.context.scene.adapt_motion.output_folder = {str(moved)!r}")
    hands.key("ctrl+s", 3)
    hands.ask(f"bpy.ops.wm.open_mainfile(filepath={str(day.file)!r})")
    hands.begin()
    assert hands.seen() == {**before, "output": str(moved)}
    hands.look("opened_again")
    shutil.move(moved, day.out)
    hands.ask(f"bpy.context.scene.adapt_motion.output_folder = {str(day.out)!r}")
    hands.key("ctrl+s", 3)
    hands.in_place()


def test_killed_in_the_middle_of_a_run(day, hands):
    hands.type_footage(day.clips["ntsc"])
    hands.key("ctrl+s", 3)
    hands.begin_run("before_the_crash")
    wait_for(lambda: hands.state()["stage"] in ("predict", "adapt", "world"), 300, "a stage after detection")
    engine = hands.state()["pid"]
    hands.process.send_signal(signal.SIGKILL)
    hands.process.wait(20)
    wait_for(lambda: not alive(engine), 60, "the end of the engine")
    hands = day.open(str(day.file))
    assert hands.seen()["footage"] == "ntsc"
    hands.adapt("resume")
    report = "answer = Path(bpy.context.scene.adapt_motion.motion_path).with_name('report.json').read_text()"
    assert "detect" in json.loads(hands.ask(report))["reused"], "nothing is detected again"
    hands.in_place()
    assert hands.seen()["character"] == "ntsc person_1"


def test_results_of_another_file_are_attached(day, hands):
    hands.key("ctrl+s", 3)
    hands.ask("bpy.ops.wm.read_homefile()")
    hands.begin()
    hands.ask(f"bpy.context.scene.adapt_motion.output_folder = {str(day.out)!r}")
    hands.type_footage(day.clips["cut"])
    hands.press("Show Footage")
    hands.look("results_offered")
    hands.press("Attach Results")
    ended(hands)
    seen = hands.seen()
    assert (seen["rate"], seen["range"], seen["footage"]) == (30, [1, CLIPS["cut"][1]], "cut")
    hands.in_place()
    hands.look("results_attached")
    hands.ask(f"bpy.ops.wm.open_mainfile(filepath={str(day.file)!r})")
    hands.begin()


def test_clean_up_ghost_and_export(day, hands):
    hands.type_footage(day.clips["portrait"])
    hands.ask(
        "one = bpy.context.scene.adapt_motion.character; bpy.ops.object.select_all(action='DESELECT')\n"
        "one.select_set(True); bpy.context.view_layer.objects.active = one"
    )
    hands.press("Match Footage")
    hands.in_place()
    keys = "answer = sum(len(c.keyframe_points) for c in one.animation_data.action.fcurves)"
    find = "one = bpy.context.scene.adapt_motion.character\n"
    before = hands.ask(find + keys)
    hands.press("Lock Feet")
    hands.look("feet_locked")
    hands.press("Reduce Keys")
    assert hands.ask(find + keys) < before
    hands.look("keys_reduced")
    hands.key("ctrl+z")
    assert hands.ask(find + keys) == before
    for name in ("show_ghost", "show_onion"):
        plain = hands.look(f"before_{name}")
        hands.ask(f"bpy.context.scene.adapt_motion.{name} = True")
        assert changed(plain, hands.look(name)) > 100, name
        hands.ask(f"bpy.context.scene.adapt_motion.{name} = False")
    watchers = hands.ask(WATCHERS)
    target = day.folder / "day.fbx"
    hands.press("Export FBX")
    wait_for(lambda: hands.ask(BROWSER_OPEN), 60, "the file browser")
    hands.to_file(target)
    assert hands.ask(WATCHERS) == watchers
    words = ["-b", "--factory-startup", "--python-expr", READ_BACK, "--", str(target)]
    output = subprocess.run([BLENDER, *words], env=day.environment, capture_output=True, text=True, check=True).stdout
    bones, first, last = json.loads(next(line for line in output.splitlines() if line.startswith("READ"))[5:])
    assert bones >= 24
    assert last - first == 23
    hands.look("end_of_the_day")
