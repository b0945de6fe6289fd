"""The one door to Keras' privates."""
