"""Calls that are noted instead of made, where a test asks only what they were given."""

import inspect
from types import SimpleNamespace

import keras

import tfvae
from tfvae import evaluation
from tfvae.app import runs


def record(monkeypatch, owner, name, returns=None, like=None):
    """Replaces `owner.name` by a function that notes what it is given.

    Args:
        monkeypatch: pytest's, which puts the function back.
        owner: a module or a class.
        name: of the function in it.
        returns: what each call gives.
        like: a function with the signature to read arguments by; default the one replaced.

    Returns:
        A list that grows by the arguments of each call, `{parameter: value}`, defaults included.
    """
    signature = inspect.signature(like or getattr(owner, name))
    calls = []

    def note(*arguments, **options):
        bound = signature.bind(*arguments, **options)
        bound.apply_defaults()
        calls.append(bound.arguments)
        return returns

    monkeypatch.setattr(owner, name, note)
    return calls


def record_run(monkeypatch):
    """Notes what takes long in a run: training, evaluation, conversion and pictures.

    Returns:
        The lists of calls by name: `fit`, `evaluate`, `to_tflite`, `to_saved_model`, `to_web`,
        `to_app`, `draw_samples`, `write_page`; and what the run is told: `report` of the
        evaluation, `parity` of the file.
    """
    # No two numbers are equal, so that each can be told where it is printed or written.
    numbers = {name: i + 1 for i, name in enumerate(evaluation.Report.__dataclass_fields__)}
    report = evaluation.Report(**{**numbers, "binarization": None, "exact": False})
    names = ("max_abs_error_x", "max_abs_error_z", "mean_abs_error_x", "distortion_change_nats")
    parity = {name: i / 8 for i, name in enumerate(names, 1)}
    parity |= {"samples": 64, "distortion_measured_on": "nothing"}
    export = tfvae.export
    return SimpleNamespace(
        fit=record(monkeypatch, tfvae.VAE, "fit", like=keras.Model.fit),
        evaluate=record(monkeypatch, evaluation, "evaluate", report),
        to_tflite=record(monkeypatch, export, "to_tflite", {"quality": parity}),
        to_saved_model=record(monkeypatch, export, "to_saved_model"),
        to_web=record(monkeypatch, export, "to_web"),
        to_app=record(monkeypatch, export, "to_app", {"bytes": 1}),
        draw_samples=record(monkeypatch, runs, "draw_samples"),
        write_page=record(monkeypatch, runs, "write_page"),
        report=report,
        parity=parity,
    )
