"""Draws examples, trainings and models.

Sheets are pictures as arrays; all other functions return a Matplotlib figure, which needs no
display: `figure.savefig("name.png")`, or `figure` as the last line of a notebook's cell.
"""

from tfvae.plots.curves import rate_distortion as rate_distortion
from tfvae.plots.curves import training_curves as training_curves
from tfvae.plots.examples import interpolation as interpolation
from tfvae.plots.examples import reconstructions as reconstructions
from tfvae.plots.examples import samples as samples
from tfvae.plots.examples import traversals as traversals
from tfvae.plots.health import calibration as calibration
from tfvae.plots.health import weight_health as weight_health
from tfvae.plots.latent import activity as activity
from tfvae.plots.latent import latent_map as latent_map
from tfvae.plots.sheets import beside as beside
from tfvae.plots.sheets import grid as grid
from tfvae.plots.sheets import lines as lines
from tfvae.plots.sheets import picture as picture
from tfvae.plots.sheets import save_png as save_png
from tfvae.plots.tables import correlations as correlations
from tfvae.plots.tables import marginals as marginals
