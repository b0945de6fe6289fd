"""Measures samples against data, and latents against known factors. Nothing is downloaded."""

from tfvae.metrics.disentanglement import Disentanglement as Disentanglement
from tfvae.metrics.disentanglement import disentanglement as disentanglement
from tfvae.metrics.factor_vae import factor_vae_score as factor_vae_score
from tfvae.metrics.factors import dci as dci
from tfvae.metrics.factors import dci_of_importances as dci_of_importances
from tfvae.metrics.factors import mig as mig
from tfvae.metrics.factors import sap as sap
from tfvae.metrics.features import Features as Features
from tfvae.metrics.features import classifier_features as classifier_features
from tfvae.metrics.features import projection_features as projection_features
from tfvae.metrics.sample_distances import fid as fid
from tfvae.metrics.sample_distances import kid as kid
from tfvae.metrics.sample_distances import precision_recall as precision_recall
from tfvae.metrics.samples import SampleQuality as SampleQuality
from tfvae.metrics.samples import sample_quality as sample_quality
