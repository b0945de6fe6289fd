"""The model, and what builds one."""
