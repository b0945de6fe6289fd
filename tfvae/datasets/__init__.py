"""Loads data sets by name, from files and from folders."""

from tfvae.datasets.binary import BINARIZATION_SEED as BINARIZATION_SEED
from tfvae.datasets.binary import binarize as binarize
from tfvae.datasets.binary import binarize_examples as binarize_examples
from tfvae.datasets.binary import is_grey as is_grey
from tfvae.datasets.dataset import Dataset as Dataset
from tfvae.datasets.dataset import check_batches as check_batches
from tfvae.datasets.dataset import check_shape as check_shape
from tfvae.datasets.dataset import is_signal as is_signal
from tfvae.datasets.dataset import joined as joined
from tfvae.datasets.named import NAMES as NAMES
from tfvae.datasets.named import load as load
from tfvae.datasets.pictures import ImageFit as ImageFit
from tfvae.datasets.pictures import picture_files as picture_files
from tfvae.datasets.records import record_files as record_files
from tfvae.datasets.shapes import Factored as Factored
from tfvae.datasets.shapes import shapes as shapes
from tfvae.datasets.streams import stream as stream
from tfvae.datasets.table import Column as Column
from tfvae.datasets.table import Table as Table
from tfvae.datasets.table_files import read_table as read_table
