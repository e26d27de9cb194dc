"""What a model sees of a session: one list of features, computed in the warehouse."""
