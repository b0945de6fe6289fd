"""Mistakes in the loop: which batches it reads, what it compiles, whom it tells."""

from tests.mutation.mutant import Mutant

MUTANTS = [
    # ---- epochs, callbacks and validation
    Mutant(
        name="batch-end-number-one-late",
        path="tfvae/training/loop.py",
        old="on_end(done - 1, logs)",
        new="on_end(done, logs)",
        note="Callbacks are told the number of the next batch at the end of one.",
        about="number_of_the_last_batch|hooks_",
    ),
    Mutant(
        name="stop-waits-for-the-epoch",
        path="tfvae/training/loop.py",
        old="        if getattr(model, stop):\n            break\n\n    run",
        new="\n    run",
        note="`stop_training` set at a batch stops only after the epoch.",
        about="stop/.*batch",
    ),
    Mutant(
        name="evaluation-stopped-by-training",
        path="tfvae/training/loop.py",
        old='_epoch(model, run, hooks, "stop_evaluating")',
        new='_epoch(model, run, hooks, "stop_training")',
        note="After a fit that was stopped early, `evaluate` ends with its first call.",
        about="sequence/stop_evaluate",
    ),
    Mutant(
        name="validation-goes-on-where-it-ended",
        path="tfvae/training/loop.py",
        old="    run.reader.begin_anew()\n",
        new="",
        note="With `validation_steps` each epoch is validated on other batches.",
        about="validation/array/steps_1|validation/\\{data",
    ),
    Mutant(
        name="backed-up-epoch-ignored",
        path="tfvae/training/loop.py",
        old='keeper.first_epoch(internals.first_epoch(model, call["initial_epoch"]))',
        new='keeper.first_epoch(call["initial_epoch"])',
        note="After an interruption `BackupAndRestore` trains all epochs again.",
        about="callback/backup",
    ),
    Mutant(
        name="metrics-run-over-epochs",
        path="tfvae/training/loop.py",
        old="        model.reset_metrics()\n        callbacks.on_epoch_begin",
        new="        callbacks.on_epoch_begin",
        note="What an epoch logs is the mean over all epochs before it too.",
        about="batch_5/epochs_3|fit/\\{data\\}/batch",
    ),
    Mutant(
        name="averaged-weights-not-taken",
        path="tfvae/training/loop.py",
        old="        model.optimizer.finalize_variable_values(model.trainable_weights)\n",
        new="        pass\n",
        note="With `use_ema=True` the model does not end with the averaged weights.",
        about="averaged_weights",
    ),
    # ---- what is read
    Mutant(
        name="stated-epochs-begin-anew",
        path="tfvae/training/epoch_reader.py",
        old=(
            "        if self._batches is None or self.steps_per_epoch is None:\n"
            "            self._begin_pass()"
        ),
        new="        self._begin_pass()",
        note="With `steps_per_epoch` each epoch trains on the first batches, never on the others.",
        about="fit/known/steps_2|fit/\\{data\\}/steps",
    ),
    Mutant(
        name="finished-pass-not-begun-anew",
        path="tfvae/training/epoch_reader.py",
        old="        if self._left_of_pass() == 0:\n            self._batches = None\n",
        new="        return\n",
        note="With `steps_per_epoch` an epoch after one that ended with the data has no batch.",
        about="fit/known/steps_[25]|fit/\\{data\\}/steps",
    ),
    Mutant(
        name="last-partial-batch-dropped",
        path="tfvae/training/batch_sources.py",
        old="self.num_batches = math.ceil(self.num_examples / batch_size)",
        new="self.num_batches = max(1, self.num_examples // batch_size)",
        note="The last batch of an epoch is left out where it is not full.",
        about="fit/array/batch_3|fit/\\{data\\}/batch",
    ),
    Mutant(
        name="bytes-by-the-first-block",
        path="tfvae/training/batch_sources.py",
        old="        if not np.array_equal(as_bytes[block], array[block]):",
        new="        if first == 0 and not np.array_equal(as_bytes[block], array[block]):",
        note="Large arrays whose first numbers are whole lose the fractions of all others.",
        about="stay_on_the_device_in_bytes",
    ),
    Mutant(
        name="dataset-read-beyond-stated-steps",
        path="tfvae/training/fit_call.py",
        old='return call["steps_per_epoch"] and call["steps_per_epoch"] * _passes(call)',
        new="return None",
        note=(
            "With `steps_per_epoch` prefetching reads a dataset further than the steps that were "
            "asked for."
        ),
        about="read_no_further",
    ),
    # ---- the arguments of fit
    Mutant(
        name="validation-steps-ignored",
        path="tfvae/training/fit_call.py",
        old='"steps": call["validation_steps"],',
        new='"steps": None,',
        note="Each validation goes over all of its data, whatever `validation_steps` says.",
        about="validation/array/steps_1|validation/\\{data",
    ),
    Mutant(
        name="validation-weights-ignored",
        path="tfvae/training/fit_call.py",
        old='"sample_weight": sample_weight,',
        new='"sample_weight": None,',
        note="Weights in `validation_data` have no effect.",
        about="validation/weights",
    ),
    Mutant(
        name="split-loses-weights",
        path="tfvae/training/fit_call.py",
        old="parts = (x, y, sample_weight)",
        new="parts = (x, y, None)",
        note="Beside `validation_split`, `sample_weight` is ignored.",
        about="split/weights",
    ),
    Mutant(
        name="own-train-function-unused",
        path="tfvae/training/compiled_fit.py",
        old="return made == (CompiledFit.make_train_function, CompiledFit.make_test_function)",
        new="return True",
        note="A subclass' own `make_train_function` is never called.",
        about="make_train_function|function_of_the_users_own",
    ),
    # ---- between runs, and in files
    Mutant(
        name="choices-not-in-the-file",
        path="tfvae/training/compiled_fit.py",
        old="return {**config, **self._choices} if config else config",
        new="return config",
        note=(
            "A loaded model has lost `on_nonfinite`, and what was chosen on one machine stays on "
            "another."
        ),
        about="on_nonfinite|kept_when_stated|fresh_process",
    ),
    Mutant(
        name="loaded-optimizer-not-built",
        path="tfvae/training/compiled_fit.py",
        old=(
            "        if self.optimizer is not None and self.built:\n"
            "            self.optimizer.build(self.trainable_variables)\n"
        ),
        new="",
        note="The optimizer of a loaded model begins anew, its moments and step forgotten.",
        about="goes_on_as_it_would",
    ),
    Mutant(
        name="only-first-epoch-found-empty",
        path="tfvae/training/compiled_fit.py",
        old="        self._runs.steps = 0\n",
        new="",
        note="A generator that is used up after one epoch gives a loss of 0 in the others.",
        about="epoch_that_did_not_happen|short_generator",
    ),
    Mutant(
        name="validation-of-the-outer-fit-lost",
        path="tfvae/training/run_state.py",
        old="self._in_fit, self._quiet, self.validation = self._outer.pop()",
        new="self._in_fit, self._quiet, self.validation = (*self._outer.pop()[:2], None)",
        note="A fit within a callback takes the validation of the fit around it away.",
        about="within_a_callback",
    ),
    Mutant(
        name="program-of-keras-loop-stale",
        path="tfvae/training/compiled_fit.py",
        old="is None or force or has_changed",
        new="is None or force",
        note="In Keras' own loop an attribute that was changed has no effect.",
        about="follows",
    ),
    Mutant(
        name="optimizer-not-followed",
        path="tfvae/training/step_settings.py",
        old='(*traced_state(self), optimizer_state(getattr(self, "optimizer", None)))',
        new="traced_state(self)",
        note="Another optimizer, or its attributes, have no effect after a first fit.",
        about="follows",
    ),
    Mutant(
        name="shared-update-of-an-old-optimizer",
        path="tfvae/training/step_settings.py",
        old="key = (variables, optimizer_state(self.optimizer))",
        new="key = variables",
        note="The update that all programs share stays that of the optimizer before.",
        about="follows",
    ),
    Mutant(
        name="prior-begins-with-absent-examples",
        path="tfvae/validation/first_examples.py",
        old="part[is_there] for part in found",
        new="part for part in found",
        note="A VampPrior begins with examples of weight 0.",
        about="example_weights|vamp",
    ),
    Mutant(
        name="support-asked-in-the-datas-dtype",
        path="tfvae/validation/later_batches.py",
        old="vae.likelihood.in_support(tf.cast(x, tf.float32))",
        new="vae.likelihood.in_support(x)",
        note="A dataset of bytes is refused.",
        about="kinds_of_data",
    ),
    Mutant(
        name="alarm-rings-into-the-next-fit",
        path="tfvae/training/run_state.py",
        old="        self.alarm.reset()\n",
        new="",
        note="`skipped()` counts over all fits, and after a quiet stop at NaN no later fit trains.",
        about="not_raised_by_the_next|left_out_and_are_counted",
    ),
    Mutant(
        name="terminate-on-nan-preempted",
        path="tfvae/training/compiled_fit.py",
        old="self._runs.begin(quiet=batch_callbacks.handles_nan(callbacks))",
        new="self._runs.begin(quiet=False)",
        note="With `TerminateOnNaN` a fit raises, although the callback is to stop it.",
        about="callback_for_nan",
    ),
    Mutant(
        name="lambda-hooks-not-seen",
        path="tfvae/training/batch_callbacks.py",
        old=(
            "return hook in vars(callback) "
            "or _class_of(callback, hook) is not keras.callbacks.Callback"
        ),
        new="return _class_of(callback, hook) is not keras.callbacks.Callback",
        note="A `LambdaCallback` at batches is called once for many of them.",
        about="fit/known/hooks_3|hooks_\\{len",
    ),
    # ---- programs
    Mutant(
        name="filling-trained-on",
        path="tfvae/training/step_programs.py",
        old="arguments = (stacked, tf.constant(len(batches)))",
        new="arguments = (stacked, tf.constant(height))",
        note="The copies of the last batch that fill a stack are trained on as well.",
        about="steps_of_one_call|several_sizes",
    ),
    Mutant(
        name="changed-settings-keep-the-programs",
        path="tfvae/training/loop.py",
        old="        if run.acts or done == start:\n            run.programs.refresh()\n",
        new="",
        note="An attribute such as beta that is changed between two fits has no effect.",
        about="takes_effect",
    ),
    Mutant(
        name="programs-keyed-without-dtypes",
        path="tfvae/training/step_programs.py",
        old=(
            "        function = self._functions.get(\n"
            "            (*key, dtypes_key(source.dtypes)), "
            "lambda: self._make(plan, source.dtypes)\n"
            "        )\n"
        ),
        new=(
            "        function = self._functions.get(key, lambda: self._make(plan, source.dtypes))\n"
        ),
        note="After a fit on uint8 a fit on floats casts them to uint8.",
        about="sequence/fit_bytes_fit",
    ),
    Mutant(
        name="refused-function-asked-again",
        path="tfvae/training/step_programs.py",
        old="function = self._functions.get((key, plan), lambda: make(plan))",
        new="function = self._functions.get(key, lambda: make(plan))",
        note="An evaluation that XLA refuses gets the refused function again in place of a graph.",
        about="xla_cannot_compile",
    ),
    Mutant(
        name="xla-refusal-forgotten",
        path="tfvae/training/step_settings.py",
        old="self._runs.refused_by_xla = True",
        new="self._runs.refused_by_xla = False",
        note="What XLA has refused is given to it again in every call.",
        about="xla_cannot_compile",
    ),
    Mutant(
        name="update-kept-for-other-weights",
        path="tfvae/training/step_settings.py",
        old="variables = tuple(id(variable) for variable in self.trainable_variables)",
        new="variables = ()",
        note=(
            "When another layer of the same shape is frozen, "
            "the update goes to the weights of before."
        ),
        about="trained_now",
    ),
    Mutant(
        name="freezing-not-noticed",
        path="tfvae/training/traced_state.py",
        old="yield id(part), part.trainable",
        new="yield id(part)",
        note="A layer that is frozen between two fits is trained on.",
        about="frozen_between",
    ),
    Mutant(
        name="unknown-layers-trusted",
        path="tfvae/training/compilation_plan.py",
        old="return all(_is_trusted(layer) for layer in internals.flatten_layers(model))",
        new="return True",
        note=(
            "In Keras' loop, which cannot go back, XLA is given a user's layer that it cannot "
            "compile."
        ),
        about="xla_cannot_compile",
    ),
    Mutant(
        name="plan-left-behind",
        path="tfvae/ops/xla.py",
        old="        _CURRENT.reset(token)",
        new="        pass",
        note=(
            "Whatever is traced after a fit, an export too, "
            "is traced as if it were for the fit's compiler."
        ),
        about="for_no_compiler",
    ),
    # ---- steps that are not finite
    Mutant(
        name="steps-after-the-bad-one-trained",
        path="tfvae/training/alarm.py",
        old="return finite & (self._record[_COUNT] == 0.0)",
        new="return finite",
        note="The weights after a raise are not those before the bad step: the call has gone on.",
        about="last_finite_step",
    ),
    Mutant(
        name="small-gradients-not-looked-at",
        path="tfvae/training/gradient_checks.py",
        old="return [*large, *(tf.concat(joined, axis=0) for joined in small.values())]",
        new="return large",
        note="A small gradient that is not finite changes the weights.",
        about="nonfinite",
    ),
    Mutant(
        name="large-gradients-not-looked-at",
        path="tfvae/training/gradient_checks.py",
        old="return [*large, *(tf.concat(joined, axis=0) for joined in small.values())]",
        new="return [tf.concat(joined, axis=0) for joined in small.values()]",
        note="A large gradient that is not finite changes the weights.",
        about="nonfinite",
    ),
    Mutant(
        name="one-dtype-of-gradients-looked-at",
        path="tfvae/training/gradient_checks.py",
        old="for joined in small.values())]",
        new="for joined in list(small.values())[:1])]",
        note="Of gradients in two dtypes those of the second are not looked at.",
        about="nonfinite",
    ),
    Mutant(
        name="last-bad-step-named",
        path="tfvae/training/alarm.py",
        old="row = tf.where(first & ~clear, row",
        new="row = tf.where(~clear, row",
        note="The step and terms that are told are those of the end of the call.",
        about="last_finite_step",
    ),
    Mutant(
        name="skipped-step-counted",
        path="tfvae/training/alarm.py",
        old="    iterations.assign(tf.where(clear, iterations.value, before))\n",
        new="",
        note="A step that is left out moves the optimizer's count, and so its schedules.",
        about="left_out_and_are_counted",
    ),
    Mutant(
        name="bad-gradient-accumulated",
        path="tfvae/training/alarm.py",
        old="if optimizer.use_ema or optimizer.gradient_accumulation_steps:",
        new="if optimizer.use_ema:",
        note=(
            "With `gradient_accumulation_steps` a gradient that was to be left out spoils the "
            "next update."
        ),
        about="accumulating-auto|last_finite_step",
    ),
    Mutant(
        name="skipped-step-decays-weights",
        path="tfvae/training/alarm.py",
        old=(
            "    if decay is not None:\n"
            "        optimizer.weight_decay = tf.where(clear, decay, 0.0)\n"
        ),
        new="",
        note="A step that is left out still shrinks the weights by weight decay.",
        about="weight_decay-auto|last_finite_step",
    ),
    # ---- the optimizer's update
    Mutant(
        name="amsgrad-ignored",
        path="tfvae/training/optimizer_update.py",
        old=" and not optimizer.amsgrad",
        new="",
        note="In a graph, `Adam(amsgrad=True)` updates as plain Adam.",
        about="amsgrad|taken_for_it",
    ),
    # ---- chains, state and weights
    Mutant(
        name="shape-draws-move-statistics",
        path="tfvae/distributions/chains.py",
        old="before, self._training = self._training, False",
        new="before = self._training",
        note="Samples that TFP draws for shapes move the statistics of BatchNorm in training.",
        about="moving_statistics",
    ),
    Mutant(
        name="chain-stays-in-evaluation",
        path="tfvae/distributions/chains.py",
        old="            self._training = before",
        new="            pass",
        note="Once shapes are known, dropout in the networks between layers is off in training.",
        about="dropout_acts",
    ),
    Mutant(
        name="state-of-parts-not-found",
        path="tfvae/_keras/stateful.py",
        old=(
            "        elif isinstance(value, Stateful):\n            found.extend(state_of(value))\n"
        ),
        new="",
        note="Variables of a regularizer within an objective are neither trained nor saved.",
        about="multiplier_is_a_variable",
    ),
    Mutant(
        name="loss-over-sum-of-weights",
        path="tfvae/ops/weighting.py",
        old="return tf.reduce_sum(tf.cast(weights != 0.0, tf.float32))",
        new="return tf.reduce_sum(weights)",
        note=(
            "The loss is divided by the sum of weights, so that weights of 2 train as weights of 1."
        ),
        about="divided_by_the_examples|sample_weights",
    ),
    Mutant(
        name="weightless-examples-enter-networks",
        path="tfvae/ops/weighting.py",
        old="return tf.where(_beside(weights, values) != 0.0, values, first)",
        new="return values",
        note="An example of weight 0 whose loss is infinite makes the gradient no number.",
        about="no_finite_loss",
    ),
    Mutant(
        name="rows-on-disk-sorted",
        path="tfvae/training/batch_sources.py",
        old="np.asarray(array[rows], spec.dtype.as_numpy_dtype)",
        new="np.asarray(array[np.sort(rows)], spec.dtype.as_numpy_dtype)",
        note="Examples and labels on disk are read in another order within a batch.",
        about="goes_on_bit_for_bit",
    ),
    Mutant(
        name="data-on-disk-one-training",
        path="tfvae/callbacks/signature.py",
        old="None if source.examples is None else _first_and_last(source.examples)",
        new="None if source.arrays is None else _first_and_last(source.arrays)",
        note="A training on other data on disk goes on from a checkpoint.",
        about="data_on_disk_is_another",
    ),
    # ---- what TensorFlow says of an operation
    Mutant(
        name="stacks-of-programs-long",
        path="tfvae/_keras/internals.py",
        old="tf.function(stack_traces.shorten(function)",
        new="tf.function(function",
        note="A message of TensorFlow's names sixty calls, which XLA keeps in memory.",
        about="stack_traces",
    ),
    Mutant(
        name="stacks-of-keras-own-loop-long",
        path="tfvae/models/objective_step.py",
        old="    @stack_traces.shorten\n    def train",
        new="    def train",
        note="Those of a generator alone are long.",
        about="stack_traces",
    ),
    Mutant(
        name="users-call-cut-off",
        path="tfvae/_keras/stack_traces.py",
        old="name not in _CUT_OFF and ",
        new="",
        note="TensorFlow cuts off three calls, of the user's where its own are left out.",
        about="stack_traces",
    ),
    Mutant(
        name="stacks-short-against-the-users-word",
        path="tfvae/_keras/stack_traces.py",
        old=" or not tf.debugging.is_traceback_filtering_enabled()",
        new="",
        note="`tf.debugging.disable_traceback_filtering` has no effect.",
        about="stack_traces",
    ),
]
