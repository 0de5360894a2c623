"""The configuration as versions: kept, compared, tried out, taken back."""
