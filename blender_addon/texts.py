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
RATES_DIFFER = "The clip runs at {clip} frames a second, the scene at {scene}."
FINISHED_BEFORE = "There are finished results of this footage: {people}."
SET_RATE = "Set Scene to {rate} fps"
RANGE = "Frames {first} to {last}"
KEY_TYPES = (
    "Keys estimated for hidden joints have the keyframe type Jitter; keys of visible joints are plain keyframes."
)
IN_VIEW = "{first} to {last}"
HIDDEN = "{percent:.0f} % hidden"
