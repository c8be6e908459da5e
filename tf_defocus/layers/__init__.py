"""The novel blocks of the four networks, as Keras layers."""
