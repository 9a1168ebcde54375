"""What the panel asks, kept in the scene: one group, `Scene.adapt_motion`, with lists of people, labels and clips."""

from __future__ import annotations

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    FloatProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)

from ...engine import protocol
from ..blender import compat
from ..character import clip_times, footage, label_times
from ..retarget.properties import ADAPT_MOTION_PG_retarget
from ..run import clip_memory, dictionary, results

PRESETS = (
    ("balanced", "Balanced", "The best result for everyday footage"),
    ("fast", "Fast", "A lighter detector and fewer steps: a first look in a fraction of the time"),
    ("paper", "Paper", "The numbers of the publication, for comparison with it"),
)
BACKBONES = (
    ("landmark", "Network + Adaptation", "A pose network, fine-tuned on this clip and its labels"),
    (
        "fit",
        "Keypoint Fit",
        "Body and pose fitted to the keypoints, without a network. Labels are kept but do not change the motion",
    ),
    ("hmr", "HMR", "A published network, fine-tuned to this clip; needs its weights, see the preferences"),
    ("hmr2", "HMR 2.0", "A published network, fine-tuned to this clip; needs its weights, see the preferences"),
)
PEOPLE = (
    ("main", "Main Person", "The person who is largest, most central and longest in view"),
    ("all", "Everybody", "Every person found; each becomes a character of their own"),
)
CAMERAS = (
    ("guess", "Automatic", "Followed where it turns. Focal length from the file's metadata, else estimated from the "
     "size of the picture"),
    ("still", "Stands Still", "Not followed, whatever moves in the background. Focal length as with Automatic"),
    ("clip", "Movie Clip", "Lens, its distortion and the middle of the picture as the Movie Clip's camera has them"),
    ("solved", "Camera Track", "The Movie Clip's solved camera: the motion lands in the solved scene, "
     "although the camera moves"),
)  # fmt: skip
STATUSES = (
    ("waiting", "Waiting", "Not begun yet"),
    ("running", "Running", "The engine works on it"),
    ("done", "Done", "The motion is there"),
    ("failed", "Failed", "It ended with an error"),
    ("stopped", "Stopped", "It was cancelled or interrupted, and goes on from there when run again"),
)


def _footage_changed(settings, context) -> None:
    clip_memory.switch(settings, context)
    results.changed(settings, context)


def _is_armature(_group, candidate) -> bool:
    return candidate.type == "ARMATURE"


def _search_action(_group, _context, text: str) -> list[str]:
    return dictionary.search(text)


class ADAPT_MOTION_PG_person(bpy.types.PropertyGroup):
    """Somebody in the footage."""

    number: IntProperty(name="Number", description="Counted from the one most in view", default=1, min=1)
    use: BoolProperty(name="Adapt", description="Make a character of this person", default=True)
    first_s: FloatProperty(name="From", description="When they are first seen", unit="TIME_ABSOLUTE")
    last_s: FloatProperty(name="To", description="When they are last seen", unit="TIME_ABSOLUTE")
    seen_s: FloatProperty(name="In View", description="How long they are in view", unit="TIME_ABSOLUTE")
    occluded: FloatProperty(
        name="Hidden",
        description="How much of them is hidden while they are in view",
        subtype="PERCENTAGE",
        min=0.0,
        max=100.0,
        precision=0,
    )
    stretches: IntProperty(name="Times", description="How many times they are in view", default=1, min=1)
    thumbnail: StringProperty(name="Picture", description="File with their picture", subtype="FILE_PATH")
    boxes: StringProperty(name="Boxes", description="Where they are in the picture over time, as JSON")


class ADAPT_MOTION_PG_label(bpy.types.PropertyGroup):
    """A stretch of the footage in which one action is done. Frames are the scene's; the end is its last frame."""

    label: StringProperty(
        name="Action",
        description="What is done, in a word or two. The actions that the engine knows are offered; any words will do",
        search=_search_action,
        search_options={"SUGGESTION"},
        update=label_times.edited,
    )
    frame_start: IntProperty(name="Start", description="First frame of the action", update=label_times.edited)
    frame_end: IntProperty(name="End", description="Last frame of the action", update=label_times.edited)
    start_s: FloatProperty(name="From", description="Second of the footage that the start was laid from")
    end_s: FloatProperty(name="To", description="Second of the footage that the end was laid from")
    similarity: FloatProperty(
        name="Similarity",
        description="How well the motion agrees with the action, as measured in the last run; 0: not measured",
        min=0.0,
        max=1.0,
        subtype="FACTOR",
    )


class ADAPT_MOTION_PG_clip(bpy.types.PropertyGroup):
    """A clip in the queue with the settings that it was put in with."""

    footage: StringProperty(name="Footage", description="The clip", subtype="FILE_PATH")
    job: StringProperty(name="Settings", description="The engine's job, as JSON")
    status: EnumProperty(name="Status", description="How far it is", items=STATUSES, default="waiting")
    message: StringProperty(name="Message", description="How it ended")
    motions: StringProperty(name="Results", description="Motion files, as a JSON list")
    frame: IntProperty(name="First Frame", description="Frame of the scene at which the clip begins", default=1)


class ADAPT_MOTION_PG_kept(bpy.types.PropertyGroup):
    """What belongs to footage that is not in the panel now (`clip_memory`)."""

    footage: StringProperty(name="Footage", description="The clip")
    state: StringProperty(name="Settings", description="Labels, people and settings, as JSON")
    movie_clip: PointerProperty(name="Movie Clip", type=bpy.types.MovieClip)
    character: PointerProperty(name="Character", type=bpy.types.Object)


class ADAPT_MOTION_PG_scene(bpy.types.PropertyGroup):
    """Settings of the next run, and where the last one left its result."""

    footage: StringProperty(
        name="Footage",
        description="Video file, or folder of images, of somebody moving. // is the folder of the .blend file",
        update=_footage_changed,
    )
    kept: CollectionProperty(name="Footage", type=ADAPT_MOTION_PG_kept)
    kept_for: StringProperty(name="Footage", description="Footage that labels, people and first frame belong to")
    movie_clip: PointerProperty(
        name="Movie Clip", description="The footage as Blender's Movie Clip", type=bpy.types.MovieClip
    )
    footage_start: IntProperty(
        name="First Frame",
        description="Frame of the scene at which the footage begins; characters, camera and labels move along",
        default=1,
        update=clip_times.start_moved,
    )
    laid_rate: StringProperty(name="Frame Rate", description="Frame rate that footage and labels are laid for")
    laid_start: IntProperty(
        name="First Frame", description="First frame that footage and labels are laid from", default=1
    )
    use_preview_range: BoolProperty(
        name="Preview Range Only",
        description="Work on the timeline's preview range alone (P in the timeline sets it), if there is one",
        default=True,
    )
    output_folder: StringProperty(
        name="Output",
        description="Folder that takes a folder of results for each clip. Empty: adapt_motion beside the .blend file, "
        "or in your home folder while the file is not saved",
        subtype="DIR_PATH",
        options=compat.RELATIVE_PATH,
        update=results.changed,
    )
    preset: EnumProperty(
        name="Preset",
        description="How much care is taken, against how long it takes",
        items=PRESETS,
        default="balanced",
    )
    backbone: EnumProperty(
        name="Pose Estimation",
        description="What estimates the pose",
        items=BACKBONES,
        default=protocol.Job.backbone,
    )
    mirrored: BoolProperty(
        name="Mirrored",
        description="The footage is mirrored, as selfies are: it is flipped back, so that left is left",
        default=False,
        update=footage.mirrored_changed,
    )
    camera_source: EnumProperty(
        name="Camera", description="What is known of the camera that took the footage", items=CAMERAS, default="guess"
    )
    person: EnumProperty(
        name="Person",
        description="Whose motion is taken, as long as the people in the footage are not listed",
        items=PEOPLE,
        default="main",
    )
    height_m: FloatProperty(
        name="Height",
        description="How tall the person stands, as far as you know it: size, depth and path follow it. 0: not known",
        default=0.0,
        min=0.0,
        max=protocol.MOST_HEIGHT_M,
        soft_max=2.2,
        precision=2,
        step=1,
        unit="LENGTH",
    )
    performer: StringProperty(
        name="Performer",
        description="Name of the person, if you like: their next clip in this output folder begins where this one ends",
        maxlen=60,
    )
    people: CollectionProperty(type=ADAPT_MOTION_PG_person)
    people_index: IntProperty(name="Person", description="The person that is chosen in the list", default=0)
    people_of: StringProperty(name="People Of", description="Footage that the list of people belongs to")
    people_edits: StringProperty(
        name="Edits", description="People of the list who were merged and split, as JSON as the engine takes them"
    )
    show_people: BoolProperty(
        name="People in the Picture",
        description="Draw boxes with the numbers of the people over the footage",
        default=False,
    )
    labels: CollectionProperty(type=ADAPT_MOTION_PG_label)
    label_index: IntProperty(name="Label", description="The label that is chosen in the list", default=0)
    marks: StringProperty(name="Marks", description="Markers that the labels have written, as JSON")
    queue: CollectionProperty(type=ADAPT_MOTION_PG_clip)
    queue_index: IntProperty(name="Clip", description="The clip that is chosen in the queue", default=0)
    show_keypoints: BoolProperty(
        name="Keypoints",
        description="Draw the keypoints over the footage: white where they were seen, orange where they were filled in",
        default=False,
    )
    show_ghost: BoolProperty(
        name="Ghost",
        description="Draw the motion before adaptation over the adapted one, or the adapted one over it, in orange",
        default=False,
    )
    show_onion: BoolProperty(
        name="Onion Skin",
        description="Draw the character at frames before, in blue, and after, in green",
        default=False,
    )
    onion_step: IntProperty(name="Step", description="Frames from one to the next", default=10, min=1, soft_max=60)
    onion_count: IntProperty(name="Count", description="How many on either side", default=2, min=1, max=10)
    retarget: PointerProperty(type=ADAPT_MOTION_PG_retarget)
    motion_path: StringProperty(
        name="Motion File", description="Result of the last run, to be brought in again", subtype="FILE_PATH"
    )
    character: PointerProperty(
        name="Character",
        description="Armature of the last result; it is exported if no other character is selected",
        type=bpy.types.Object,
        poll=_is_armature,
    )


_CLASSES = (
    ADAPT_MOTION_PG_person,
    ADAPT_MOTION_PG_label,
    ADAPT_MOTION_PG_clip,
    ADAPT_MOTION_PG_kept,
    ADAPT_MOTION_PG_scene,
)


def register() -> None:
    """Register the groups and attach the scene's."""
    for cls in _CLASSES:
        bpy.utils.register_class(cls)
    bpy.types.Scene.adapt_motion = PointerProperty(type=ADAPT_MOTION_PG_scene)


def unregister() -> None:
    """Undo `register`."""
    del bpy.types.Scene.adapt_motion
    for cls in reversed(_CLASSES):
        bpy.utils.unregister_class(cls)
