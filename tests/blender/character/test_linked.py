"""Characters and rigs that are linked from another file, plainly or as library overrides."""

from __future__ import annotations

from fractions import Fraction

import bpy
import numpy as np
import pytest
import rigs
import walking
from adapt_motion.blender_addon.blender import compat, timing
from adapt_motion.blender_addon.character import scene
from adapt_motion.blender_addon.cleanup import edits, loops
from adapt_motion.blender_addon.errors import UserError
from adapt_motion.blender_addon.export import assets, files
from adapt_motion.blender_addon.retarget import bake
from inside import counts
from judging import judge, map_for, slip, touches
from reading_back import key_frames, reimport

FRAMES = 60


@pytest.fixture
def linked(blank, tmp_path):
    """(character, bare rig, rig with motion) as linked objects of a new file, and the character's motion."""
    timing.set_scene_rate(blank, Fraction(30))
    person = scene.import_people([walking.write_walker(tmp_path / "clip", frames=FRAMES)], blank).people[0]
    rigs.build(rigs.CONVENTIONS["unity"], blank, "Hero")
    acted = rigs.build(rigs.CONVENTIONS["unity"], blank, "Acted")
    bake.bake(person.armature, acted, map_for(acted), blank)
    path = tmp_path / "library.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    name = person.armature.name
    bpy.ops.wm.read_factory_settings(use_empty=True)
    with bpy.data.libraries.load(str(path), link=True) as (_, wanted):
        wanted.objects = [name, "Hero", "Acted"]
    target = bpy.context.scene
    timing.set_scene_rate(target, Fraction(30))
    for item in wanted.objects:
        target.collection.objects.link(item)
    bpy.context.view_layer.update()
    return (*wanted.objects, person)


def overridden(item):
    made = item.override_create(remap_local_usages=True)
    bpy.context.view_layer.update()
    return made


def key_count(armature) -> int:
    return sum(len(curve.keyframe_points) for curve in compat.curves_of(armature))


def test_what_is_linked_says_so_and_stays(linked):
    person, hero, acted, _ = linked
    with pytest.raises(UserError, match="Hero is linked from another file"):
        bake.bake(person, hero, map_for(hero), bpy.context.scene)
    with pytest.raises(UserError, match="is linked from another file"):
        assets.mark(acted)
    assert hero.animation_data is None or hero.animation_data.action is None


def test_an_override_takes_motion_from_a_linked_character(linked, tmp_path):
    """Also after the file was saved and opened again."""
    person, hero, _, brought = linked
    hero, touching = overridden(hero), touches(brought)
    baked = bake.bake(person, hero, map_for(hero), bpy.context.scene, bake.Options(rotation="XYZ"))
    assert baked.warnings == []
    name, bones = hero.name, map_for(hero).bones
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "shot.blend"))
    hero = next(item for item in bpy.context.scene.objects if item.name == name and item.override_library)
    source = next(item for item in bpy.context.scene.objects if "pelvis" in item.data.bones and item.library)
    assert hero.pose.bones["LeftFoot"].rotation_mode == "XYZ"
    worst, feet = judge(source, hero, bones, touching)
    assert max(worst.values()) < 3
    assert slip(feet, touching) < 0.01


def test_a_linked_action_is_copied_before_it_is_cleaned_up(linked):
    _, _, acted, _ = linked
    acted = overridden(acted)
    theirs = acted.animation_data.action
    assert theirs.library is not None
    keys = key_count(acted)
    assert edits.lock_feet(acted, bpy.context.scene).frames > 0
    mine = acted.animation_data.action
    assert (mine.library, key_count(acted)) == (None, keys)
    assert acted.pose.bones["LeftLowerLeg"].matrix_basis is not None
    assert sum(len(curve.keyframe_points) for curve in compat.all_curves(theirs)) == keys
    edits.mirror(acted)
    action, _ = loops.make_loop(acted, bpy.context.scene)
    assert action.library is None
    assert assets.mark(acted, ["walk"]).asset_data.tags.keys() == ["walk"]


@pytest.mark.parametrize("kind", ["linked", "overridden"])
def test_they_are_exported_like_others(linked, tmp_path, kind):
    _, _, acted, _ = linked
    acted = overridden(acted) if kind == "overridden" else acted
    hips = []
    for frame in (1, 30, 60):
        bpy.context.scene.frame_set(frame)
        hips.append(np.array(acted.matrix_world @ acted.pose.bones["Hips"].head))
    before = counts()
    path = files.export(acted, tmp_path / "out.fbx", "fbx", "UNREAL")
    assert counts() == before
    armature = reimport(path, "fbx")
    frames = key_frames(armature)
    for frame, wanted in zip(frames[[0, 29, 59]], hips, strict=True):
        bpy.context.scene.frame_set(int(frame))
        assert np.array(armature.matrix_world @ armature.pose.bones["Hips"].head) == pytest.approx(wanted, abs=0.002)
