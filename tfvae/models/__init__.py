"""The VAE model class and the functions that build one."""
