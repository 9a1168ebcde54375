from __future__ import annotations

import json
from dataclasses import replace

import pytest
from adapt_motion.blender_addon.errors import UserError
from adapt_motion.blender_addon.retarget import bone_maps, name_guess

WHOLE = {"name": "Mine", "bones": {joint: f"b_{joint}" for joint in bone_maps.REQUIRED}}


def test_every_preset_is_valid_and_has_a_reason():
    maps, troubles = bone_maps.read_all(bone_maps.FOLDER)
    assert troubles == []
    names = {"Rigify", "Rigify Metarig", "Mixamo", "Unreal 5 Mannequin", "Unity Humanoid", "VRM", "MakeHuman", "SMPL-X"}
    assert names <= {one.name for one in maps}
    assert all(one.about for one in maps)
    assert all(not one.missing() for one in maps)


FAULTS = {
    "no JSON": ("{", "cannot be read"),
    "no bones": ({"name": "x"}, "it has no bones"),
    "no name": ({**WHOLE, "name": " "}, "it has no name"),
    "unknown entry": ({**WHOLE, "bonez": {}}, "nobody knows its entry bonez"),
    "unknown joint": ({**WHOLE, "bones": {**WHOLE["bones"], "tail": "x"}}, "no joint tail"),
    "no text": ({**WHOLE, "bones": {**WHOLE["bones"], "head": 3}}, "bone of head is no name"),
    "twice": ({**WHOLE, "bones": {**WHOLE["bones"], "head": "b_pelvis"}}, "b_pelvis is there twice"),
    "incomplete": ({**WHOLE, "bones": {"pelvis": "x"}}, "no bone for left_hip"),
    "bad follows": ({**WHOLE, "follows": {"a": 1}}, "follows is no table"),
    "bad properties": ({**WHOLE, "properties": {"a": {"b": "c"}}}, "a property is no number"),
    "bad marks": ({**WHOLE, "marks": "torso"}, "marks is no list"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_damaged_files_are_reported(tmp_path, fault):
    content, sentence = FAULTS[fault]
    path = tmp_path / "map.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(UserError, match=sentence):
        bone_maps.read(path)
    maps, troubles = bone_maps.read_all(tmp_path)
    assert maps == []
    assert str(path) in troubles[0]


def test_saved_maps_come_back(tmp_path):
    ours = bone_maps.BoneMap("Héros / 2", WHOLE["bones"], "for the film", {"a": "b"}, {"c": {"IK_FK": 1.0}}, ("a",))
    path = bone_maps.write(ours, tmp_path / "new")
    assert path.parent == tmp_path / "new"
    assert replace(bone_maps.read(path), path=None) == ours
    bone_maps.write(replace(ours, about="again"), tmp_path / "new")
    assert [one.about for one in bone_maps.read_all(tmp_path / "new")[0]] == ["again"]
    with pytest.raises(UserError, match="no bone for pelvis"):
        bone_maps.write(bone_maps.BoneMap("x", {}), tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="could not be written"):
        bone_maps.write(ours, tmp_path / "file")


def test_the_users_map_wins_over_one_of_the_same_name(tmp_path):
    mixamo = next(one for one in bone_maps.read_all(bone_maps.FOLDER)[0] if one.name == "Mixamo")
    bone_maps.write(replace(mixamo, about="mine"), tmp_path)
    maps, _ = bone_maps.read_all(bone_maps.FOLDER, tmp_path)
    assert [one.about for one in maps if one.name == "Mixamo"] == ["mine"]


@pytest.mark.parametrize("prefix", ["", "mixamorig:", "mixamorig7:", "Player_"])
def test_prefixes_are_found(prefix):
    mixamo = next(one for one in bone_maps.read_all(bone_maps.FOLDER)[0] if one.name == "Mixamo")
    names = [prefix + name for name in mixamo.bones.values()] + ["something else"]
    fit, count = bone_maps.fitted(mixamo, names)
    assert count == len(mixamo.bones)
    assert fit.bones["left_hip"] == f"{prefix}LeftUpLeg"


def test_what_a_rig_lacks_is_left_out_and_its_prefix_put_before_all_names():
    whole = bone_maps.BoneMap(
        "x",
        {"pelvis": "hip", "head": "head"},
        follows={"a": "b", "c": "gone", "lost": "b"},
        properties={"hip": {"ik": 0.0}, "gone": {"ik": 1.0}},
        marks=("mark",),
    )
    fit, count = bone_maps.fitted(whole, ["p_hip", "p_a", "p_b", "p_c", "p_mark"])
    assert (fit.bones, count) == ({"pelvis": "p_hip"}, 1)
    assert fit.follows == {"p_a": "p_b"}
    assert fit.properties == {"p_hip": {"ik": 0.0}}
    assert fit.marks == ("p_mark",)


def chain(*names: str) -> dict:
    return {name: parent for parent, name in zip((None, *names), names, strict=False)}


GUESSES = {
    "daz": (("hip", "pelvis"), ("l{}", "r{}"), ("ThighBend", "Shin", "Foot"),
            ("Collar", "ShldrBend", "ForearmBend", "Hand")),
    "biped": (("Bip01", "Bip01 Pelvis"), ("Bip01 L {}", "Bip01 R {}"), ("Thigh", "Calf", "Foot"),
              ("Clavicle", "UpperArm", "Forearm", "Hand")),
    "reallusion": (("CC_Base_BoneRoot", "CC_Base_Hip"), ("CC_Base_L_{}", "CC_Base_R_{}"), ("Thigh", "Calf", "Foot"),
                   ("Clavicle", "Upperarm", "Forearm", "Hand")),
}  # fmt: skip


@pytest.mark.parametrize("name", GUESSES)
def test_names_of_other_programs_are_recognised(name):
    middle, sides, leg, arm = GUESSES[name]
    hips = middle[-1]
    parents: dict[str, str | None] = chain(*middle, "Spine", "Chest")
    for pattern in sides:
        for limb, start in ((leg, hips), (arm, "Chest")):
            names = [pattern.format(part) for part in limb]
            parents |= dict(zip(names, (start, *names), strict=False))
        parents[pattern.format("Twist")] = pattern.format(leg[0])
        parents[pattern.format("Thumb1")] = pattern.format(arm[-1])
    found = name_guess.guess(parents)
    assert not found.missing()
    assert found.bones["left_hip"] == sides[0].format(leg[0])
    assert found.bones["right_elbow"] == sides[1].format(arm[2])
    assert found.bones["left_collar"] == sides[0].format(arm[0])
    assert bone_maps.faults(found, parents) == []


def test_faults_of_a_map_for_a_rig():
    parents = chain(*WHOLE["bones"].values())
    ours = bone_maps.BoneMap("x", {**WHOLE["bones"], "left_wrist": "gone", "right_knee": "b_pelvis"})
    reply = " ".join(bone_maps.faults(ours, parents))
    assert "The rig has no bone gone." in reply
    assert "b_pelvis is there twice: pelvis and right knee." in reply


def test_a_rig_that_goes_in_a_circle_ends_the_search():
    assert bone_maps._line("a", {"a": "b", "b": "a"}, {})[:2] == ["b", "a"]
