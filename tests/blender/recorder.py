"""A stand-in for a panel's layout, since nothing is drawn without a window. Holds a panel to Blender's rules."""

from __future__ import annotations

import bpy

ICONS = set(bpy.types.UILayout.bl_rna.functions["label"].parameters["icon"].enum_items.keys())


class Layout:
    """Takes what a panel draws and fails where Blender would draw an error: unknown properties, operators and icons."""

    def __init__(self, texts: list[str] | None = None, operators: list[str] | None = None) -> None:
        self.texts = [] if texts is None else texts
        self.operators = [] if operators is None else operators

    def row(self, **_options) -> Layout:
        return Layout(self.texts, self.operators)

    box = column = split = row

    def separator(self, **_options) -> None:
        pass

    def label(self, text: str = "", icon: str = "NONE", translate: bool = True) -> None:
        assert icon in ICONS, icon
        self.texts.append(text)

    def progress(self, factor: float, text: str) -> None:
        assert 0 <= factor <= 1
        self.texts.append(text)

    def prop(self, data, name: str, text: str | None = None, icon: str = "NONE", **_options) -> None:
        assert icon in ICONS, icon
        if name.startswith("["):  # a custom property
            assert data.get(name[2:-2]) is not None, name
            self.texts.append(text or name)
            return
        assert name in data.bl_rna.properties, name
        assert data.bl_rna.properties[name].description
        self.texts.append(text or data.bl_rna.properties[name].name)

    def menu(self, name: str, text: str | None = None, icon: str = "NONE") -> None:
        assert icon in ICONS, icon
        self.texts.append(getattr(bpy.types, name).bl_label if text is None else text)

    def operator(
        self, name: str, text: str | None = None, icon: str = "NONE", emboss: bool = True, icon_value: int = 0
    ) -> Button:
        assert icon in ICONS, icon
        module, function = name.split(".")
        kind = getattr(getattr(bpy.ops, module), function).get_rna_type()  # raises KeyError if there is none
        self.operators.append(name)
        self.texts.append(kind.name if text is None else text)
        return Button(kind)

    def template_list(self, kind: str, _name: str, data, items: str, active, index: str, **_options) -> None:
        assert hasattr(bpy.types, kind), kind
        assert items in data.bl_rna.properties, items
        assert index in active.bl_rna.properties, index
        self.texts.append(kind)

    def template_icon(self, icon_value: int, scale: float) -> None:
        assert icon_value > 0


class Button:
    """The options of a button, which have to be options of its operator."""

    def __init__(self, kind) -> None:
        object.__setattr__(self, "_kind", kind)

    def __setattr__(self, name: str, value) -> None:
        assert name in self._kind.properties, (self._kind.identifier, name)


def draw(panel, context, item=None) -> Layout:
    """What a panel, preferences or operator class draws, or a list's class of an item. It needs only its layout."""
    layout = Layout()
    if item is not None:
        panel.draw_item(None, context, layout, None, item, 0, None, "")
        return layout
    stand_in = type("StandIn", (), {"layout": layout, "__getattr__": lambda self, name: getattr(panel, name)})()
    panel_class = panel if isinstance(panel, type) else type(panel)
    panel_class.draw(stand_in, context)
    return layout
