"""What is true now: latest values, the alarm board, and the feed that tells browsers."""
