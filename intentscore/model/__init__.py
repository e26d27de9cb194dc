"""Pure learning: features and outcomes of sessions in, a booster and its figures out. Knows no warehouse."""
