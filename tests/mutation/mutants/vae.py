"""Mistakes in the model: its parts, their wiring, its samples, its builders."""

from tests.mutation.mutant import Mutant

MUTANTS = [
    Mutant(
        name="encode-in-training-mode",
        path="tfvae/models/vae.py",
        old="self.encoder_params(self.events(x), self.condition(y), training=False)",
        new="self.encoder_params(self.events(x), self.condition(y), training=True)",
        note="Dropout is on in `encode`.",
        about="Dropout|BatchNormalization|training",
    ),
    Mutant(
        name="decode-in-training-mode",
        path="tfvae/models/vae.py",
        old="self.decode_batch(z, self.condition(y), training=False)",
        new="self.decode_batch(z, self.condition(y), training=True)",
        note="Dropout is on in `decode`.",
        about="Dropout|BatchNormalization|training",
    ),
    Mutant(
        name="terms-in-training-mode",
        path="tfvae/models/vae.py",
        old="            self, x, self.condition(y), num_samples, latents, training=False\n",
        new="            self, x, self.condition(y), num_samples, latents, training=True\n",
        note="Dropout is on in `log_weights`.",
        about="Dropout|BatchNormalization|training",
    ),
    Mutant(
        name="terms-binarization-shares-seed",
        path="tfvae/models/vae.py",
        old='latents = seed_for(pair, "latents")',
        new='latents = seed_for(pair, "binarization")',
        note="In `log_weights`, the binarization and the latents share a seed.",
        row="binarization and latents share a seed",
        about="dynamic_binarization|binariz",
    ),
    Mutant(
        name="decoder-never-in-training-mode",
        path="tfvae/models/forward_pass.py",
        old="vae.prior.for_decoder(drawn.z), y, training)",
        new="vae.prior.for_decoder(drawn.z), y, False)",
        note="The decoder's dropout is off in training too.",
        about="Dropout|BatchNormalization|training",
    ),
    Mutant(
        name="encoder-never-in-training-mode",
        path="tfvae/models/vae.py",
        old="networks.network_input(x, y), training=training)",
        new="networks.network_input(x, y), training=False)",
        note="The encoder's dropout is off in training too.",
        about="Dropout|BatchNormalization|training",
    ),
    Mutant(
        name="closed-form-brings-score-back",
        path="tfvae/models/forward_pass.py",
        old="rate = None if estimator is not None and estimator.stops_density else",
        new="rate =",
        note="StickingTheLanding gets a closed-form rate, which has the score in it.",
        about="StickingTheLanding",
    ),
    Mutant(
        name="terms-without-weights",
        path="tfvae/models/forward_pass.py",
        old="        weights=drawn.weights,\n",
        new="",
        note="Enumerated latents lose their weights.",
        about="Enumeration",
    ),
    Mutant(
        name="evaluation-fits-batches",
        path="tfvae/models/forward_pass.py",
        old=(
            "        if not training:\n"
            "            return likelihood.distribution(params).log_prob(x)\n"
        ),
        new="",
        note="An evaluation fits the scale to the batch it measures.",
        about="optimal_scale",
    ),
    Mutant(
        name="encoder-view-skipped",
        path="tfvae/models/vae.py",
        old="self.likelihood.encoder_view(tf.cast(x, tf.float32))",
        new="tf.cast(x, tf.float32)",
        note="The encoder is shown the data and not the likelihood's view of them.",
        about="Poisson|NegativeBinomial|encoder_view",
    ),
    Mutant(
        name="config-loses-estimator",
        path="tfvae/models/vae.py",
        old=(
            "            name: keras.saving.serialize_keras_object(getattr(self, name)) "
            "for name in _COMPOSED\n"
        ),
        new=(
            "            name: keras.saving.serialize_keras_object(getattr(self, name))\n"
            "            for name in _COMPOSED\n"
            '            if name != "estimator"\n'
        ),
        note="A reloaded model has the default estimator.",
        about="load_model|get_config|from_config",
    ),
    Mutant(
        name="with-prior-loses-estimator",
        path="tfvae/models/vae.py",
        old="self.objective, self.estimator)",
        new="self.objective)",
        note="with_prior gives a model of the default estimator.",
        about="with_prior",
    ),
    Mutant(
        name="model-seed-ignored",
        path="tfvae/models/vae.py",
        old="keras.random.SeedGenerator(seed)",
        new="keras.random.SeedGenerator()",
        note="Training noise does not follow from the model's seed.",
        about="seed",
    ),
    Mutant(
        name="sample-condition-of-first-page",
        path="tfvae/models/generation.py",
        old="tf.gather(y, rows)",
        new="tf.gather(y, rows - first)",
        note="Samples beyond the first page have the conditions of the first.",
        about="condition|\\by=",
    ),
    Mutant(
        name="draw-shares-latent-noise",
        path="tfvae/models/generation.py",
        old='noise.fold_in(random.TAGS["draw"])',
        new="noise",
        note="Draws of x share the stream of z.",
        about="draw=|draws",
    ),
    Mutant(
        name="draw-option-not-passed",
        path="tfvae/models/generation.py",
        old="generate(vae, noise, y, draw=draw)[1]",
        new="generate(vae, noise, y)[1]",
        note="draw=True gives the mean.",
        about="draw=|draws",
    ),
    Mutant(
        name="sample-in-training-mode",
        path="tfvae/models/generation.py",
        old="vae.decode_batch(vae.prior.for_decoder(z), y, training=False)\n    if draw",
        new="vae.decode_batch(vae.prior.for_decoder(z), y, training=True)\n    if draw",
        note="Dropout is on in `sample`.",
        about="Dropout|BatchNormalization|training",
    ),
    Mutant(
        name="stream-range-of-lowest-layer",
        path="tfvae/models/generation.py",
        old="sum(tf.nest.flatten(vae.latent_sizes))",
        new="tf.nest.flatten(vae.latent_sizes)[-1]",
        note="The end of the stream is checked for the lowest layer alone.",
        about="hierarchical_vae",
    ),
    Mutant(
        name="conditions-repeated-not-tiled",
        path="tfvae/ops/networks.py",
        old="y = tf.tile(y, [copies] + [1] * (len(y.shape) - 1))",
        new="y = tf.repeat(y, copies, axis=0)",
        note="With several latents an example's latents meet other examples' conditions.",
        about="condition|\\by=",
    ),
    Mutant(
        name="half-precision-probabilities",
        path="tfvae/ops/networks.py",
        old="tf.nest.map_structure(lambda p: tf.cast(p, tf.float32), params)",
        new="params",
        note="Log-probabilities are computed in the networks' precision.",
        about="mixed_|float16",
    ),
    Mutant(
        name="prior-not-asked-to-factorize",
        path="tfvae/validation/compatibility.py",
        old="and not piece.factorized:",
        new="and not posterior.factorized:",
        note="Free bits accept a prior that does not factorize.",
        about="free_bits|rate_per_latent",
    ),
    Mutant(
        name="encoder-activation-ignored",
        path="tfvae/models/builders.py",
        old="[*_dense(hidden, activation), layers.Dense(posterior.params_size(latent_dim))]",
        new='[*_dense(hidden, "relu"), layers.Dense(posterior.params_size(latent_dim))]',
        note="The encoder of mlp_vae has relu whatever was asked for.",
        about="activation",
    ),
    Mutant(
        name="deconvolution-activation-missing",
        path="tfvae/models/builders.py",
        old='layers.Conv2DTranspose(n, 4, 2, "same", activation=activation)',
        new='layers.Conv2DTranspose(n, 4, 2, "same")',
        note="Transposed convolutions of conv_vae have no activation.",
        about="activation",
    ),
    Mutant(
        name="hierarchical-top-not-passed",
        path="tfvae/models/builders.py",
        old=(
            "        [_step(above, below, hidden, activation) "
            "for below, above in reversed(upwards)], top\n"
        ),
        new=(
            "        [_step(above, below, hidden, activation) "
            "for below, above in reversed(upwards)]\n"
        ),
        note="hierarchical_vae forgets the top it was given.",
        about="hierarchical_vae",
    ),
    Mutant(
        name="labels-are-trained",
        path="tfvae/models/builders.py",
        old='"trainable": False, "name": "label"',
        new='"trainable": True, "name": "label"',
        note="The one-hot vectors of labels are trained.",
        about="condition|\\by=",
    ),
    Mutant(
        name="enumerates-one-value-less",
        path="tfvae/models/defaults.py",
        old="len(values) > MAX_VALUES",
        new="len(values) >= MAX_VALUES",
        note="A latent of just 64 values is estimated and not summed.",
        about="Enumeration",
    ),
]
