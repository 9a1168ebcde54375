"""Finished motions of made-up people."""

from engine.evaluation import finished as engine_finished


def finished(body, person, track, prediction=None):
    """The stretch of somebody whose motion is `prediction`, or the true one."""
    return engine_finished.finished(prediction or person.prediction, track, person.camera, body)
