"""Mistakes in the flows."""

from tests.mutation.mutant import Mutant

MUTANTS = [
    Mutant(
        name="maf-density-log-det-sign",
        path="tfvae/flows/autoregressive.py",
        old="log_det -= tf.reduce_sum(log_scale, axis=-1)",
        new="log_det += tf.reduce_sum(log_scale, axis=-1)",
        note="The parallel direction has the wrong sign of its log-determinant.",
    ),
    Mutant(
        name="maf-solves-one-pass-short",
        path="tfvae/flows/autoregressive.py",
        old="passes = x.shape[-1] - 1",
        new="passes = x.shape[-1] - 2",
        note="The last number of a sample has not converged.",
    ),
    Mutant(
        name="maf-samples-layers-in-density-order",
        path="tfvae/flows/autoregressive.py",
        old="x = broadcast_to_context(x, context)\n        for network in self.networks:",
        new="x = broadcast_to_context(x, context)\n        for network in reversed(self.networks):",
        note="Sampling runs through the layers in the order of the density.",
    ),
    Mutant(
        name="iaf-inverse-is-forward",
        path="tfvae/flows/autoregressive.py",
        old="return self._sequential(y, context)",
        new="return self._parallel(y, context)",
        note="The inverse of an inverse autoregressive flow is its forward direction.",
    ),
    Mutant(
        name="made-outputs-see-themselves",
        path="tfvae/flows/base.py",
        old="degrees[-1][:, None] < degrees[0][None]",
        new="degrees[-1][:, None] <= degrees[0][None]",
        note="The masks let each output depend on its own input.",
        about="Autoregressive",
    ),
    Mutant(
        name="bijector-without-context",
        path="tfvae/flows/base.py",
        old="return _Bijector(self, context)",
        new="return _Bijector(self, None)",
        note="The density runs the flow without its context.",
        about="context|posteriors.Flow",
    ),
    Mutant(
        name="conditioner-ignores-context",
        path="tfvae/flows/base.py",
        old="if i == 0 and context is not None:",
        new="if i < 0 and context is not None:",
        note="The network of a layer never adds the context.",
        about="context|posteriors.Flow",
    ),
    Mutant(
        name="stacked-config-loses-hidden",
        path="tfvae/flows/base.py",
        old=', "hidden": self.hidden}',
        new="}",
        note="A reloaded flow has the default widths.",
        about="from_config",
    ),
    Mutant(
        name="coupling-inverse-in-forward-order",
        path="tfvae/flows/coupling.py",
        old="layers = reversed(range(self.num_layers))",
        new="layers = range(self.num_layers)",
        note="The inverse undoes the layers in the order they were done.",
    ),
    Mutant(
        name="coupling-inverse-log-det-sign",
        path="tfvae/flows/coupling.py",
        old=(
            "            y, context, layers, "
            "lambda b, shift, scale: (b - shift) * tf.exp(-scale), -1.0\n"
        ),
        new=(
            "            y, context, layers, "
            "lambda b, shift, scale: (b - shift) * tf.exp(-scale), 1.0\n"
        ),
        note="The log-determinant of the inverse has the sign of the forward one.",
    ),
    Mutant(
        name="planar-u-not-constrained",
        path="tfvae/flows/planar.py",
        old="u = u + (tf.nn.softplus(product + 0.5413) - 1.0 - product) * w / (squares + 1e-12)",
        new="u = u + 0.0 * squares * product",
        note="A planar layer may fold over and is not invertible.",
    ),
    Mutant(
        name="planar-inverse-in-forward-order",
        path="tfvae/flows/planar.py",
        old="reversed(self._planes(context))",
        new="self._planes(context)",
        note="The inverse undoes the layers in the order they were done.",
    ),
    Mutant(
        name="planar-context-without-bias",
        path="tfvae/flows/planar.py",
        old="self.bias + tf.tensordot(context, self.kernel.value, 1)",
        new="tf.tensordot(context, self.kernel.value, 1)",
        note="With a context the layers lose their own bias.",
        about="context|posteriors.Flow",
    ),
    Mutant(
        name="planar-log-det-derivative",
        path="tfvae/flows/planar.py",
        old="tf.reduce_sum(u * w, axis=-1) * (1.0 - tf.tanh(a) ** 2)",
        new="tf.reduce_sum(u * w, axis=-1) * (1.0 - tf.tanh(a))",
        note="The derivative of tanh is taken for 1 - tanh.",
    ),
]
