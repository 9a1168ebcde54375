"""Clean up a character's motion: thin operators, each one step of undo, around the functions that scripts call too."""

from __future__ import annotations

import contextlib
from collections.abc import Generator

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty

from .. import messages
from ..character import chosen
from ..errors import UserError
from ..retarget.properties import MAP, is_motion_source
from ..run import clip_run, prefs

NO_LIMBS = "Select an adapted character, or a rig that was retargeted to"

LIMBS = (
    ("LEFT_ARM", "Left Arm", "From the collarbone to the hand"),
    ("RIGHT_ARM", "Right Arm", "From the collarbone to the hand"),
    ("LEFT_LEG", "Left Leg", "From the hip to the toes"),
    ("RIGHT_LEG", "Right Leg", "From the hip to the toes"),
    ("TORSO", "Torso", "Spine, and the path of the hips"),
    ("HEAD", "Head", "Neck and head"),
)
MODES = (
    ("QUATERNION", "Quaternion", "No gimbal lock; four curves a bone"),
    ("XYZ", "Euler XYZ", "Three curves a bone"),
    ("XZY", "Euler XZY", "Three curves a bone"),
    ("YXZ", "Euler YXZ", "Three curves a bone"),
    ("YZX", "Euler YZX", "Three curves a bone"),
    ("ZXY", "Euler ZXY", "Three curves a bone"),
    ("ZYX", "Euler ZYX", "Three curves a bone"),
)
CONTACT_EDITS = (
    ("ADD", "Plant", "The foot touches the ground from the current frame on", "ADD", 0),
    ("START", "Start Here", "The contact here, or the next, starts at the current frame", "TRIA_LEFT_BAR", 1),
    ("END", "End Here", "The contact here, or the last, ends at the current frame", "TRIA_RIGHT_BAR", 2),
    (
        "SPLIT",
        "Split",
        "The foot may move between the contact before and the one after the current frame",
        "UNLINKED",
        3,
    ),
    ("REMOVE", "Lift", "The foot does not touch the ground here", "REMOVE", 4),
)
TRAVEL = (
    ("HIPS", "Hips", "The hips' bone carries the travel, as it comes from the footage"),
    ("OBJECT", "Armature Object", "The armature object carries travel and heading: root motion for game engines"),
    ("IN_PLACE", "In Place", "On the spot: the travel goes, the sway of the hips stays"),
)


class _OnMotion:
    """An operator on the keys of an armature."""

    bl_options = {"REGISTER", "UNDO"}
    needs_limbs = True

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs motion, and for most that the limbs are known."""
        armature = chosen.armature_of(context)
        problem = "" if armature is not None else chosen.NO_MOTION
        if not problem and armature.library is not None:
            problem = "The armature is linked from another file: make a library override of it first"
        if not problem and cls.needs_limbs and not (is_motion_source(armature) or MAP in chosen.action_of(armature)):
            problem = NO_LIMBS
        if problem:
            cls.poll_message_set(messages.tr(problem))
        return not problem

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Work, and say what came of it."""
        try:
            done = self.work(chosen.armature_of(context), context.scene)
        except UserError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self.report({"INFO"}, done)
        return {"FINISHED"}


class ADAPT_MOTION_OT_reduce_keys(_OnMotion, bpy.types.Operator):
    """Keep only the keys that are needed for the motion to stay as it is, within a bound that you choose"""

    bl_idname, bl_label = "adapt_motion.reduce_keys", "Reduce Keys"
    needs_limbs = False

    degrees: FloatProperty(
        name="Degrees",
        description="No bone turns more than this away from where it was, at any frame",
        default=1.0,
        min=0.01,
        soft_max=10.0,
        max=90.0,
    )
    millimetres: FloatProperty(
        name="Millimetres",
        description="No joint is farther than this from where it was, at any frame",
        default=5.0,
        min=0.05,
        soft_max=50.0,
        max=1000.0,
    )

    def work(self, armature, scene) -> str:
        """Reduce; gives back what is reported."""
        from ..blender import bones, pose_curves
        from ..cleanup import key_reduction

        poses = pose_curves.read(armature)
        bound = key_reduction.Bound(self.degrees, self.millimetres)
        planted = key_reduction.planted_joints(armature, poses)
        reduced = key_reduction.reduce(poses, bones.placing(armature).scale, bound, planted)
        key_reduction.write(armature, poses, reduced)
        return f"{reduced.after} of {reduced.before} keys are left"


class ADAPT_MOTION_OT_smooth_motion(_OnMotion, bpy.types.Operator):
    """Smooth the motion of some limbs over time"""

    bl_idname, bl_label = "adapt_motion.smooth_motion", "Smooth Limbs"

    limbs: EnumProperty(
        name="Limbs",
        description="Which limbs are smoothed; choose several with Shift",
        items=LIMBS,
        options={"ENUM_FLAG"},
        default={"LEFT_ARM", "RIGHT_ARM"},
    )
    seconds: FloatProperty(
        name="Seconds",
        description="Length of time over which it is smoothed",
        default=0.1,
        min=0.0,
        soft_max=1.0,
        max=10.0,
    )
    keep_feet: BoolProperty(
        name="Keep Feet Planted", description="Feet that stand are put back to where they stand", default=True
    )

    def work(self, armature, scene) -> str:
        """Smooth; gives back what is reported."""
        from ..cleanup import edits

        if not self.limbs:
            raise UserError("No limb is chosen.", "Choose at least one.")
        count = edits.smooth(armature, set(self.limbs), self.seconds, scene, self.keep_feet)
        return f"Smoothed {count} bones"


class ADAPT_MOTION_OT_lock_feet(_OnMotion, bpy.types.Operator):
    """Hold feet still while they touch the ground, by the hips and by turning thighs, shins and feet"""

    bl_idname, bl_label = "adapt_motion.lock_feet", "Lock Feet"

    ease: FloatProperty(
        name="Ease",
        description="Seconds in which a foot comes from its free path to where it stands",
        default=0.12,
        min=0.0,
        max=1.0,
    )
    hips: FloatProperty(
        name="Hips Follow",
        description="Share of the correction that the hips take, so that legs turn less",
        default=1.0,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
    )

    def work(self, armature, scene) -> str:
        """Lock; gives back what is reported."""
        from ..cleanup import edits

        done = edits.lock_feet(armature, scene, self.ease, self.hips)
        moved = f"hips moved by up to {1000 * done.hips_m:.0f} mm, feet by up to {1000 * done.feet_m:.0f} mm"
        return f"Feet stand still on {done.frames} frames; {moved}"


class ADAPT_MOTION_OT_one_floor(_OnMotion, bpy.types.Operator):
    """Move all the characters of the clip as wholes, so that they stand on the floor of the scene (Z = 0)"""

    bl_idname, bl_label = "adapt_motion.one_floor", "Put on One Floor"

    reach: FloatProperty(
        name="Reach",
        description="Who stands farther from the floor than this stays there, as on a platform",
        default=1.0,
        min=0.0,
        soft_max=3.0,
        subtype="DISTANCE",
    )
    resize: BoolProperty(
        name="Resize",
        description="Make each larger or smaller too, so that it stays over the footage; without, only the feet do",
        default=False,
    )

    def work(self, armature, scene) -> str:
        """Move them; gives back what is reported."""
        from ..character import clip_times
        from ..cleanup import one_floor
        from ..retarget import bake

        several = [item for item in scene.objects if item.type == "ARMATURE" and clip_times.of_one_clip(item, armature)]
        view = chosen.camera_where_it_begins(scene, armature) or chosen.camera_of(bpy.context)
        one_shot = [item for item in several if chosen.camera_where_it_begins(scene, item) in (view, None)]
        people = [item for item in one_shot if item.library is None and bake.limbs_of(item) is not None] or [armature]
        done = one_floor.put_on_floor(people, scene, view, reach=self.reach, resize=self.resize)
        for name, over in done.left.items():
            self.report({"WARNING"}, f"{name} stands {over:+.2f} m from the floor and was left there")
        most = max(map(abs, done.moved.values()), default=0.0)
        return f"Put {len(done.moved)} of {len(people)} characters on the floor; the farthest was {most:.2f} m off it"


def lock_new_feet(scene, imported) -> Generator[None, None, None]:
    """Hold planted feet still in what was just brought in, where the preferences want it and feet touch the ground."""
    from ..character import contacts
    from ..cleanup import edits

    for person in imported.people if prefs.locks_feet() else ():
        if not contacts.curves_of(person.armature):
            continue
        with contextlib.suppress(UserError):  # no foot touches
            yield from edits.lock_feet_steps(person.armature, scene)


class ADAPT_MOTION_OT_edit_contact(_OnMotion, bpy.types.Operator):
    """Change when a foot touches the ground, at the current frame; what plants feet goes by it"""

    bl_idname, bl_label = "adapt_motion.edit_contact", "Edit Foot Contact"

    side: EnumProperty(
        name="Foot",
        description="Whose contact is changed",
        items=(("LEFT", "Left", "The left foot"), ("RIGHT", "Right", "The right foot")),
    )
    how: EnumProperty(name="Change", description="What is done at the current frame", items=CONTACT_EDITS)

    def work(self, armature, scene) -> str:
        """Change it; gives back what is reported."""
        from ..cleanup import edits

        if not edits.edit_contact(armature, scene, self.side, self.how):
            raise UserError("There is no contact of this foot to change here.", "Add one, or go to another frame.")
        return f"Changed at frame {scene.frame_current}"


class ADAPT_MOTION_OT_rotation_mode(_OnMotion, bpy.types.Operator):
    """Key the rotations of all bones as quaternions or as Euler angles; the motion stays the same"""

    bl_idname, bl_label = "adapt_motion.rotation_mode", "Rotation Mode"
    needs_limbs = False

    mode: EnumProperty(name="Mode", description="How rotations are keyed", items=MODES, default="XYZ")

    def work(self, armature, scene) -> str:
        """Convert; gives back what is reported."""
        from ..cleanup import edits

        return f"Changed {edits.set_rotation_mode(armature, self.mode)} bones"


class ADAPT_MOTION_OT_set_travel(_OnMotion, bpy.types.Operator):
    """Choose what carries the character through the scene: the hips, the armature object, or nothing"""

    bl_idname, bl_label = "adapt_motion.set_travel", "Root Motion"

    where: EnumProperty(name="Travel In", description="What carries the travel", items=TRAVEL, default="IN_PLACE")

    def work(self, armature, scene) -> str:
        """Move the travel; gives back what is reported."""
        from ..cleanup import root_motion

        return f"The travel is {root_motion.set_travel(armature, self.where, scene):.2f} m"


class ADAPT_MOTION_OT_make_loop(_OnMotion, bpy.types.Operator):
    """Cut one cycle out of a walk or run, so that it repeats without a seam, as a new action"""

    bl_idname, bl_label = "adapt_motion.make_loop", "Extract Loop"

    shortest: FloatProperty(
        name="Shortest", description="Seconds that the cycle takes at least", default=0.4, min=0.1, max=60.0
    )
    longest: FloatProperty(
        name="Longest", description="Seconds that the cycle takes at most", default=2.5, min=0.2, max=60.0
    )
    in_place: BoolProperty(name="In Place", description="On the spot, without the travel", default=False)

    def work(self, armature, scene) -> str:
        """Cut; gives back what is reported."""
        from ..cleanup import loops

        action, cycle = loops.make_loop(armature, scene, self.shortest, self.longest, self.in_place)
        return f"{action.name}: {cycle.end - cycle.start} frames"


class ADAPT_MOTION_OT_mirror_motion(_OnMotion, bpy.types.Operator):
    """Make a copy of the motion with left and right exchanged, as a new action"""

    bl_idname, bl_label = "adapt_motion.mirror_motion", "Mirrored Copy"

    def work(self, armature, scene) -> str:
        """Mirror; gives back what is reported."""
        from ..cleanup import edits

        return f"Made {edits.mirror(armature).name}"


_CLASSES = (
    ADAPT_MOTION_OT_reduce_keys,
    ADAPT_MOTION_OT_smooth_motion,
    ADAPT_MOTION_OT_lock_feet,
    ADAPT_MOTION_OT_one_floor,
    ADAPT_MOTION_OT_edit_contact,
    ADAPT_MOTION_OT_rotation_mode,
    ADAPT_MOTION_OT_set_travel,
    ADAPT_MOTION_OT_make_loop,
    ADAPT_MOTION_OT_mirror_motion,
)
_register, _unregister = bpy.utils.register_classes_factory(_CLASSES)


def register() -> None:
    """Register the operators, and have feet locked in what comes in."""
    _register()
    clip_run.after_import(lock_new_feet)


def unregister() -> None:
    """Undo `register`."""
    clip_run.not_after_import(lock_new_feet)
    _unregister()
