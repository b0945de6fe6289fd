"""Mistakes in the priors."""

from tests.mutation.mutant import Mutant

MUTANTS = [
    Mutant(
        name="hierarchy-layers-share-noise",
        path="tfvae/priors/hierarchy.py",
        old='.fold_in(random.TAGS["layer"]).fold_in(layer)',
        new='.fold_in(random.TAGS["layer"])',
        note="Every layer below the top is drawn from the same normals.",
        row="all lower layers of a `Hierarchy` share one noise",
    ),
    Mutant(
        name="hierarchy-noise-of-posterior",
        path="tfvae/priors/hierarchy.py",
        old='random.TAGS["layer"]',
        new='random.TAGS["posterior_layer"]',
        note="The prior's lower layers share the stream of the posterior's.",
    ),
    Mutant(
        name="vamp-conditions-of-others",
        path="tfvae/priors/vamp.py",
        old="np.asarray(y, np.float32)[rows]",
        new="np.asarray(y, np.float32)[rows[::-1]]",
        note="A pseudo-input keeps the condition of another example.",
        row="`VampPrior` keeps the conditions of other examples",
    ),
    Mutant(
        name="vamp-starts-again",
        path="tfvae/priors/vamp.py",
        old="if x is None or self.initialized > 0:",
        new="if x is None:",
        note="A second `fit` replaces learned pseudo-inputs by examples.",
    ),
    Mutant(
        name="vamp-seed-ignored",
        path="tfvae/priors/vamp.py",
        old="np.random.default_rng(self.seed)",
        new="np.random.default_rng(0)",
        note="The choice of examples is the same for every seed.",
    ),
    Mutant(
        name="vamp-encoder-in-training-mode",
        path="tfvae/priors/vamp.py",
        old="vae.condition(y), False)",
        new="vae.condition(y), True)",
        note="Pseudo-inputs pass through the encoder with dropout on.",
        about="VampPrior",
    ),
    Mutant(
        name="vamp-pseudo-inputs-not-clipped",
        path="tfvae/priors/vamp.py",
        old="x if low is None else tf.clip_by_value(x, low, high)",
        new="x",
        note="Pseudo-inputs leave the range of the data.",
    ),
    Mutant(
        name="vamp-examples-repeated",
        path="tfvae/priors/vamp.py",
        old="replace=len(x) < self.num_components",
        new="replace=True",
        note="Several pseudo-inputs start as the same example though there are enough.",
    ),
    Mutant(
        name="component-shares-normals-noise",
        path="tfvae/priors/mixture.py",
        old='noise.fold_in(random.TAGS["component"]).uniform(1)',
        new="noise.uniform(1)",
        note="The choice of the component depends on the normals added to it.",
        about="GaussianMixture|VampPrior|ExPostMixture",
    ),
    Mutant(
        name="mixture-sampler-ignores-weights",
        path="tfvae/priors/mixture.py",
        old="self.choose(noise, tf.nn.softmax(tf.cast(self.logits, tf.float32)))",
        new="self.choose(noise, tf.fill([self.num_components], 1.0 / self.num_components))",
        note="Samples choose components evenly whatever the learned weights.",
    ),
    Mutant(
        name="mixture-spread-ignored",
        path="tfvae/priors/mixture.py",
        old="stddev=self.spread",
        new="stddev=1.0",
        note="The spread of the first locations is always 1.",
    ),
    Mutant(
        name="ex-post-condition-of-first-page",
        path="tfvae/priors/ex_post.py",
        old="y[first : first + 1024]",
        new="y[:1024]",
        note="Examples beyond the first 1024 are encoded with the conditions of the first.",
        about="ExPostMixture",
    ),
    Mutant(
        name="ex-post-pages-share-seed",
        path="tfvae/priors/ex_post.py",
        old="tf.constant([seed, first])",
        new="tf.constant([seed, 0])",
        note="Every page of 1024 examples has the same noise.",
        about="ExPostMixture",
    ),
    Mutant(
        name="ex-post-fits-means",
        path="tfvae/priors/ex_post.py",
        old='q.sample(seed=seed_for(tf.constant([seed, first]), "aggregate")).numpy()',
        new="q.mean().numpy()",
        note="The mixture is fitted to posterior means and not to latents.",
        about="ExPostMixture",
    ),
    Mutant(
        name="flow-prior-density-inverted",
        path="tfvae/priors/flow.py",
        old=(
            "            in_mode(self.base.distribution, y, training=training), "
            "self.flow.bijector()\n"
        ),
        new=(
            "            in_mode(self.base.distribution, y, training=training),\n"
            "            tfp.bijectors.Invert(self.flow.bijector()),\n"
        ),
        note="The density is that of the inverse of the flow that samples.",
    ),
    Mutant(
        name="categorical-weights-always-learned",
        path="tfvae/priors/categorical.py",
        old="trainable=self.learn_weights",
        new="trainable=True",
        note="The classes' probabilities are trained although equal ones were asked for.",
    ),
    Mutant(
        name="relaxed-prior-draws-at-one",
        path="tfvae/priors/categorical.py",
        old="simplex.draw_relaxed(self._logits(), self.temperature,",
        new="simplex.draw_relaxed(self._logits(), 1.0,",
        note="Samples are drawn at temperature 1 whatever the density's.",
    ),
    Mutant(
        name="conditional-components-evenly",
        path="tfvae/priors/conditional.py",
        old="self.choose(noise, tf.nn.softmax(logits))",
        new="self.choose(noise, tf.nn.softmax(0.0 * logits))",
        note="Samples of p(z|y) choose components evenly.",
    ),
    Mutant(
        name="conditional-parts-interleaved",
        path="tfvae/priors/conditional.py",
        old="tf.stack(tf.split(params, self.num_components, axis=-1), axis=1)",
        new="tf.stack(tf.split(params, self.num_components, axis=-1)[::-1], axis=1)",
        note="The weights of p(z|y) belong to other components.",
    ),
    Mutant(
        name="conditional-classes-not-counted",
        path="tfvae/models/vae.py",
        old="num_classes(found, encoder, decoder, *of_y)",
        new="num_classes(found, encoder, decoder)",
        note="A label beyond the table of p(z|y) is taken for its last class.",
        about="Conditional",
    ),
]
