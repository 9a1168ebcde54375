"""Buttons of cleaning up, retargeting and export: grey with a reason, undo, panels, the map's editor."""

from __future__ import annotations

from fractions import Fraction

import bpy
import numpy as np
import pytest
import recorder
import rigs
import synthetic
import walking
from adapt_motion import blender_addon
from adapt_motion.blender_addon import messages
from adapt_motion.blender_addon.blender import timing
from adapt_motion.blender_addon.character import chosen, scene
from adapt_motion.blender_addon.operators import cleanup, export, retarget
from adapt_motion.blender_addon.retarget import properties
from adapt_motion.blender_addon.run import prefs
from adapt_motion.blender_addon.ui import motion_panels
from inside import joints_at

MODULES = (cleanup, retarget, export, motion_panels, properties)
CLEANING = (
    "reduce_keys",
    "smooth_motion",
    "lock_feet",
    "one_floor",
    "rotation_mode",
    "set_travel",
    "make_loop",
    "mirror_motion",
)


class Layout(recorder.Layout):
    """Also knows what these panels draw."""

    def row(self, **_options):
        return Layout(self.texts, self.operators)

    box = column = split = row

    def operator_menu_enum(self, name: str, property_name: str, text: str | None = None, icon: str = "NONE") -> None:
        self.operator(name, text, icon)
        module, function = name.split(".")
        assert property_name in getattr(getattr(bpy.ops, module), function).get_rna_type().properties

    def prop_search(self, data, name: str, where, collection: str, text: str = "") -> None:
        assert name in data.bl_rna.properties
        assert collection in where.bl_rna.properties
        self.texts.append(text)


def drawn(panel) -> Layout:
    layout = Layout()
    panel.draw(type("StandIn", (), {"layout": layout})(), bpy.context)
    return layout


@pytest.fixture
def addon(blank, tmp_path, monkeypatch):
    monkeypatch.setattr(prefs.compat, "user_folder", lambda package: tmp_path / "user")
    entry = bpy.context.preferences.addons.new()
    entry.module = prefs.PACKAGE
    blender_addon.register()
    timing.set_scene_rate(blank, Fraction(30))
    yield bpy.ops.adapt_motion
    blender_addon.unregister()
    bpy.context.preferences.addons.remove(entry)


@pytest.fixture
def walker(addon, blank, tmp_path):
    person = scene.import_people([walking.write_walker(tmp_path / "clip", frames=60)], blank).people[0]
    blank.adapt_motion.character = person.armature
    bpy.context.view_layer.objects.active = person.armature
    return person


def refused(operator, **options) -> str:
    with pytest.raises(RuntimeError) as caught:
        operator(**options)
    return str(caught.value)


def test_every_class_is_named_described_and_can_be_undone():
    for module in MODULES:
        for cls in module._CLASSES:
            assert cls.__name__.startswith("ADAPT_MOTION_")
            assert cls.__doc__
            if issubclass(cls, bpy.types.Operator):
                assert cls.bl_idname.startswith("adapt_motion.")
                assert not cls.__doc__.endswith(".")
    for cls in cleanup._CLASSES:
        assert cls.bl_options == {"REGISTER", "UNDO"}


def test_grey_buttons_say_why(addon, blank):
    for name in CLEANING:
        assert chosen.NO_MOTION in refused(getattr(addon, name))
    assert retarget.NO_TARGET in refused(addon.find_bone_map)
    assert retarget.NO_MAP in refused(addon.save_bone_map)
    assert retarget.NO_SOURCE in refused(addon.retarget)
    assert chosen.NO_MOTION in refused(addon.mark_asset)
    for kind in ("fbx", "glb", "bvh"):
        assert chosen.NO_MOTION in refused(getattr(addon, f"export_{kind}"), filepath="x")
    assert messages.NO_CHARACTER in refused(addon.export_amass, filepath="x")
    rig = rigs.build(rigs.CONVENTIONS["unity"], blank)
    bpy.context.view_layer.objects.active = rig
    rig.animation_data_create().action = bpy.data.actions.new("mine")
    assert cleanup.NO_LIMBS in refused(addon.lock_feet)


def test_every_property_says_what_it_changes(addon):
    for name in CLEANING:
        kind = getattr(addon, name).get_rna_type()
        for item in kind.properties:
            assert item.identifier == "rna_type" or item.description, f"{name}.{item.identifier}"


@pytest.mark.parametrize("name", CLEANING)
def test_cleaning_operators_work_on_the_character(walker, addon, name):
    before = joints_at(walker.armature, 30)
    assert getattr(addon, name)() == {"FINISHED"}
    assert np.isfinite(joints_at(walker.armature, 30)).all()
    assert walker.action.users >= 1
    if name not in ("set_travel", "make_loop", "mirror_motion"):
        assert np.abs(joints_at(walker.armature, 30) - before).max() < 0.05


def test_the_character_is_meant_when_something_else_is_active(walker, addon, blank):
    other = bpy.data.objects.new("camera", None)
    blank.collection.objects.link(other)
    bpy.context.view_layer.objects.active = other
    assert addon.rotation_mode(mode="XYZ") == {"FINISHED"}
    assert walker.armature.pose.bones["head"].rotation_mode == "XYZ"


def test_retarget_from_the_panel_and_clean_up_there(walker, addon, blank, tmp_path):
    rig = rigs.build(rigs.CONVENTIONS["mixamo"], blank, "Hero")
    settings = blank.adapt_motion.retarget
    settings.target = rig
    assert retarget.source_of(bpy.context) == walker.armature
    assert addon.find_bone_map() == {"FINISHED"}
    assert (settings.map_name, len(settings.bones)) == ("Mixamo", 22)
    assert addon.retarget() == {"FINISHED"}
    assert rig.animation_data.action.name == f"{walker.action.name} on Hero"
    bpy.context.view_layer.objects.active = rig
    for name in CLEANING:
        if name != "set_travel":
            assert getattr(addon, name)() == {"FINISHED"}, name
    assert addon.mark_asset() == {"FINISHED"}
    assert rig.animation_data.action.asset_data.tags.keys() == ["walk"], "the label of the motion that it came from"
    assert addon.mark_asset(tags="walk, calm") == {"FINISHED"}
    assert rig.animation_data.action.asset_data.tags.keys() == ["walk", "calm"]


def test_fbx_of_the_animators_own_rig_from_the_button(walker, addon, blank, tmp_path):
    """The selected rig is what is written, not the character."""
    rig = rigs.build(rigs.CONVENTIONS["mixamo"], blank, "Hero")
    blank.adapt_motion.retarget.target = rig
    addon.find_bone_map()
    addon.retarget()
    bpy.context.view_layer.objects.active = rig
    assert "Hero" in drawn(motion_panels.ADAPT_MOTION_PT_export).texts
    for preset in ("UNITY", "UNREAL", "BLENDER"):
        path = tmp_path / f"{preset}.fbx"
        assert addon.export_fbx(filepath=str(path), preset=preset) == {"FINISHED"}
        assert b"mixamorig:LeftUpLeg" in path.read_bytes()
    assert addon.export_amass(filepath=str(tmp_path / "x.npz")) == {"FINISHED"}, "which is of the character, as it was"


def test_the_map_is_edited_saved_and_found_again(walker, addon, blank, tmp_path):
    rig = rigs.build(rigs.CONVENTIONS["unity"], blank, "Hero")
    for bone in rig.data.bones:
        bone.name = f"x{sum(map(ord, bone.name)) * 7919 % 100003}y"  # names that tell nothing
    settings = blank.adapt_motion.retarget
    settings.target = rig
    addon.find_bone_map()
    assert all(not entry.bone for entry in settings.bones)
    assert "no bone for pelvis" in refused(addon.save_bone_map, name="Hero")
    assert "no bone for pelvis" in refused(addon.retarget)
    wanted = rigs.CONVENTIONS["unity"].bones()
    for entry in settings.bones:
        name = wanted[entry.name]
        entry.bone = f"x{sum(map(ord, name)) * 7919 % 100003}y"
    assert addon.save_bone_map(name="Hero") == {"FINISHED"}
    assert (tmp_path / "user" / "retarget" / "hero.json").is_file()
    assert addon.retarget() == {"FINISHED"}
    settings.target = None
    assert len(settings.bones) == 0
    settings.target = rig
    addon.find_bone_map()
    assert settings.map_name == "Hero"
    addon.load_bone_map(name="Unity Humanoid")
    assert all(not entry.bone for entry in settings.bones), "none of those bones are there"


def test_panels_draw_in_every_state(walker, addon, blank):
    clean = drawn(motion_panels.ADAPT_MOTION_PT_clean_up)
    assert set(clean.operators) == {f"adapt_motion.{name}" for name in CLEANING}
    assert walker.action.name in clean.texts
    assert "Find Bone Map" in drawn(motion_panels.ADAPT_MOTION_PT_retarget).texts
    assert not motion_panels.ADAPT_MOTION_PT_bone_map.poll(bpy.context)
    blank.adapt_motion.retarget.target = rigs.build(rigs.CONVENTIONS["vrm"], blank)
    addon.find_bone_map()
    assert "Map: VRM" in drawn(motion_panels.ADAPT_MOTION_PT_retarget).texts
    assert motion_panels.ADAPT_MOTION_PT_bone_map.poll(bpy.context)
    assert "Left Knee" in drawn(motion_panels.ADAPT_MOTION_PT_bone_map).texts
    exports = drawn(motion_panels.ADAPT_MOTION_PT_export).operators
    assert {"adapt_motion.export_fbx", "adapt_motion.export_amass", "adapt_motion.mark_asset"} <= set(exports)


def test_panels_draw_in_an_empty_file(addon):
    for panel in motion_panels._CLASSES:
        if not hasattr(panel, "poll") or panel.poll(bpy.context):
            drawn(panel)


def test_exports_from_the_buttons(walker, addon, tmp_path):
    for kind, ending in (("glb", "glb"), ("bvh", "bvh"), ("amass", "npz")):
        path = tmp_path / f"walk.{ending}"
        assert getattr(addon, f"export_{kind}")(filepath=str(path)) == {"FINISHED"}
        assert path.stat().st_size > 5000
    blocked = tmp_path / "file"
    blocked.touch()
    assert "could not be written" in refused(addon.export_amass, filepath=str(blocked / "x.npz"))


def test_asset_has_the_label_and_a_picture(walker, addon):
    assert addon.mark_asset() == {"FINISHED"}
    action = walker.armature.animation_data.action
    assert action.asset_data.tags.keys() == ["walk"]
    width, height = action.preview.image_size
    pixels = np.empty(width * height * 4, dtype=np.float32)
    action.preview.image_pixels_float.foreach_get(pixels)
    picture = pixels.reshape(height, width, 4)
    colours = [((picture[..., 2] - picture[..., 0]) > 0.3).sum(), ((picture[..., 0] - picture[..., 2]) > 0.3).sum()]
    assert min(colours) > 200, "left and right limbs are drawn in colours of their own"
    addon.mark_asset()
    assert action.asset_data.tags.keys() == ["walk"], "no tag twice"


def test_motion_file_gone_is_no_trouble_for_the_asset(walker, addon, tmp_path):
    walker.motion.path.unlink()
    assert addon.mark_asset() == {"FINISHED"}
    assert addon.export_amass(filepath=str(tmp_path / "x.npz")) == {"FINISHED"}


def test_source_may_not_be_the_target(walker, addon, blank):
    blank.adapt_motion.retarget.target = walker.armature
    assert retarget.source_of(bpy.context) is None
    assert synthetic.NAMES[0] in walker.armature.data.bones
