"""The control plane: an API of its own, with its own contract, through which a world is looked at and moved."""
