"""The commands that train a model and measure it.

Typer shows the docstring of a command as its help, up to the form feed.
"""

import typer

from tfvae.app import alarms, options, screen, tables
from tfvae.app.commands import command


@command
def train(
    context: typer.Context,
    data: options.Data = options.FIRST_DATA,
    data_dir: options.DataDir = None,
    latent_dim: options.LatentDim = None,
    network: options.NetworkName = options.Network.auto,
    likelihood: options.Likelihood = "auto",
    prior: options.Prior = None,
    posterior: options.Posterior = None,
    objective: options.Objective = None,
    estimator: options.Estimator = None,
    hidden: options.Hidden = None,
    filters: options.Filters = None,
    image_size: options.ImageSize = None,
    image_fit: options.Fit = options.ImageFit.crop,
    columns: options.Columns = None,
    condition: options.Condition = None,
    epochs: options.Epochs = None,
    steps: options.Steps = None,
    batch_size: options.BatchSize = None,
    learning_rate: options.LearningRate = None,
    num_samples: options.TrainNumSamples = None,
    num_examples: options.NumExamples = 1000,
    seed: options.Seed = 0,
    out: options.Out = None,
    overwrite: options.Overwrite = False,
    resume: options.Resume = None,
    early_stopping: options.EarlyStopping = None,
    strategy: options.Strategies = None,
    config: options.Config = None,
    print_config: options.PrintConfig = False,
    seeds: options.Seeds = None,
) -> None:
    """Train a VAE, measure it on held-out data, export it, and draw samples from the file.

    \N{FORM FEED}

    Args:
        context: what was typed.
        data: name or path of the data.
        data_dir: folder of named data sets.
        latent_dim: size of the latent, D.
        network: kind of the networks.
        likelihood: p(x|z) in Python's words, or "auto".
        prior: p(z), likewise.
        posterior: q(z|x), likewise.
        objective: the bound, likewise.
        estimator: the gradient estimator, likewise.
        hidden: widths of the hidden layers, with commas.
        filters: channels of the convolutions, with commas.
        image_size: pixels a side of the images of a folder.
        image_fit: how images of another shape are brought to it.
        columns: kinds of a table's columns.
        condition: "labels", for a model of the data's labels.
        epochs: passes over the training examples.
        steps: steps of training, in place of epochs.
        batch_size: examples in a batch.
        learning_rate: learning rate of Adam at the start.
        num_samples: importance samples per held-out example.
        num_examples: held-out examples to evaluate; 0 for all.
        seed: seed of the weights, the noise and the pictures.
        out: folder of the run.
        overwrite: True to replace a run by the finished new one.
        resume: folder of a run that was stopped, to go on with.
        early_stopping: epochs without progress after which the training ends.
        strategy: devices that share each batch.
        config: file with options that are not typed.
        print_config: True to print the settings alone.
        seeds: how many runs to train, of as many seeds; None for one run.
    """
    from tfvae.app import train_command

    settings = train_command.settings_of(context.params)  # in which Typer has them by name
    if print_config:
        train_command.print_config(context, settings)
        return
    if seeds is not None:
        train_command.run_seeds(context, settings, seeds, overwrite)
        return
    report = train_command.run(context, settings, overwrite, resume, screen.say)
    if report is None:
        screen.result({}, "The chief of the workers writes the run.")
        return

    table = tables.of_evaluation(report["evaluation"])
    tables.add_export(table, report["export"])
    told = tables.add_alarms(table, report["alarms"])
    compared = [tables.of_columns(report["columns"])] if "columns" in report else []
    screen.result(report, table, *compared, *told)
    screen.say(
        f"{report['seconds']['all']:.0f} s in all. The run is in {report['settings']['out']}/"
    )


@command
def evaluate(
    run: options.Run,
    data: options.OptionalData = None,
    num_samples: options.NumSamples = 5000,
    num_examples: options.NumExamples = 1000,
    data_dir: options.DataDir = None,
) -> None:
    """Estimate the log-likelihood of held-out data under a trained model.

    \N{FORM FEED}

    Args:
        run: folder of the run.
        data: name or path of the data; default what the run has held out.
        num_samples: importance samples per held-out example.
        num_examples: held-out examples to evaluate; 0 for all.
        data_dir: folder of named data sets; default the one of the run.
    """
    from tfvae.app import runs

    found = runs.evaluate(run, num_samples, num_examples, data_dir, data).to_dict()
    table = tables.of_evaluation(found)
    words = alarms.untrusted(found["effective_samples"], found["num_samples"])
    told = tables.add_alarms(table, {} if words is None else {"weights": words})
    screen.result(found, table, *told)
