"""Adapt Motion: video of people becomes character motion. This file is `__init__.py` of the add-on's zip."""

bl_info = {  # for Blender 3.4 to 4.1; later ones read blender_manifest.toml
    "name": "Adapt Motion",
    "author": "Adapt Motion contributors",
    "version": (0, 1, 0),
    "blender": (3, 4, 0),
    "location": "3D View > Sidebar > Adapt Motion",
    "description": "Turn video of people into character motion",
    "category": "Animation",
}


def register() -> None:
    """Switch the add-on on."""
    from . import blender_addon

    blender_addon.register()


def unregister() -> None:
    """Switch the add-on off."""
    from . import blender_addon

    blender_addon.unregister()
