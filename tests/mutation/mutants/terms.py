"""Mistakes in the terms of a bound."""

from tests.mutation.mutant import Mutant

MUTANTS = [
    Mutant(
        name="log-ratio-reversed",
        path="tfvae/objectives/terms.py",
        old="self.log_posterior - self.log_prior",
        new="self.log_prior - self.log_posterior",
        note="The log-ratio is log p(z) - log q(z|x).",
        about="log_weights|log_ratio",
    ),
    Mutant(
        name="log-weights-add-ratio",
        path="tfvae/objectives/terms.py",
        old="self.log_likelihood - self.log_ratio",
        new="self.log_likelihood + self.log_ratio",
        note="The log-weights add log q(z|x) / p(z) instead of subtracting it.",
        about="log_weights|log_ratio",
    ),
    Mutant(
        name="expectation-ignores-weights",
        path="tfvae/objectives/terms.py",
        old=(
            "        return (\n"
            "            tf.reduce_mean(values, axis=0)\n"
            "            if self.weights is None\n"
            "            else tf.reduce_sum(self.weights * values, axis=0)\n"
            "        )\n"
        ),
        new="        return tf.reduce_mean(values, axis=0)\n",
        note="Enumerated values are averaged as if they were samples of q.",
        about="Enumeration",
    ),
    Mutant(
        name="expectation-averages-weighted",
        path="tfvae/objectives/terms.py",
        old="tf.reduce_sum(self.weights * values, axis=0)",
        new="tf.reduce_mean(self.weights * values, axis=0)",
        note="The weighted sum over all values of z is divided by their number.",
        about="Enumeration",
    ),
    Mutant(
        name="expectation-sums-samples",
        path="tfvae/objectives/terms.py",
        old="            tf.reduce_mean(values, axis=0)\n",
        new="            tf.reduce_sum(values, axis=0)\n",
        note="Samples of q are summed and not averaged.",
    ),
    Mutant(
        name="rate-never-analytic",
        path="tfvae/objectives/terms.py",
        old="self.monte_carlo_rate if self.analytic_rate is None else self.analytic_rate",
        new="self.monte_carlo_rate",
        note="The rate is the estimate even where a closed form is at hand.",
        about="analytic_rate|monte_carlo_rate",
    ),
    Mutant(
        name="rate-per-latent-always-analytic",
        path="tfvae/objectives/terms.py",
        old="if analytic and self.analytic_rate is not None:",
        new="if self.analytic_rate is not None:",
        note="The rate of each latent ignores that an estimate was asked for.",
        about="free_bits|rate_per_latent",
    ),
    Mutant(
        name="rate-per-latent-reversed",
        path="tfvae/objectives/terms.py",
        old="q.log_prob(self.z) - p.log_prob(self.z)",
        new="p.log_prob(self.z) - q.log_prob(self.z)",
        note="The estimated rate of each latent has the wrong sign.",
        about="free_bits|rate_per_latent",
    ),
    Mutant(
        name="elbo-from-estimated-rate",
        path="tfvae/objectives/terms.py",
        old="-(self.rate + self.distortion)",
        new="-(self.monte_carlo_rate + self.distortion)",
        note="The elbo logged is not minus the rate and distortion logged beside it.",
        about="analytic_rate|monte_carlo_rate",
    ),
    Mutant(
        name="kl-reversed",
        path="tfvae/objectives/terms.py",
        old="try:\n        return q.kl_divergence(p)",
        new="try:\n        return p.kl_divergence(q)",
        note="The closed form is KL(p || q).",
        about="analytic_rate|monte_carlo_rate",
    ),
    Mutant(
        name="distortion-plain-mean",
        path="tfvae/objectives/terms.py",
        old="-self.expectation(self.log_likelihood)",
        new="-tf.reduce_mean(self.log_likelihood, axis=0)",
        note="The distortion of an enumerated latent is the plain mean over its values.",
        about="Enumeration",
    ),
]
