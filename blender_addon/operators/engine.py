"""Install the engine, check it, and read what it wrote into the log."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import bpy
from bpy.props import StringProperty

from .. import messages
from ..blender import compat, drawing
from ..errors import UserError
from ..run import engine_home, health, job, prefs, running
from ..run.job import EventSource
from ..run.run_state import RunState

if TYPE_CHECKING:
    from ..run.install import Plan

WIDTH = 460
"""Of the prompt, pixels at scale 1."""

LOG_TEXT = "Adapt Motion Log"
LOG_LIMIT = 200_000
"""Characters of the end of a log that are shown."""


def plan_for(context) -> Plan:
    """What *Install Engine* would do with the preferences as they are. Raises UserError if they cannot be read."""
    machine = prefs.get(context)
    build = machine.build if machine else "cpu"
    from ..run import install

    return install.make_plan(prefs.environment_folder(), build, machine.installer_arguments if machine else "")


class ADAPT_MOTION_OT_install_engine(bpy.types.Operator):
    """Make the engine's own Python environment in your user folder. Says first what it will download"""

    bl_idname, bl_label, bl_options = "adapt_motion.install_engine", "Install Engine", {"REGISTER"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs the internet, unless a folder of packages was named, and that nothing runs."""
        machine = prefs.get(context)
        local = machine is not None and "--no-index" in machine.installer_arguments
        problem = messages.BUSY if running.busy() else "" if compat.online() or local else messages.OFFLINE
        if problem:
            cls.poll_message_set(messages.tr(problem))
        return not problem

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Ask first."""
        try:
            self.plan = plan_for(context)
        except UserError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return context.window_manager.invoke_props_dialog(self, width=WIDTH)

    def draw(self, context: bpy.types.Context) -> None:
        """What is downloaded, how large it is, and where it goes."""
        plan, layout = self.plan, self.layout
        about = messages.tr("About {size} MB will be downloaded:", size=f"{plan.download_mb:,}")
        layout.label(text=about, icon="IMPORT")
        table = layout.box().column(align=True)
        table.scale_y = 0.8
        for name, size in plan.items:
            row = table.row()
            row.label(text=name)
            right = row.row()
            right.alignment = "RIGHT"
            right.label(text=f"{size:,} MB")
        how = messages.tr("by pip, with a Python 3.11 or newer of this computer")
        if plan.uv:
            how = messages.tr("by uv ({path})", path=plan.uv)
        size = f"{plan.disk_mb / 1000:.1f}"
        text = messages.tr("It takes about {size} GB of disk in {folder},", size=size, folder=plan.folder)
        drawing.draw_text(layout, text, WIDTH)
        text = messages.tr("installed {how}. Blender's own Python is not touched.", how=how)
        drawing.draw_text(layout, text, WIDTH)
        for note in plan.notes:
            drawing.draw_text(layout, note, WIDTH, "INFO")

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Begin."""
        try:
            plan = plan_for(context)
            from ..run import install

            source = install.Installer(plan, job.new_log(prefs.log_folder(), "install"))
        except (UserError, OSError) as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        running.start(RunState("install", source), _installed)
        state = running.latest()
        if state.finished and state.failed:  # without windows it has run by now
            self.report({"ERROR"}, f"{state.message} {state.hint}")
            return {"CANCELLED"}
        return {"FINISHED"}


def _installed(state: RunState) -> None:
    prefs.forget_engine()
    if state.finding is not None and not state.failed and not state.cancelled:
        card = f" on {state.finding['gpu']}" if state.finding["gpu"] else ""
        state.message = f"The engine is installed and runs{card}."


class WithEngine:
    """Operators that start the engine's Python for a moment."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs an environment, and that nothing runs."""
        problem = messages.BUSY if running.busy() else ""
        if not problem and prefs.engine(context).state is engine_home.EngineState.MISSING:
            problem = prefs.engine(context).problem
        if problem:
            cls.poll_message_set(messages.tr(problem))
        return not problem

    def _start(self, kind: str, begin: Callable[[Path], EventSource], at_end: running.AtEnd) -> set[str]:
        """Start what `begin` starts with the engine's Python; `at_end` reads the answer."""
        prefs.forget_engine()
        python = prefs.engine().python
        try:
            source = begin(python)
        except OSError as error:
            self.report({"ERROR"}, f"{python} could not be started: {error}.")
            return {"CANCELLED"}
        running.start(RunState(kind, source, stage=kind), at_end)
        state = running.latest()
        if state.finished and state.failed:
            self.report({"ERROR"}, f"{state.message} {state.hint}")
            return {"CANCELLED"}
        return {"FINISHED"}


class ADAPT_MOTION_OT_check_engine(WithEngine, bpy.types.Operator):
    """Start the engine's Python once and see whether everything that the engine needs is there and loads"""

    bl_idname, bl_label, bl_options = "adapt_motion.check_engine", "Check Engine", {"REGISTER"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Start the check; the answer is shown when it comes."""
        log = job.new_log(prefs.log_folder(), "check")
        return self._start("check", lambda python: engine_home.start_check(python, log), _checked)


def _checked(state: RunState) -> None:
    if state.cancelled:
        return
    finding = state.finding
    if finding is None or finding["problems"]:
        problem = finding["problems"][0] if finding else "Its Python does not start."
        state.message, state.failed = f"The engine does not run. {problem}", True
        state.hint = "Press Install Engine, or choose another environment in the preferences."
        return
    card = finding["gpu"] or "the processor"
    state.message = f"The engine runs: Python {finding['python']}, PyTorch {finding['versions']['torch']}, on {card}."


class ADAPT_MOTION_OT_doctor(WithEngine, bpy.types.Operator):
    """Look at everything that the engine needs or could use: packages, devices, your SMPL file, research weights"""

    bl_idname, bl_label, bl_options = "adapt_motion.doctor", "Doctor", {"REGISTER"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Ask the engine; the answer is shown in the preferences when it comes."""
        machine = prefs.get(context)
        body = os.path.abspath(bpy.path.abspath(machine.body_model)) if machine and machine.body_model else ""
        extra = prefs.engine_variables(context)
        log = job.new_log(prefs.log_folder(), "doctor")
        return self._start("doctor", lambda python: engine_home.start_doctor(python, log, body, extra), _examined)


def _examined(state: RunState) -> None:
    if state.cancelled:
        return
    if state.finding is None:
        state.fail(UserError("The engine's doctor did not answer.", "Press Check Engine, and see the log."))
        return
    health.remember(state.finding)
    state.message, state.hint = health.summary(state.finding)
    state.failed = bool(state.hint)


class ADAPT_MOTION_OT_store_key(WithEngine, bpy.types.Operator):
    """Keep the labelling service's key in your system's keyring. It is in no .blend file and no log"""

    bl_idname, bl_label, bl_options = "adapt_motion.store_key", "Store Key", {"INTERNAL"}

    key: StringProperty(
        name="Key", description="The service's key", subtype="PASSWORD", options={"SKIP_SAVE", "HIDDEN"}
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Ask for it."""
        return context.window_manager.invoke_props_dialog(self, width=WIDTH)

    def draw(self, context: bpy.types.Context) -> None:
        """One field that shows no letters."""
        self.layout.prop(self, "key")

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Hand it to the engine's Python, which has the keyring."""
        key, self.key = self.key.strip(), ""
        if not key:
            self.report({"ERROR"}, "No key was given.")
            return {"CANCELLED"}
        log = job.new_log(prefs.log_folder(), "key")
        return self._start("key", lambda python: engine_home.start_key_store(python, log, ["set"], key), _key_answered)


class ADAPT_MOTION_OT_forget_key(WithEngine, bpy.types.Operator):
    """Take the labelling service's key out of your system's keyring"""

    bl_idname, bl_label, bl_options = "adapt_motion.forget_key", "Forget Key", {"INTERNAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Remove it."""
        log = job.new_log(prefs.log_folder(), "key")
        return self._start("key", lambda python: engine_home.start_key_store(python, log, ["delete"]), _key_answered)


def _key_answered(state: RunState) -> None:
    if state.finding is None:
        state.fail(UserError("The system's keyring did not answer.", "Set OPENAI_API_KEY before starting Blender."))
        return
    health.remember_key(state.finding)
    if state.finding["problem"]:
        state.fail(UserError(state.finding["problem"], "Set OPENAI_API_KEY before starting Blender."))
    else:
        state.message = health.key_text()


class ADAPT_MOTION_OT_open_log(bpy.types.Operator):
    """Show the log of the last run in a text editor"""

    bl_idname, bl_label, bl_options = "adapt_motion.open_log", "Open Log", {"REGISTER", "INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs a run since Blender was started."""
        if running.latest() is None:
            cls.poll_message_set(messages.tr(messages.NO_LOG))
        return running.latest() is not None

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Put the log into a text block and show that, in a window of its own if no text editor is open."""
        log = running.latest().source.log
        try:
            content = log.read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            self.report({"ERROR"}, f"{log} cannot be read: {error.strerror}.")
            return {"CANCELLED"}
        text = bpy.data.texts.get(LOG_TEXT) or bpy.data.texts.new(LOG_TEXT)
        text.clear()
        text.write(f"{log}\n\n{content[-LOG_LIMIT:] or 'The log is empty.'}")
        text.cursor_set(0)
        if not bpy.app.background:
            _show(context, text)
        return {"FINISHED"}


def _show(context, text) -> None:
    editors = [area for window in context.window_manager.windows for area in window.screen.areas]
    editors = [area for area in editors if area.type == "TEXT_EDITOR"]
    if not editors:
        bpy.ops.wm.window_new()
        area = context.window_manager.windows[-1].screen.areas[0]
        area.type = "TEXT_EDITOR"
        editors = [area]
    editors[0].spaces.active.text = text
    editors[0].spaces.active.top = 0


class ADAPT_MOTION_OT_dismiss(bpy.types.Operator):
    """Take the message away"""

    bl_idname, bl_label, bl_options = "adapt_motion.dismiss", "Dismiss", {"INTERNAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Forget the last run."""
        running.dismiss()
        return {"FINISHED"}


class ADAPT_MOTION_OT_open_preferences(bpy.types.Operator):
    """Open the add-on's preferences: where the engine is, its device, your own SMPL file"""

    bl_idname, bl_label, bl_options = "adapt_motion.open_preferences", "Adapt Motion Preferences", {"INTERNAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Show them."""
        bpy.ops.preferences.addon_show(module=prefs.PACKAGE)
        return {"FINISHED"}


_CLASSES = (
    ADAPT_MOTION_OT_install_engine,
    ADAPT_MOTION_OT_check_engine,
    ADAPT_MOTION_OT_doctor,
    ADAPT_MOTION_OT_store_key,
    ADAPT_MOTION_OT_forget_key,
    ADAPT_MOTION_OT_open_log,
    ADAPT_MOTION_OT_dismiss,
    ADAPT_MOTION_OT_open_preferences,
)
register, unregister = bpy.utils.register_classes_factory(_CLASSES)
