"""Mistakes in the evaluation."""

from tests.mutation.mutant import Mutant

MUTANTS = [
    Mutant(
        name="chunks-share-seed",
        path="tfvae/evaluation.py",
        old="tf.random.fold_in(seed, first // samples)",
        new="tf.random.fold_in(seed, 0)",
        note="Each chunk draws the latents of the first again.",
        row="every chunk of latents has the same seed",
    ),
    Mutant(
        name="last-chunk-counted-whole",
        path="tfvae/evaluation.py",
        old="(first + tf.range(samples) < num_samples)",
        new="(first + tf.range(samples) < num_samples + samples)",
        note="Latents beyond num_samples count in the sums.",
        row="latents beyond `num_samples` counted in the last chunk",
    ),
    Mutant(
        name="evaluation-encoder-in-training-mode",
        path="tfvae/evaluation.py",
        old="params = vae.encoder_params(x, y, training=False)",
        new="params = vae.encoder_params(x, y, training=True)",
        note="Dropout is on in the encoder while log p(x) is estimated.",
        row="the encoder in training mode in an evaluation",
        about="Dropout|BatchNormalization|training",
    ),
    Mutant(
        name="standard-error-ddof-zero",
        path="tfvae/evaluation.py",
        old="values.std(ddof=1)",
        new="values.std()",
        note="The standard error takes the deviation of a whole population.",
        row="standard error with ddof 0",
        about="stderr",
    ),
    Mutant(
        name="blocks-share-seed",
        path="tfvae/evaluation.py",
        old='random.seed_for(seed + tf.stack([0, i * x.shape[1]]), "likelihood")',
        new='random.seed_for(seed, "likelihood")',
        note="All blocks of examples in one call have the same noise.",
    ),
    Mutant(
        name="calls-share-seed",
        path="tfvae/evaluation.py",
        old="tf.constant([as_int32(seed), first], tf.int32)",
        new="tf.constant([as_int32(seed), 0], tf.int32)",
        note="Every call of several blocks has the same noise.",
    ),
    Mutant(
        name="condition-of-first-block",
        path="tfvae/evaluation.py",
        old="None if y is None else y[i]",
        new="None if y is None else y[0]",
        note="Every block of examples has the conditions of the first.",
        about="of_different_conditions",
    ),
    Mutant(
        name="decoder-in-training-mode",
        path="tfvae/evaluation.py",
        old=(
            "            vae, params, x, y, samples, tf.random.fold_in(seed, first // samples), "
            "training=False\n"
        ),
        new=(
            "            vae, params, x, y, samples, tf.random.fold_in(seed, first // samples), "
            "training=True\n"
        ),
        note="Dropout is on in the decoder while log p(x) is estimated.",
        about="Dropout|BatchNormalization|training",
    ),
    Mutant(
        name="log-mean-without-log-count",
        path="tfvae/evaluation.py",
        old="Estimates(sums[0] - tf.math.log(count),",
        new="Estimates(sums[0],",
        note="log p(x) lacks - log K.",
    ),
    Mutant(
        name="evaluate-seed-ignored",
        path="tfvae/evaluation.py",
        old="found = _estimate(vae, x, num_samples, seed, y)",
        new="found = _estimate(vae, x, num_samples, 0, y)",
        note="evaluate reports a seed that it did not use.",
        about="latents_of_its_seed",
    ),
    Mutant(
        name="log-likelihood-seed-ignored",
        path="tfvae/evaluation.py",
        old="estimate(vae, x, num_samples, seed, y).log_likelihood",
        new="estimate(vae, x, num_samples, y=y).log_likelihood",
        note="log_likelihood draws the same latents for every seed.",
        about="seed",
    ),
    Mutant(
        name="closed-form-rate-unused",
        path="tfvae/evaluation.py",
        old="-sums[1] / count - distortion if rate is None else rate",
        new="-sums[1] / count - distortion",
        note="The rate is an estimate although there is a closed form.",
    ),
    Mutant(
        name="programs-keyed-by-samples",
        path="tfvae/training/step_programs.py",
        old="        self._functions.follow(self._model.traced_state())\n\n        def call",
        new="        def call",
        note="A model whose prior was replaced is evaluated by the program of the old one.",
        about="takes_effect_in_log_likelihood",
    ),
    Mutant(
        name="bits-per-dim-count-missing",
        path="tfvae/evaluation.py",
        old=" * np.mean(x == x))",
        new=")",
        note="Bits per dimension count elements that were not observed.",
        about="bits_per_dim",
    ),
    Mutant(
        name="active-units-by-deviation",
        path="tfvae/evaluation.py",
        old=".var(axis=0) > ACTIVE_VARIANCE",
        new=".std(axis=0) > ACTIVE_VARIANCE",
        note="The deviation, not the variance, is compared with 0.01.",
        about="grey_data_are_active",
    ),
    Mutant(
        name="active-units-condition-of-first-page",
        path="tfvae/evaluation.py",
        old="vae.condition(np.asarray(y)[chosen])",
        new="vae.condition(np.asarray(y)[: len(x[chosen])])",
        note="Active units beyond 1024 examples take the conditions of the first.",
        about="of_different_conditions",
    ),
    Mutant(
        name="active-units-of-raw-data",
        path="tfvae/evaluation.py",
        old="_active_units(vae, _prepared(vae, x, y)[0], y)",
        new="_active_units(vae, x, y)",
        note="Grey data are encoded without the binarization of the model.",
        about="grey_data_are_active",
    ),
]
