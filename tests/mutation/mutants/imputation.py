"""Mistakes in the imputation."""

from tests.mutation.mutant import Mutant

MUTANTS = [
    Mutant(
        name="imputation-weights-over-batch",
        path="tfvae/imputation.py",
        old="tf.nn.softmax(terms.log_weights, axis=0)",
        new="tf.nn.softmax(terms.log_weights, axis=1)",
        note="Weights are normalized over the examples.",
    ),
    Mutant(
        name="imputation-unweighted",
        path="tfvae/imputation.py",
        old="tf.reduce_sum(weights * means, axis=0)",
        new="tf.reduce_mean(means, axis=0)",
        note="The expectation is the plain mean over latents of q.",
    ),
    Mutant(
        name="imputation-pages-share-seed",
        path="tfvae/imputation.py",
        old="[as_int32(seed), first]",
        new="[as_int32(seed), 0]",
        note="Every page has the same noise.",
    ),
    Mutant(
        name="imputation-seed-ignored",
        path="tfvae/imputation.py",
        old="as_int32(seed), first",
        new="0, first",
        note="The seed plays no part.",
        about="same_for_the_same_seed",
    ),
    Mutant(
        name="imputation-condition-of-first-page",
        path="tfvae/imputation.py",
        old="vae.condition(np.asarray(y)[rows])",
        new="vae.condition(np.asarray(y)[rows - first])",
        note="Every page has the conditions of the first.",
        about="pages_of_different_conditions",
    ),
    Mutant(
        name="imputation-draws-overwrite-observed",
        path="tfvae/imputation.py",
        old="np.where(given == given, given, found)",
        new="found",
        note="Draws replace what was observed.",
    ),
    Mutant(
        name="imputation-draws-share-seed",
        path="tfvae/imputation.py",
        old='seed_for(seed, "draw")',
        new='seed_for(seed, "latents")',
        note="The choice of latents and the draws of x share a seed.",
        equivalent="Latents come from the package's stream, x from TensorFlow's generator: of one seed "
        "they give different numbers.",
    ),
    Mutant(
        name="imputation-binarization-shares-seed",
        path="tfvae/imputation.py",
        old='seed_for(seed, "latents"), training=False',
        new='seed_for(seed, "binarization"), training=False',
        note="Binarization and latents share a seed.",
        about="share_a_stream",
    ),
    Mutant(
        name="imputation-encoder-in-training-mode",
        path="tfvae/imputation.py",
        old='seed_for(seed, "latents"), training=False',
        new='seed_for(seed, "latents"), training=True',
        note="Dropout is on while the weights are computed.",
        about="Dropout|BatchNormalization|training",
    ),
    Mutant(
        name="imputation-decoder-in-training-mode",
        path="tfvae/imputation.py",
        old="vae.decode_batch(z, y, training=False)",
        new="vae.decode_batch(z, y, training=True)",
        note="Dropout is on while the means are computed.",
        about="Dropout|BatchNormalization|training",
    ),
    Mutant(
        name="imputation-draws-unweighted",
        path="tfvae/imputation.py",
        old="tf.transpose(terms.log_weights), seed_for",
        new="tf.zeros_like(tf.transpose(terms.log_weights)), seed_for",
        note="Draws choose latents evenly.",
    ),
    Mutant(
        name="imputation-draws-are-means",
        path="tfvae/imputation.py",
        old='p.sample(seed=seed_for(seed, "draw"))',
        new="p.mean()",
        note="Draws are the means of p(x|z).",
    ),
]
