"""Tests of the simulated field devices."""
