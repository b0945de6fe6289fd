"""Synthetic rows beside those of a peer, on two data sets that scikit-learn carries.

    python -m tests.benchmarks.tables                       tfvae
    PEER_PYTHON -m tests.benchmarks.tables --peer           TVAE of ctgan, in an environment with it

Both learn from the same 70 % of the rows, with their defaults, and draw four times as many.
Printed for each data set and seed: of the columns of numbers the mean Kolmogorov-Smirnov distance
to the rows learned from; the mean and largest difference of their correlations; the total
variation of the class; and the share of the other 30 % that two classifiers get right, learned
from real rows and from drawn ones.
"""

import argparse
import math
import time

import numpy as np
from scipy.stats import ks_2samp
from sklearn import datasets as sklearn_datasets
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

SETS = {"wine": sklearn_datasets.load_wine, "breast_cancer": sklearn_datasets.load_breast_cancer}
SEEDS = (0, 1, 2)
CLASS = "target"


def ours(rows, count, seed):
    """Rows drawn by tfvae, with the settings that `tfvae train` chooses."""
    import keras

    from tfvae import datasets
    from tfvae.app import settings as app

    table = datasets.Table.of(rows)
    data = datasets.Dataset("rows", table.to_array(rows), table.to_array(rows)[:2], table=table)
    chosen, _ = app.with_likelihood(app.Settings(seed=seed), data)
    chosen = app.choose(chosen, data)

    keras.utils.set_random_seed(seed)
    vae = app.build(chosen, data)
    steps = chosen.epochs * math.ceil(len(rows) / chosen.batch_size)
    rate = keras.optimizers.schedules.CosineDecay(chosen.learning_rate, steps)
    vae.compile(keras.optimizers.Adam(rate))
    how = {"epochs": chosen.epochs, "batch_size": chosen.batch_size, "verbose": 0}
    vae.fit(data.x_train, **how)
    return table.to_frame(np.asarray(vae.sample(count, seed=seed, draw=True)))


def of_peer(rows, count, seed):
    """Rows drawn by ctgan's TVAE."""
    import torch
    from ctgan import TVAE

    torch.manual_seed(seed)
    np.random.seed(seed)
    model = TVAE()
    model.fit(rows, [CLASS])
    return model.sample(count)


def scores(real, drawn, held_out):
    """What the module's docstring names, by name."""
    numbers = [name for name in real if name != CLASS]
    differences = np.abs(real[numbers].corr() - drawn[numbers].corr()).to_numpy()
    classes = real[CLASS].unique()
    shares = [abs((real[CLASS] == c).mean() - (drawn[CLASS] == c).mean()) for c in classes]
    return {
        "KS": np.mean([ks_2samp(real[name], drawn[name]).statistic for name in numbers]),
        "correlations": differences.mean(),
        "largest": differences.max(),
        "classes": sum(shares) / 2,
        **_accuracies(real, drawn, held_out, numbers),
    }


def _accuracies(real, drawn, held_out, numbers):
    makers = {
        "forest": lambda: RandomForestClassifier(200, random_state=0),
        "logistic": lambda: make_pipeline(StandardScaler(), LogisticRegression(max_iter=5000)),
    }
    found = {}
    for name, make in makers.items():
        for kind, rows in (("real", real), ("drawn", drawn)):
            fitted = make().fit(rows[numbers], rows[CLASS])
            found[f"{name}, {kind}"] = fitted.score(held_out[numbers], held_out[CLASS])
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", action="store_true")
    draw = of_peer if parser.parse_args().peer else ours
    for name, load in SETS.items():
        frame = load(as_frame=True).frame
        frame[CLASS] = frame[CLASS].map(str)
        parts = train_test_split(frame, test_size=0.3, random_state=0, stratify=frame[CLASS])
        real, held_out = (part.reset_index(drop=True) for part in parts)
        for seed in SEEDS:
            started = time.time()
            drawn = draw(real, 4 * len(real), seed)
            seconds = time.time() - started
            found = {k: f"{v:.3f}" for k, v in scores(real, drawn, held_out).items()}
            print(name, seed, f"{seconds:.0f} s", found, flush=True)


if __name__ == "__main__":
    main()
