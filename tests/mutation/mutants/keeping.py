"""Mistakes in what is kept of a training, and in what is left alone on the disk."""

from tests.mutation.mutant import Mutant

MUTANTS = [
    Mutant(
        name="order-drawn-anew",
        path="tfvae/training/epoch_reader.py",
        old='self._begin_pass(position["order"])',
        new="self._begin_pass()",
        note="A training that goes on within an epoch takes the examples in another order.",
    ),
    Mutant(
        name="batches-read-again",
        path="tfvae/training/epoch_reader.py",
        old='itertools.islice(self._batches, position["read"])',
        new="itertools.islice(self._batches, 0)",
        note="A training that goes on within an epoch takes its first batches again.",
    ),
    Mutant(
        name="dataset-not-read-up-to-there",
        path="tfvae/training/batch_sources.py",
        old="        for _ in range(count):\n            for _",
        new="        for _ in range(0):\n            for _",
        note="A shuffled dataset has the order of its first pass again.",
    ),
    Mutant(
        name="sign-of-min-delta-flipped",
        path="tfvae/callbacks/state.py",
        old='if "min_delta" in attributes:',
        new="if False:",
        note="Callbacks that monitor a metric take worse values for better ones.",
    ),
    Mutant(
        name="metrics-not-kept",
        path="tfvae/callbacks/state.py",
        old="        *model.metrics_variables,\n",
        new="",
        note="The logs of an epoch that goes on are those of its later part.",
    ),
    Mutant(
        name="altered-checkpoint-taken",
        path="tfvae/callbacks/file.py",
        old="if hashlib.sha256(data).hexdigest() != named:",
        new="if False:",
        note="An altered checkpoint is taken for whole.",
    ),
    Mutant(
        name="trainings-not-told-apart",
        path="tfvae/callbacks/checkpoint.py",
        old="        if differing:\n",
        new="        if False:\n",
        note="A training goes on from the checkpoint of another.",
    ),
    Mutant(
        name="interrupt-not-heard",
        path="tfvae/callbacks/checkpoint.py",
        old="        if self._interrupt.came:\n            told",
        new="        if False:\n            told",
        note="Ctrl-C writes a checkpoint after every step and ends nothing.",
    ),
    Mutant(
        name="users-folder-replaced",
        path="tfvae/_files/listing.py",
        old="    if others:\n        return others\n",
        new="",
        note="A SavedModel takes the place of a folder with other files in subfolders.",
    ),
    Mutant(
        name="links-replaced",
        path="tfvae/_files/places.py",
        old='    if kind == "a symbolic link":',
        new='    if kind == "no link":',
        note="The message of a link says nothing of where it leads.",
    ),
    Mutant(
        name="left-by-living-writers-removed",
        path="tfvae/_files/beside.py",
        old="if _runs(int(found[1])) and",
        new="if False and",
        note="A writer's folder is removed before it holds its lock.",
    ),
    Mutant(
        name="pictures-not-told-apart",
        path="tfvae/plots.py",
        old='start.startswith(b"\\x89PNG") and _MARK in start',
        new='start.startswith(b"\\x89PNG")',
        note="Any picture of the user's is replaced.",
    ),
]
