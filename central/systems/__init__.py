"""The rooms of the centre. They stand on shared floors and have no doors into each other."""
