"""`make bench`: what the product claims, measured beside a limit in the same run. Nothing here is a test."""
