"""Rigs that Rigify really makes."""

from __future__ import annotations

import addon_utils
import bpy
import pytest


@pytest.fixture(scope="session")
def rigify_file(tmp_path_factory):
    """A file with Rigify's human metarig and the rig that Rigify generates from it."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    addon_utils.enable("rigify", default_set=True)
    bpy.ops.object.armature_human_metarig_add()
    metarig = bpy.context.object
    metarig.name = "metarig"
    bpy.ops.pose.rigify_generate()
    bpy.context.object.name = "generated"
    path = tmp_path_factory.mktemp("rigify") / "rigify.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    addon_utils.disable("rigify", default_set=True)
    return path


def appended(path, name: str, target):
    with bpy.data.libraries.load(str(path)) as (_, wanted):
        wanted.objects = [name]
    target.collection.objects.link(wanted.objects[0])
    bpy.context.view_layer.update()
    return wanted.objects[0]
