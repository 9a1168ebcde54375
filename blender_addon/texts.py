"""What panels and preferences say when nothing is wrong. No `bpy` in here."""

from __future__ import annotations

VLM_CONSENT = (
    "Pictures cut out around the person, eight from every two seconds of the footage, are sent to {server}, "
    "one request for each two seconds. At most {requests} requests and {cost:g} dollars; answers are kept, "
    "so nothing is sent twice."
)
UNNAMED = "(no action)"
NOT_EXAMINED = "Press Examine to see in words what is there and what is missing."
KEY_IN_ENVIRONMENT = "The key comes from the environment (OPENAI_API_KEY)."
KEY_UNKNOWN = "The key is kept in your system's keyring, or comes from OPENAI_API_KEY."
KEY_STORED = "The key is in your system's keyring."
RATES_DIFFER = (
    "The clip has {clip} frames a second, the scene {scene}: it plays at its speed, with keys between frames."
)
TOO_SLOW = "Laid out for {laid} frames a second, and the scene runs at {scene}: {times:.3g} times too slow."
TOO_FAST = "Laid out for {laid} frames a second, and the scene runs at {scene}: {times:.3g} times too fast."
OTHER_SHAPE = "The scene's resolution has another shape than the footage's camera was set for."
FINISHED_BEFORE = "There are finished results of this footage: {people}."
RANGE = "Frames {first} to {last}"
KEY_TYPES = (
    "Keys estimated for hidden joints have the keyframe type Jitter; keys of visible joints are plain keyframes."
)
PICK_PEOPLE = "Click whom to adapt; Shift: several; Esc: end"
DRAG_KEYPOINTS = "Drag keypoints; click: show; H: hide; X: put back; Esc: end"
IN_VIEW = "{first} to {last}"
HIDDEN = "{percent:.0f} % hidden"
ACTION_ADDED = "'{label}' is an action now. Its motion is most like: {motion}."
ACTION_WORDS = "Its words are most like: {words}."
