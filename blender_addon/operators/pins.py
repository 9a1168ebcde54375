"""Pins: what the user knows better is put down, and the motion adapted around it."""

from __future__ import annotations

import bpy
from bpy.props import EnumProperty, FloatProperty, IntProperty

from .. import messages
from ..character import chosen, handles, pins
from ..errors import UserError
from ..run import pins_run
from .adapt import RunsEngine

PARTS = tuple((name, name.replace("_", " ").title(), "") for name in (
    "left_foot", "right_foot", "left_hand", "right_hand", "seat",
))  # fmt: skip

SWAPS = (("body", "Body", ""), ("arms", "Arms", ""), ("legs", "Legs", ""))


class OfCharacter:
    """Of operators that need a character."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs the armature of a clip that is the file's own."""
        armature = chosen.character_of(context)
        if armature is None or armature.library is not None:
            cls.poll_message_set(messages.tr(messages.NO_CHARACTER))
            return False
        return True


class PinOperator(OfCharacter):
    """Of operators on the pins of a character."""

    bl_options = {"REGISTER", "UNDO"}

    def done(self, work) -> set[str]:
        """Do it, and report what is wrong. Gives back what `execute` does."""
        armature, active = chosen.character_of(bpy.context), bpy.context.active_object
        try:
            if active is not None and active.type == "ARMATURE" and active != armature:
                raise UserError(
                    f"{active.name} is not the character that was adapted.",
                    f"Select {armature.name}, pin there, and retarget it again.",
                )
            work(armature)
        except UserError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return {"FINISHED"}


class ADAPT_MOTION_OT_pin_pose(PinOperator, bpy.types.Operator):
    """Pin the whole pose at the current frame, as it is now"""

    bl_idname, bl_label = "adapt_motion.pin_pose", "Pin Pose"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Pin it."""
        return self.done(lambda armature: pins.pin_pose(armature, context.scene))


class ADAPT_MOTION_OT_pin_limb(PinOperator, bpy.types.Operator):
    """Pin one limb at the current frame, as it is posed now"""

    bl_idname, bl_label = "adapt_motion.pin_limb", "Pin Limb"

    limb: EnumProperty(name="Limb", description="What is pinned", items=pins.LIMB_ITEMS)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Pin it."""
        return self.done(lambda armature: pins.pin_pose(armature, context.scene, pins.LIMBS[self.limb]))


class ADAPT_MOTION_OT_pin_joint(PinOperator, bpy.types.Operator):
    """Pin the head of the active bone, or the joint of a handle, to where it is now; the limb may bend as it likes"""

    bl_idname, bl_label = "adapt_motion.pin_joint", "Pin Joint Here"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Pin it."""
        return self.done(lambda armature: pins.pin_joint(armature, context.scene, self._bone(armature)))

    @staticmethod
    def _bone(armature) -> str:
        bone = armature.data.bones.active
        joint = handles.joint_of(bpy.context.active_object) or (bone.name if bone else "")
        if joint not in pins.skeleton(armature):
            raise UserError(
                "No bone of the character is active.",
                "Choose the bone in Pose Mode whose head is to stay, or a handle.",
            )
        return joint


class ADAPT_MOTION_OT_pin_from_keys(PinOperator, bpy.types.Operator):
    """Pin the bones whose keys were changed since the motion came in, where they differ most from it"""

    bl_idname, bl_label = "adapt_motion.pin_from_keys", "Pin From Keys"

    degrees: FloatProperty(
        name="At Least", description="Degrees by which a bone was turned", default=5.0, min=0.5, max=90.0
    )

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Find them and pin them."""
        found: list[int] = []
        result = self.done(lambda armature: found.append(pins.pin_from_keys(armature, context.scene, self.degrees)))
        if found:
            self.report({"INFO"}, messages.tr(messages.PINNED_FROM_KEYS, count=found[0]))
        return result


class ADAPT_MOTION_OT_add_handles(PinOperator, bpy.types.Operator):
    """Put handles on hands, feet, elbows, knees, hips and head, to pose the character at the current frame"""

    bl_idname, bl_label = "adapt_motion.add_handles", "Add Handles"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Put them on."""

        def add(armature) -> None:
            pins.skeleton(armature)
            handles.add(armature, context.scene)

        return self.done(add)


class ADAPT_MOTION_OT_remove_handles(PinOperator, bpy.types.Operator):
    """Take the handles away; what was posed with them is keyed at their frame"""

    bl_idname, bl_label = "adapt_motion.remove_handles", "Remove Handles"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Take them away."""

        def remove(armature) -> None:
            layer = context.view_layer
            if handles.joint_of(layer.objects.active):
                layer.objects.active = armature
            handles.remove(armature, context.scene)

        return self.done(remove)


class _Range(PinOperator):
    """Of operators for a range of frames, which the preview range offers."""

    first: IntProperty(name="From", description="First frame")
    last: IntProperty(name="To", description="Last frame")

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Ask for the range."""
        scene = context.scene
        if not self.properties.is_property_set("first"):
            ranged = scene.use_preview_range
            self.first = scene.frame_preview_start if ranged else scene.frame_current
            self.last = scene.frame_preview_end if ranged else scene.frame_current + 10
        return context.window_manager.invoke_props_dialog(self)


class ADAPT_MOTION_OT_pin_wrong(_Range, bpy.types.Operator):
    """Say that what was detected of a limb is wrong in these frames; its motion is estimated again without it"""

    bl_idname, bl_label = "adapt_motion.pin_wrong", "Wrong From … To"

    limb: EnumProperty(name="Limb", description="Of which limb", items=pins.LIMB_ITEMS)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Write it down."""
        entry = {"kind": "ignore", "limb": self.limb}
        return self.done(lambda armature: pins.pin_range(armature, f"{self.limb} wrong", self.first, self.last, entry))


class ADAPT_MOTION_OT_pin_swap(_Range, bpy.types.Operator):
    """Say that left and right were exchanged in these frames; the motion is estimated again with them put right"""

    bl_idname, bl_label = "adapt_motion.pin_swap", "Swapped From … To"

    limbs: EnumProperty(name="Limbs", description="What was exchanged", items=SWAPS, default="body")

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Write it down."""
        entry = {"kind": "swap", "limbs": self.limbs}
        return self.done(
            lambda armature: pins.pin_range(armature, f"{self.limbs} swapped", self.first, self.last, entry)
        )


class ADAPT_MOTION_OT_pin_contact(_Range, bpy.types.Operator):
    """Have a foot, a hand or the seat stand still in these frames, where it is on the mean"""

    bl_idname, bl_label = "adapt_motion.pin_contact", "Pin Contact"

    part: EnumProperty(name="What", description="What stands", items=PARTS)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Write it down."""
        entry = {"kind": "contact", "part": self.part}
        return self.done(lambda armature: pins.pin_range(armature, f"{self.part} stands", self.first, self.last, entry))


class ADAPT_MOTION_OT_remove_pin(PinOperator, bpy.types.Operator):
    """Take the chosen pin away; the motion changes when it is adapted again"""

    bl_idname, bl_label = "adapt_motion.remove_pin", "Remove Pin"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Remove it."""

        def remove(armature) -> None:
            armature.adapt_motion_pins.remove(armature.adapt_motion_pin_index)
            armature.adapt_motion_pin_index = max(0, armature.adapt_motion_pin_index - 1)

        return self.done(remove)


class ADAPT_MOTION_OT_go_to_pin(PinOperator, bpy.types.Operator):
    """Go to the frame of the chosen pin"""

    bl_idname, bl_label = "adapt_motion.go_to_pin", "Go to Pin"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Go there."""

        def go(armature) -> None:
            pin = armature.adapt_motion_pins[armature.adapt_motion_pin_index]
            context.scene.frame_set(round(pins.frame_of(armature, pin.time_s)))

        return self.done(go)


class ADAPT_MOTION_OT_adapt_around_pins(RunsEngine, bpy.types.Operator):
    """Have the motion follow the pins: frames farther than two seconds from all of them stay as they are"""

    bl_idname, bl_label = "adapt_motion.adapt_around_pins", "Adapt Around Pins"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Start the engine."""
        armature = chosen.character_of(context)
        try:
            if armature is None:
                raise UserError(messages.tr(messages.NO_CHARACTER) + ".")
            if handles.of(armature):
                bpy.ops.adapt_motion.remove_handles()
            state = pins_run.start(context, armature)
        except UserError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        if state.finished and state.failed:  # without windows it has run by now
            self.report({"ERROR"}, f"{state.message} {state.hint}".strip())
            return {"CANCELLED"}
        return {"FINISHED"}


_CLASSES = (
    ADAPT_MOTION_OT_pin_pose,
    ADAPT_MOTION_OT_pin_limb,
    ADAPT_MOTION_OT_pin_joint,
    ADAPT_MOTION_OT_pin_from_keys,
    ADAPT_MOTION_OT_add_handles,
    ADAPT_MOTION_OT_remove_handles,
    ADAPT_MOTION_OT_pin_wrong,
    ADAPT_MOTION_OT_pin_swap,
    ADAPT_MOTION_OT_pin_contact,
    ADAPT_MOTION_OT_remove_pin,
    ADAPT_MOTION_OT_go_to_pin,
    ADAPT_MOTION_OT_adapt_around_pins,
)
register, unregister = bpy.utils.register_classes_factory(_CLASSES)
