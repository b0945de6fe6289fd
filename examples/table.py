# %% [markdown]
# # A table
# Each column of a data frame gets the likelihood of its kind, and samples are a data frame again.
# The test of synthetic rows is whether they can stand in for the real ones: a classifier that has
# seen only drawn wines must recognize real ones.

# %%
import keras
import numpy as np
import sklearn.datasets
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import tfvae

keras.utils.set_random_seed(0)
wine = sklearn.datasets.load_wine(as_frame=True)
frame = wine.data.assign(cultivar=wine.target.map({0: "barolo", 1: "grignolino", 2: "barbera"}))
frame = frame.sample(frac=1, random_state=0)
train, test = frame[:120], frame[120:]

# %% [markdown]
# ## Columns and their kinds
# `Table.of` looks at the values and says why. Pass `kinds={"column": "positive"}` where you know
# better.

# %%
table = tfvae.datasets.Table.of(train)
for column in table.columns:
    print(f"{column.name:30} {column.kind:9} {column.reason}")
vae = tfvae.table_vae(table, 6, hidden=(128, 128), seed=0)
vae.compile(keras.optimizers.Adam(2e-3))
vae.fit(table.to_array(train), batch_size=40, epochs=500, verbose=0)

# %% [markdown]
# ## Draw rows
# `draw=True` draws from p(x|z). Without it each cell is its expected value, and the columns would
# vary too little.

# %%
drawn = table.to_frame(vae.sample(1000, seed=7, draw=True).numpy())
print(drawn.head())


def accuracy(rows):
    """The share of held-out real wines that a classifier of these rows recognizes."""
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    model.fit(rows.drop(columns="cultivar"), rows["cultivar"])
    return model.score(test.drop(columns="cultivar"), test["cultivar"])


by_real, by_drawn = accuracy(train), accuracy(drawn)
by_chance = test["cultivar"].value_counts(normalize=True).max()
print(f"accuracy by real rows {by_real:.3f}, by drawn {by_drawn:.3f}, by chance {by_chance:.3f}")
assert by_drawn > 0.9

# %% [markdown]
# ## Look at them
# Each column of held-out wines beside drawn ones, and how columns go together.

# %%
x_test = table.to_array(test)
tfvae.plots.marginals(vae, x_test).savefig("marginals.png", dpi=100)
tfvae.plots.correlations(vae, x_test).savefig("correlations.png", dpi=100)
real, made = (rows.drop(columns="cultivar").corr().to_numpy() for rows in (frame, drawn))
difference = np.abs(real - made).mean()
print(f"mean difference of two columns' correlation: {difference:.3f}")
assert difference < 0.1
