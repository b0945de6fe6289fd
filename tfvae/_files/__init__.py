"""Writes files and folders whole or not at all, and never over what is not the writer's own."""

from tfvae._files.listing import foreign_to_list as foreign_to_list
from tfvae._files.listing import foreign_to_mark as foreign_to_mark
from tfvae._files.listing import hashes as hashes
from tfvae._files.listing import mark as mark
from tfvae._files.listing import named as named
from tfvae._files.places import check_target as check_target
from tfvae._files.places import local as local
from tfvae._files.whole import Target as Target
from tfvae._files.whole import whole_file as whole_file
from tfvae._files.whole import whole_files as whole_files
from tfvae._files.whole import whole_folder as whole_folder
